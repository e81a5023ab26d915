"""Buttons of Telegram messages: asked for by the commander, and done for chats that channels name."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import count

import msgspec
import pytest
from commander.db import Database
from commander.jobs.loop import lead
from commander.notifications import channel_store
from commander.notifications.domain import Wishes
from commander.notifications.failures import DeliveryFailure
from commander.notifications.outbox import Button, Outbox
from commander.notifications.safe_http import SafeHttp
from commander.notifications.telegram_buttons import Bot, TelegramButtons
from commander.problems import CommanderError, ErrorKind
from commander.sealing import Sealer
from commander.settings import Settings
from commander_farm import on_sqlite
from notification_sinks import Answer, Received, Sink, running_sink

TOKEN = "123456:AAbbccddeeffgg"
CHATS = frozenset({"-100123", "@farm_channel"})


class IncidentOver(CommanderError):
    """The incident is over."""

    kind = ErrorKind(409, "closed", "Closed")


@dataclass
class Telegram:
    """A Bot API server with updates that wait for somebody to ask."""

    sink: Sink
    updates: list[dict[str, object]] = field(default_factory=list)
    numbers: "count[int]" = field(default_factory=lambda: count(500))

    def press(self, data: str, *, chat: dict[str, object] | None = None, **sender: object) -> None:
        query = {
            "id": "q1",
            "from": {"id": 42, "first_name": "Anna", "username": "anna", **sender},
            "message": {"chat": chat or {"id": -100123}, "message_id": 1},
            "data": data,
        }
        self.updates.append({"update_id": next(self.numbers), "callback_query": query})

    def answer(self, request: Received) -> Answer:
        if request.path.endswith("/getUpdates"):
            offset = int(str(request.json()["offset"]))
            self.updates = [each for each in self.updates if int(str(each["update_id"])) >= offset]
            return Answer(body=msgspec.json.encode({"ok": True, "result": self.updates}))
        return Answer(body=b'{"ok":true,"result":true}')

    @property
    def answers(self) -> list[object]:
        """The texts that people have got."""
        return [each.json()["text"] for each in self.sink.received if each.path.endswith("/answerCallbackQuery")]


@pytest.fixture
async def telegram() -> AsyncIterator[Telegram]:
    async with running_sink() as sink:
        made = Telegram(sink)
        sink.answer = made.answer
        yield made


@dataclass
class Office:
    """Does what buttons ask for, and notes it."""

    buttons: TelegramButtons
    outbox: Outbox
    done: list[tuple[int, str, str]] = field(default_factory=list)

    async def press(self, incident_id: int, button: Button, who: str) -> str:
        self.done.append((incident_id, button, who))
        if incident_id == 9:
            raise IncidentOver("The incident is closed.")
        return f"{button} done"


@pytest.fixture
def office(database: Database, settings: Settings) -> Office:
    outbox = Outbox({})
    made = Office(TelegramButtons(database, Sealer(settings), SafeHttp(loopback=True), outbox, holder="here"), outbox)
    outbox.on_button = made.press
    return made


async def ask(office: Office, telegram: Telegram, offset: int = 0) -> int:
    return await office.buttons.ask_once(Bot(telegram.sink.url, TOKEN), CHATS, offset, waits_s=0)


@on_sqlite
async def test_a_button_is_done_once_and_answered(office: Office, telegram: Telegram) -> None:
    telegram.press("acknowledge:7")
    telegram.press("mute:8", chat={"id": -1, "username": "farm_channel"})
    offset = await ask(office, telegram)
    assert offset == 502
    assert await ask(office, telegram, offset) == 502
    assert office.done == [(7, "acknowledge", "Telegram: @anna (42)"), (8, "mute", "Telegram: @anna (42)")]
    assert telegram.answers == ["acknowledge done", "mute done"]
    assert telegram.sink.received[0].json()["allowed_updates"] == ["callback_query"]


@on_sqlite
@pytest.mark.parametrize(
    "chat", [{"id": 666}, {"id": 100123}, {"id": 1, "username": "other"}, {"id": 1, "username": ""}]
)
async def test_another_chat_may_do_nothing(office: Office, telegram: Telegram, chat: dict[str, object]) -> None:
    telegram.press("acknowledge:7", chat=chat)
    await ask(office, telegram)
    assert office.done == []
    assert telegram.answers == ["No channel of the commander uses this chat, so its buttons do nothing."]


@on_sqlite
@pytest.mark.parametrize("data", ["", "acknowledge", "acknowledge:", "acknowledge:x", "reboot:7", "mute:" + "9" * 40])
async def test_what_is_no_button_does_nothing(office: Office, telegram: Telegram, data: str) -> None:
    telegram.press(data)
    await ask(office, telegram)
    assert office.done == []
    assert telegram.answers == ["This button does nothing any more."]


@on_sqlite
async def test_an_incident_that_is_over_has_its_answer(office: Office, telegram: Telegram) -> None:
    telegram.press("acknowledge:9", username="", first_name="Anna\u202e\n")
    await ask(office, telegram)
    assert office.done == [(9, "acknowledge", "Telegram: Anna (42)")]
    assert telegram.answers == ["The incident is closed."]


@on_sqlite
async def test_an_answer_that_comes_too_late_stops_no_other_button(office: Office, telegram: Telegram) -> None:
    telegram.press("mute:7")
    telegram.press("acknowledge:8")
    usual = telegram.sink.answer

    def too_late(request: Received) -> Answer:
        if request.path.endswith("/answerCallbackQuery"):
            return Answer(
                400, body=b'{"ok":false,"description":"Bad Request: query is too old and response timeout expired"}'
            )
        return usual(request)

    telegram.sink.answer = too_late
    assert await ask(office, telegram) == 502
    assert [button for _, button, _ in office.done] == ["mute", "acknowledge"]


@on_sqlite
async def test_two_programs_that_ask_for_one_bot_are_a_failure(office: Office, telegram: Telegram) -> None:
    telegram.sink.answers(409, b'{"ok":false,"description":"Conflict: terminated by other getUpdates request"}')
    with pytest.raises(DeliveryFailure, match="Conflict"):
        await ask(office, telegram)


async def add_channel(database: Database, settings: Settings, url: str, chat_id: str) -> int:
    values = {
        "name": f"chat {chat_id}",
        "kind": "telegram",
        "settings": msgspec.json.encode({"chat_id": chat_id, "server": url}),
        "secrets": Sealer(settings).seal({"bot_token": TOKEN}),
        "wishes": msgspec.json.encode(Wishes()),
        "is_enabled": True,
    }
    async with database.transaction() as db:
        return await channel_store.insert_channel(db, values)


async def test_of_several_nodes_one_asks_for_the_chats_of_all_channels(
    office: Office, telegram: Telegram, database: Database, settings: Settings
) -> None:
    for chat_id in ("-100123", "55"):
        await add_channel(database, settings, telegram.sink.url, chat_id)
    telegram.press("acknowledge:7")
    telegram.press("mute:8", chat={"id": 55})
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(office.buttons.run(stop))
        while len(telegram.answers) < 2:  # noqa: ASYNC110 - the sink has no event to wait for
            await asyncio.sleep(0.01)
        assert not await lead(database, "there", now=await database.now(), name="telegram")
        stop.set()
    assert office.done == [(7, "acknowledge", "Telegram: @anna (42)"), (8, "mute", "Telegram: @anna (42)")]
    assert await lead(database, "there", now=await database.now(), name="telegram")  # the first node has ended
