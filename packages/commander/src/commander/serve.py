"""`commander serve`: the application under uvicorn, with HTTPS."""

import asyncio
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
from commander.backup.before_migration import migrate_after_copy
from commander.backup.restore import finish_pending
from commander.damage import check_database, check_modes
from commander.db import open_database
from commander.farm_lease import check_alone, holding_database
from commander.garbage import leave_out_what_exists
from commander.jobs.garbage import collect_at_intervals
from commander.live.long_poll import LongPoll
from commander.lock import CommanderRuns, only_commander
from commander.settings import Settings, in_clear_text, networks_of
from commander.signing import Signer, open_signer, unsigned_text
from commander.tls import TlsFiles, prepare_tls
from commander.web.acceptor import Acceptor
from commander.web.connections import Connections, limits_for
from commander.web.limited_protocol import LimitedProtocol

log = logging.getLogger(__name__)
ANSWERED_AFTER_S = 0.05  # held requests are answered before their connections are cut
OWN_FILES = 128  # the database's, the listener, and what asks other servers
WITHOUT_LIMIT = 1_000_000
# Sentries report every 10 s; a TLS handshake each time would cost more than the report.
KEEP_ALIVE_S = 90
PING_EVERY_S = PONG_WITHIN_S = 20.0  # of WebSockets: a page may have gone without closing its own


class CannotServe(Exception):
    """The server can't start; the text says why and what to do."""


def serve(settings: Settings, *, is_new: bool = False, with_copy: bool = True) -> None:
    """Until SIGTERM or SIGINT. `is_new`: begin a new farm if that of the data directory is lost.

    `with_copy`: the tables of the database change only after a copy of it. Raises `CannotServe`, `Damage`, `TlsError`
    or `DatabaseProblem`.
    """
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    _allow_many_connections()
    with _alone(settings), _listening(settings) as listener:
        _prepare_database(settings, is_new=is_new, with_copy=with_copy)
        tls = prepare_tls(settings, now=datetime.now(UTC))
        for note in tls.facts.notes if tls else ():
            print_line(note)
        signer = open_signer(settings)
        if text := unsigned_text(settings):
            log.warning(text)
        if text := in_clear_text(settings):
            log.warning(text)
        long_poll = LongPoll()
        connections = Connections(limits_for(_free_descriptors()), proxies=_proxy_addresses(settings))
        server = Server(
            _config(settings, tls, long_poll, connections, signer), long_poll, settings, connections, signer
        )
        print_line(f"Minewarden's commander: {settings.public_url}")
        # uvicorn raises the signal that ended it again, for the handler before its own. That is no failure.
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.signal(signal.SIGINT, lambda *_: None)
        leave_out_what_exists()
        server.run(sockets=[listener])
        if server.has_lost_database:
            raise CannotServe("Another commander has taken the database; the lines above say more.")
        if not server.started:
            raise CannotServe("The commander could not start; the lines above say why.")


def _prepare_database(settings: Settings, *, is_new: bool, with_copy: bool) -> None:
    """Brings the database to this version before the CA is made: a CA without a farm then means that one was lost."""
    check_modes(settings)
    asyncio.run(check_alone(settings))
    check_database(settings, is_new=is_new)
    migrate_after_copy(settings, with_copy=with_copy)
    asyncio.run(_prepare_password(settings))


async def _prepare_password(settings: Settings) -> None:
    await _check_password(settings)
    async with open_database(settings.database_url) as database:
        if made := await AccountActions(database).settle_password(settings.password):
            say_password(made)


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

    def __init__(
        self,
        config: uvicorn.Config,
        long_poll: LongPoll,
        settings: Settings,
        connections: Connections,
        signer: Signer | None,
    ) -> None:
        super().__init__(config)
        self._signing_key_id = signer.key_id if signer else None
        self._long_poll = long_poll
        self._settings = settings
        self._connections = connections
        self._work: list[asyncio.Task[None]] = []
        self.has_lost_database = False

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        async with (
            holding_database(
                self._settings,
                on_taken=self._end_without_database,
                signing_key_id=self._signing_key_id,
                is_web_node=True,
            ),
            asyncio.TaskGroup() as self._group,
        ):
            await super().serve(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts all but uvicorn's own servers, accepts by ours, and collects garbage."""
        await super().startup(sockets=[])
        for listener in sockets or []:
            acceptor = Acceptor(listener, self._connections, self._protocol, self.config.ssl)
            self._work.append(self._group.create_task(acceptor.run()))
        self._work.append(self._group.create_task(collect_at_intervals()))

    def _protocol(self) -> asyncio.Protocol:
        return LimitedProtocol(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state, _loop=None
        )

    def _end_without_database(self) -> None:
        self.has_lost_database = self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._long_poll.close()
        await asyncio.sleep(ANSWERED_AFTER_S)
        for task in self._work:
            task.cancel()
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


def _proxy_addresses(settings: Settings) -> list[str]:
    """Returns the proxies that are named by their address; one of a network counts as known after its first token."""
    return [str(each.network_address) for each in networks_of(settings.trusted_proxies) if each.num_addresses == 1]


def _free_descriptors() -> int:
    """Returns how many connections may be open at once beside the files that the commander needs itself."""
    if sys.platform == "win32":
        return WITHOUT_LIMIT
    import resource

    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most == resource.RLIM_INFINITY:
        return WITHOUT_LIMIT
    return min(WITHOUT_LIMIT, most - min(OWN_FILES, most // 2))


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    try:
        with only_commander(settings):
            finish_pending(settings)
            yield
    except CommanderRuns as error:
        another = "COMMANDER_DATA_DIR" if error.place == settings.data_dir else "COMMANDER_DATABASE_URL"
        raise CannotServe(
            f"Another commander already runs on {error.place}; stop it, or choose another {another}."
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


def _config(
    settings: Settings, tls: TlsFiles | None, long_poll: LongPoll, connections: Connections, signer: Signer | None
) -> uvicorn.Config:
    from commander.app import create_app  # after the checks: a commander that does not start needs none of it

    def reload_certificate() -> None:
        if tls and isinstance(config.ssl, ssl.SSLContext):
            config.ssl.load_cert_chain(tls.cert, tls.key)
            log.info("the certificate was renewed")

    config = uvicorn.Config(
        create_app(
            settings,
            tls=tls,
            on_renewal=reload_certificate,
            on_password=say_password,
            long_poll=long_poll,
            signer=signer,
            connections=connections,
        ),
        http=LimitedProtocol,
        lifespan="on",  # a start that fails is the end: half a commander would look healthy and store nothing
        ssl_certfile=tls.cert if tls else None,
        ssl_keyfile=tls.key if tls else None,
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        proxy_headers=False,  # `web/proxies.py` reads them
        ws="websockets-sansio",
        ws_per_message_deflate=False,  # compressing for each viewer would cost more than all the rest
        ws_max_size=64 * 1024,  # nothing that pages send is listened to
        timeout_graceful_shutdown=2,
        timeout_keep_alive=KEEP_ALIVE_S,
        ws_ping_interval=PING_EVERY_S,
        ws_ping_timeout=PONG_WITHIN_S,
    )
    return config


def say_password(made: str) -> None:
    print_line(f"Password of the dashboard (shown this once; change it with `commander set-password`): {made}")


def print_line(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
