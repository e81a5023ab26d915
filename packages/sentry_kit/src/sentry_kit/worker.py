"""A thread for calls that may block: a slow card, a hung driver."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class Worker:
    """One daemon thread that runs calls one after the other.

    `concurrent.futures` would wait for its threads at exit: with a hung driver the program could never end.
    Here a call that outlasts its time limit is left alone, and those behind it are cancelled by their own
    limits.
    """

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    async def call(self, function: Callable[[], T], *, timeout_s: float) -> T:
        """Returns the result of `function`. Raises its exception, or `TimeoutError` after `timeout_s`."""
        future: Future[T] = Future()
        self._calls.put((function, future))
        async with asyncio.timeout(timeout_s):  # Python 3.11's wait_for may swallow a cancellation
            return await asyncio.wrap_future(future)

    def end(self, *, within_s: float) -> bool:
        """Ends the thread. Returns whether all calls have ended; only then may their resources be closed."""
        self._calls.put(None)
        self._thread.join(within_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            function, future = call
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(function())
            except BaseException as error:  # noqa: BLE001 - it is raised where the call was made
                future.set_exception(error)
