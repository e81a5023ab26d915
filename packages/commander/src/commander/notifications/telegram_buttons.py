"""The buttons of Telegram messages. The commander asks Telegram for them, so it needs no public address.

Bot API: https://core.telegram.org/bots/api#getupdates – a request waits `timeout` seconds; `offset` confirms all
earlier updates. Two programs that ask for one bot get 409, so one web node asks.
"""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple, cast

import msgspec
from sqlalchemy.exc import DBAPIError

from commander.db import Database
from commander.jobs.loop import lead, resign, rest
from commander.notifications import channel_store
from commander.notifications.failures import DeliveryFailure
from commander.notifications.kinds.telegram import TelegramSettings, call, check_telegram
from commander.notifications.outbox import Button, Outbox
from commander.notifications.safe_http import SafeHttp
from commander.problems import CommanderError, DatabaseProblem
from commander.sealing import Sealer, SecretsUnreadable

log = logging.getLogger(__name__)
LOOK_EVERY_S = 10.0
WAITS_S = 25
_ANSWER_WITHIN_S = WAITS_S + 10.0
_REST_AFTER_FAILURE_S = 30.0
_ANSWER_MAX = 200  # https://core.telegram.org/bots/api#answercallbackquery
_LEASE = "telegram"
_BUTTONS: frozenset[str] = frozenset({"acknowledge", "mute"})


class Bot(NamedTuple):
    """A bot: its server and its token."""

    server: str
    token: str


