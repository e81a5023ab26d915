"""A sentry as a service: a local page, some loops, and an end within a second of SIGTERM."""

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

import uvicorn
from filelock import FileLock, Timeout

from sentry_kit.errors import SentryError
from sentry_kit.local_page.shell import LocalApp
from sentry_kit.memory import tidy_for_ever

log = logging.getLogger(__name__)

_LOCK_WAIT_S = 1  # `status` holds the lock for a moment, to see whether it is free


@contextlib.contextmanager
def only_one(data_dir: Path, program: str) -> Iterator[None]:
    """A second `run` on one data directory would report every log twice; it is refused."""
    lock = FileLock(data_dir / "run.lock", mode=0o600)
    try:
        lock.acquire(timeout=_LOCK_WAIT_S)
    except Timeout as error:
        raise SentryError(f"{program} already runs with the data directory {data_dir}; stop that one first.") from error
    try:
        yield
    finally:
        lock.release()


def is_running(data_dir: Path) -> bool:
    lock = FileLock(data_dir / "run.lock", mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


def listen(host: str, port: int, setting: str) -> socket.socket:
    """The local page's socket, bound before anything else starts, so that a busy port is a sentence."""
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
            f"The local page can't listen on {host} port {port} ({error.strerror or error}); "
            f"choose another with {setting}."
        ) from error
    listener.setblocking(False)
    return listener


class _PageServer(uvicorn.Server):
    """Leaves the signals to `until_stopped`."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def serving(app: LocalApp, listener: socket.socket) -> AsyncIterator[None]:
    """The local page answers as long as this lasts."""
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
    """Runs the loops until SIGTERM or SIGINT; a loop that fails ends them all. `page` is said to be there."""
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
