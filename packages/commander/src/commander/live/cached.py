"""A value of the database that each node caches until a node of the farm has changed it."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Generic, TypeVar

from sqlalchemy.exc import DBAPIError

from commander.live.cluster import Cluster, Topic
from commander.problems import DatabaseProblem

T = TypeVar("T")

READ_AGAIN_S = 60.0  # another node's news may have been missed


class Cached(Generic[T]):
    """Reads the value again after each change at any node, and once a minute.

    `topic` has one key, 0: the whole value is read again. `on_news` is called after each piece of news.
    """

    def __init__(
        self,
        topic: Topic[int],
        cluster: Cluster,
        read: Callable[[], Awaitable[T]],
        on_news: Callable[[], None] | None = None,
    ) -> None:
        self._topic, self._cluster, self._read, self._on_news = topic, cluster, read, on_news
        self._values: list[T] = []  # none before the first read, then one
        self._changes, self._read_changes = 1, 0
        self._read_at_s = float("-inf")
        self._turn = asyncio.Lock()
        cluster.subscribe(topic, self._news)
        cluster.on_gap(self._may_be_old)

    def changed(self) -> None:
        """Call it after each commit that changes the value."""
        self._news(0)
        self._cluster.publish(self._topic, 0)

    async def get(self) -> T:
        """Returns the value. While the database is away, that is the last one, unless it has changed since."""
        if not self._is_fresh():
            async with self._turn:  # many may ask at once
                if not self._is_fresh():
                    await self._read_again()
        return self._values[0]

    def _is_fresh(self) -> bool:
        return self._changes == self._read_changes and monotonic() - self._read_at_s < READ_AGAIN_S

    async def _read_again(self) -> None:
        changes, now_s = self._changes, monotonic()
        try:
            value = await self._read()
        except (DatabaseProblem, DBAPIError):
            if changes != self._read_changes:
                raise
            return
        self._values = [value]
        self._read_changes, self._read_at_s = changes, now_s

    def _news(self, _key: int) -> None:
        self._may_be_old()
        if self._on_news:
            self._on_news()

    def _may_be_old(self) -> None:
        self._changes += 1