class _Chat(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    username: str = ""


class _Message(msgspec.Struct, frozen=True, kw_only=True):
    chat: _Chat


class _User(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    first_name: str = ""
    username: str = ""


class Pressed(msgspec.Struct, frozen=True, kw_only=True):
    """A `CallbackQuery`: somebody has pressed a button."""

    id: str
    sender: _User = msgspec.field(name="from")
    message: _Message | None = None
    data: str = ""


class _Update(msgspec.Struct, frozen=True, kw_only=True):
    update_id: int
    callback_query: Pressed | None = None


class _Updates(msgspec.Struct, frozen=True, kw_only=True):
    result: list[_Update] = []


class TelegramButtons:
    """Asks Telegram about the bots of all channels. Of several web nodes, one asks."""

    def __init__(self, database: Database, sealer: Sealer, http: SafeHttp, outbox: Outbox, *, holder: str) -> None:
        self._database, self._sealer, self._http, self._outbox = database, sealer, http, outbox
        self._holder = holder
        self._chats: Mapping[Bot, frozenset[str]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Asks until `stop`."""
        async with asyncio.TaskGroup() as group:
            asking: dict[Bot, asyncio.Task[None]] = {}
            while not stop.is_set():
                self._chats = await self._bots_to_ask()
                for bot in asking.keys() - self._chats.keys():
                    asking.pop(bot).cancel()
                for bot in self._chats.keys() - asking.keys():
                    asking[bot] = group.create_task(self._ask_always(bot))
                await rest(stop, LOOK_EVERY_S)
            for task in asking.values():
                task.cancel()
        if self._chats:
            with suppress(DatabaseProblem, DBAPIError):
                await resign(self._database, self._holder, name=_LEASE)

    async def ask_once(self, bot: Bot, chats: frozenset[str], offset: int, *, waits_s: int = WAITS_S) -> int:
        """Handles the buttons that were pressed since `offset`; returns the next offset. Raises `DeliveryFailure`."""
        settings = TelegramSettings(bot_token=bot.token, chat_id="0", server=bot.server)
        body: dict[str, object] = {"timeout": waits_s, "offset": offset, "allowed_updates": ["callback_query"]}
        answer = await call(self._http, settings, "getUpdates", body, timeout_s=_ANSWER_WITHIN_S)
        check_telegram(answer)
        try:
            updates = msgspec.json.decode(answer.body, type=_Updates).result
        except msgspec.DecodeError as error:
            raise DeliveryFailure("The answer of Telegram can't be read.") from error
        for update in updates:
            if update.callback_query:
                await self._do(settings, update.callback_query, chats)
            offset = max(offset, update.update_id + 1)
        return offset

    async def _ask_always(self, bot: Bot) -> None:
        offset = 0
        while True:
            try:
                offset = await self.ask_once(bot, self._chats.get(bot, frozenset()), offset)
            except DeliveryFailure as failure:
                log.warning("buttons of Telegram: %s", failure)
                await asyncio.sleep(failure.retry_after_s or _REST_AFTER_FAILURE_S)
            except (DatabaseProblem, DBAPIError) as error:
                log.warning("buttons of Telegram wait for the database: %s", error)
                await asyncio.sleep(_REST_AFTER_FAILURE_S)
            except Exception:
                log.exception("a button of Telegram could not be handled; it is tried again")
                await asyncio.sleep(_REST_AFTER_FAILURE_S)

    async def _do(self, settings: TelegramSettings, pressed: Pressed, chats: frozenset[str]) -> None:
        """Does what was pressed. An answer that fails, such as one that is too late, is no reason to do it again."""
        text = await self._done(pressed, chats)
        body: dict[str, object] = {"callback_query_id": pressed.id, "text": text[:_ANSWER_MAX]}
        try:
            check_telegram(await call(self._http, settings, "answerCallbackQuery", body))
        except DeliveryFailure as failure:
            log.warning("a button of Telegram was done, and its answer failed: %s", failure)

    async def _done(self, pressed: Pressed, chats: frozenset[str]) -> str:
        """Acknowledges or mutes the incident of a button, and returns the answer for the person."""
        chat = pressed.message.chat if pressed.message else None
        if chat is None or not {str(chat.id), f"@{chat.username}"} & chats:
            log.warning("a button was pressed in a Telegram chat that no channel names")
            return "No channel of the commander uses this chat, so its buttons do nothing."
        name, _, number = pressed.data.partition(":")
        if name not in _BUTTONS or not number.isdecimal() or len(number) > 18 or self._outbox.on_button is None:
            return "This button does nothing any more."
        try:
            return await self._outbox.on_button(int(number), cast("Button", name), person_of(pressed))
        except DatabaseProblem:
            raise
        except CommanderError as error:
            return str(error)

    async def _bots_to_ask(self) -> dict[Bot, frozenset[str]]:
        """Returns the bots with the chats that their channels name; none if another node asks them."""
        try:
            found = await self._bots()
            if found and await lead(self._database, self._holder, now=await self._database.now(), name=_LEASE):
                return found
        except (DatabaseProblem, DBAPIError) as error:
            log.warning("buttons of Telegram wait for the database: %s", error)
        except Exception:
            log.exception("buttons of Telegram could not be looked for; it is tried again")
        return {}

    async def _bots(self) -> dict[Bot, frozenset[str]]:
        if self._outbox.on_button is None:
            return {}
        async with self._database.reading() as db:
            channels = await channel_store.all_channels(db)
        found: dict[Bot, frozenset[str]] = {}
        for channel in channels:
            if channel.kind != "telegram" or not channel.is_enabled:
                continue
            try:
                values = msgspec.json.decode(channel.settings, type=dict[str, object])
                settings = msgspec.convert({**values, **self._sealer.unseal(channel.secrets)}, TelegramSettings)
            except (SecretsUnreadable, msgspec.ValidationError):
                continue  # the channel's page shows it when something is sent
            bot = Bot(settings.server, settings.bot_token)
            found[bot] = found.get(bot, frozenset()) | {settings.chat_id}
        return found


def person_of(pressed: Pressed) -> str:
    """Returns who has pressed the button, for people: names in Telegram can be anything, so the id is there too."""
    name = f"@{pressed.sender.username}" if pressed.sender.username else pressed.sender.first_name
    printable = "".join(character for character in name if character.isprintable())[:64]
    return f"Telegram: {printable} ({pressed.sender.id})"
