"""Runs a sentry as a service: a local page, some loops, and an end within a second of SIGTERM."""

import asyncio
import contextlib
import ipaddress
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

import uvicorn
from protocol.reasons import reason

from sentry_kit.errors import BadSetting, SentryError
from sentry_kit.local_page.access import Access
from sentry_kit.local_page.one_time import publish_secret
from sentry_kit.local_page.shell import LocalApp
from sentry_kit.lock import is_running, only_one
from sentry_kit.memory import tidy_for_ever
from sentry_kit.settings import Password, expected
from sentry_kit.trust import is_loopback

__all__ = ["check_reach", "is_running", "listen", "only_one", "open_access", "run_until_stopped", "serving"]

log = logging.getLogger(__name__)


def check_reach(host: str, password: str | None, prefix: str) -> None:
    """Raises `BadSetting` if the local page is open to other machines without a password."""
    if password is None and not is_loopback(host):
        raise BadSetting(
            f"{prefix}UI_HOST is “{host}”, so that other machines could use the local page; set {prefix}UI_PASSWORD to "
            f"{expected(Password)}, or {prefix}UI_HOST to 127.0.0.1."
        )


def listen(host: str, port: int, setting: str) -> socket.socket:
    """Opens the local page's socket. It is opened first, so that a busy port ends the program with a sentence."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    if sys.platform != "win32":  # there it would let two programs share the port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(64)
    except OSError as error:
        listener.close()
        raise SentryError(
            f"The local page can't listen on {host} port {port} ({reason(error)}); choose another with {setting}."
        ) from error
    listener.setblocking(False)
    return listener


def open_access(data_dir: Path, program: str, host: str, port: int, password: str | None) -> Access:
    """Returns the access to the local page since this start.

    The cookie's name has the port, because browsers send cookies to every port of an address.
    """
    try:
        is_everywhere = ipaddress.ip_address(host).is_unspecified
    except ValueError:
        is_everywhere = False
    name = ("::1" if ":" in host else "127.0.0.1") if is_everywhere else host
    secret = publish_secret(data_dir, f"http://{f'[{name}]' if ':' in name else name}:{port}/")
    return Access(secret, f"{program.replace('-', '_')}_{port}", password)


class _PageServer(uvicorn.Server):
    """Leaves signals to `run_until_stopped`."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def serving(app: LocalApp, listener: socket.socket) -> AsyncIterator[None]:
    """Serves the local page while the context is open."""
    config = uvicorn.Config(
        app, loop="asyncio", http="h11", ws="none", lifespan="off", log_config=None, access_log=False,
        server_header=False, timeout_graceful_shutdown=1, limit_concurrency=64,
    )  # fmt: skip
    server = _PageServer(config)
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve(sockets=[listener]))
        try:
            yield
        finally:
            app.stop()
            server.should_exit = True


async def run_until_stopped(loops: Sequence[Callable[[], Awaitable[None]]], page: str) -> None:
    """Runs the loops until SIGTERM or SIGINT. A loop that fails ends all of them. `page` is the address in the log."""
    stop = asyncio.Event()
    with _signals(asyncio.get_running_loop(), stop):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_forever(each)) for each in (*loops, tidy_for_ever)]
            log.info("running page=%s", page)
            await stop.wait()
            log.info("stopping")
            for task in tasks:
                task.cancel()


async def _forever(loop: Callable[[], Awaitable[None]]) -> None:
    await loop()


@contextlib.contextmanager
def _signals(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> Iterator[None]:
    def handle(_number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(stop.set)

    numbers = [signal.SIGINT, signal.SIGTERM]
    if sys.platform == "win32":
        numbers.append(signal.SIGBREAK)
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
