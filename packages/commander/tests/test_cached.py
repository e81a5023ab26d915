"""A value of the database that nodes cache."""

import asyncio
from collections.abc import Callable

import pytest
from commander.live import cached
from commander.live.cached import Cached
from commander.live.cluster import K, SingleNode, Topic
from commander.problems import DatabaseAway
from sqlalchemy.exc import OperationalError

NUMBERS = Topic("numbers", int)


class News(SingleNode):
    """Brings the news of one topic to all nodes at once, also to their sender."""

    def __init__(self) -> None:
        self._subscribers: list[Callable[[int], None]] = []
        self.gaps: list[Callable[[], None]] = []

    def publish(self, topic: Topic[K], key: K) -> None:
        for on_news in self._subscribers:
            on_news(int(str(key)))

    def subscribe(self, topic: Topic[K], on_news: Callable[[K], None]) -> None:
        self._subscribers.append(on_news)  # type: ignore[arg-type]  # the keys of the one topic are numbers

    def on_gap(self, news_missed: Callable[[], None]) -> None:
        self.gaps.append(news_missed)


class Numbers:
    """The database of a number, which counts how often it is read."""

    def __init__(self) -> None:
        self.number = self.reads = 0
        self.error: Exception | None = None
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def read(self) -> int:
        self.reads += 1
        number = self.number
        await self.may_answer.wait()
        if self.error:
            raise self.error
        return number


async def test_it_is_read_once_and_again_after_a_change_at_any_node() -> None:
    numbers, news = Numbers(), News()
    here, there = Cached(NUMBERS, news, numbers.read), Cached(NUMBERS, news, numbers.read)
    assert await asyncio.gather(*(here.get() for _ in range(5)), there.get()) == [0] * 6
    assert numbers.reads == 2
    numbers.number = 7
    there.changed()
    assert [await here.get(), await there.get(), await here.get()] == [7, 7, 7]
    assert numbers.reads == 4


async def test_a_change_while_it_is_read_is_not_missed() -> None:
    numbers = Numbers()
    value = Cached(NUMBERS, SingleNode(), numbers.read)
    numbers.may_answer.clear()
    reading = asyncio.create_task(value.get())
    await asyncio.sleep(0)
    assert numbers.reads == 1
    numbers.number = 7
    value.changed()
    numbers.may_answer.set()
    assert await reading == 0
    assert await value.get() == 7


@pytest.mark.parametrize("error", [DatabaseAway("It is away."), OperationalError("SELECT", {}, Exception("closed"))])
async def test_while_the_database_is_away_the_last_value_stays_in_use_unless_it_has_changed(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    numbers = Numbers()
    value = Cached(NUMBERS, SingleNode(), numbers.read)
    numbers.error = error
    with pytest.raises(type(error)):
        await value.get()
    numbers.error = None
    assert await value.get() == 0
    numbers.error = error
    monkeypatch.setattr(cached, "READ_AGAIN_S", 0.0)
    assert (await value.get(), numbers.reads) == (0, 3)
    value.changed()
    with pytest.raises(type(error)):
        await value.get()


async def test_it_is_read_again_when_news_may_have_been_missed() -> None:
    numbers, news, woken = Numbers(), News(), list[str]()
    value = Cached(NUMBERS, news, numbers.read, on_news=lambda: woken.append("news"))
    await value.get()
    numbers.number = 7
    for news_missed in news.gaps:
        news_missed()
    assert (await value.get(), woken) == (7, [])
    news.publish(NUMBERS, 0)
    assert woken == ["news"]
