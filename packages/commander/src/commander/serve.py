"""`commander serve`: the application under uvicorn, with HTTPS."""

import asyncio
import gc
import logging
import signal
import socket
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import uvicorn
from protocol.reasons import reason
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from commander.accounts.actions import AccountActions
from commander.accounts.domain import BadNewPassword, check_new_password
from commander.app import create_app
from commander.backup.restore import finish_pending
from commander.db import open_database
from commander.live.long_poll import LongPoll
from commander.lock import CommanderRuns, only_commander
from commander.migrations import migrate
from commander.settings import Settings
from commander.tls import TlsFiles, prepare_tls
from commander.web.limited_protocol import LimitedProtocol

log = logging.getLogger(__name__)
ANSWERED_AFTER_S = 0.05  # held requests are answered before their connections are cut
GC_THRESHOLD = (20_000, 20, 50)  # Python's own (700, 10, 10) took a seventh of the intake's time


class CannotServe(Exception):
    """The server can't start; the text says why and what to do."""


def serve(settings: Settings) -> None:
    """Until SIGTERM or SIGINT. Raises `CannotServe` or `TlsError`."""
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    _allow_many_connections()
    with _alone(settings), _listening(settings) as listener:
        tls = prepare_tls(settings, now=datetime.now(UTC))
        for note in tls.facts.notes if tls else ():
            print_line(note)
        migrate(settings.database_url)
        asyncio.run(_check_password(settings))
        long_poll = LongPoll()
        server = Server(_config(settings, tls, long_poll), long_poll)
        print_line(f"Minewarden's commander: {settings.public_url}")
        # uvicorn raises the signal that ended it again, for the handler before its own. That is no failure.
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.signal(signal.SIGINT, lambda *_: None)
        gc.set_threshold(*GC_THRESHOLD)
        server.run(sockets=[listener])
        if not server.started:
            raise CannotServe("The commander could not start; the lines above say why.")


async def _check_password(settings: Settings) -> None:
    """Refuses a short COMMANDER_PASSWORD, unless an earlier version has set it already."""
    if settings.password is None:
        return
    try:
        check_new_password(settings.password)
    except BadNewPassword as error:
        async with open_database(settings.database_url) as database:
            if not await AccountActions(database).is_password(settings.password):
                raise CannotServe(f"COMMANDER_PASSWORD is too short. {error}") from error
        print_line("COMMANDER_PASSWORD is short and may be guessed; change it to 12 characters or more.")


class Server(uvicorn.Server):
    """Ends at once: over TLS, a sentry that waits for its next report would not answer the close of its connection."""

    def __init__(self, config: uvicorn.Config, long_poll: LongPoll) -> None:
        super().__init__(config)
        self._long_poll = long_poll

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._long_poll.close()
        await asyncio.sleep(ANSWERED_AFTER_S)
        for connection in list(self.server_state.connections):
            if isinstance(connection, HttpToolsProtocol) and (
                not connection.cycle or connection.cycle.response_complete
            ):
                connection.transport.abort()
        await super().shutdown(sockets)


def _allow_many_connections() -> None:
    """Every sentry and every open page holds a connection; the usual limit of 1,024 files is too low for a farm."""
    if sys.platform != "win32":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    try:
        with only_commander(settings):
            finish_pending(settings)
            yield
    except CommanderRuns as error:
        raise CannotServe(
            f"Another commander already runs on {settings.data_dir}; stop it, or choose another COMMANDER_DATA_DIR."
        ) from error


def _listening(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as error:
        raise CannotServe(
            f"Can't listen on {settings.host} port {settings.port} ({reason(error)}); "
            "is another program there? COMMANDER_HOST and COMMANDER_PORT choose another place."
        ) from error


def _config(settings: Settings, tls: TlsFiles | None, long_poll: LongPoll) -> uvicorn.Config:
    def reload_certificate() -> None:
        if tls and isinstance(config.ssl, ssl.SSLContext):
            config.ssl.load_cert_chain(tls.cert, tls.key)
            log.info("the certificate was renewed")

    config = uvicorn.Config(
        create_app(settings, tls=tls, on_renewal=reload_certificate, on_password=say_password, long_poll=long_poll),
        http=LimitedProtocol,
        lifespan="on",  # a start that fails is the end: half a commander would look healthy and store nothing
        ssl_certfile=tls.cert if tls else None,
        ssl_keyfile=tls.key if tls else None,
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies or None,
        ws="websockets-sansio",
        ws_per_message_deflate=False,  # compressing for each viewer would cost more than all the rest
        ws_max_size=64 * 1024,  # nothing that pages send is listened to
        timeout_graceful_shutdown=2,
        timeout_keep_alive=90,  # sentries report every 10 s: a TLS handshake each time would cost more than the report
    )
    return config


def say_password(made: str) -> None:
    print_line(f"Password of the dashboard (shown this once; change it with `commander set-password`): {made}")


def print_line(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
