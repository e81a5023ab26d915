"""Telegram: messages of a bot, with buttons.

Bot API: https://core.telegram.org/bots/api#sendmessage – a text has 4,096 UTF-16 units at most, the data of a button 64
bytes. A 429 has `parameters.retry_after` in its body, in seconds. The token is a part of every address.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from commander.notifications.failures import DeliveryFailure
from commander.notifications.kinds.checks import WebAddress
from commander.notifications.kinds.kind import ChannelKind, FormField, SafeNetwork
from commander.notifications.messages import Message, full_text
from commander.notifications.safe_http import TIMEOUT_S, HttpAnswer, SafeHttp, check, excerpt

SERVER = "https://api.telegram.org"
MUTED_MINUTES = 120
_TEXT_MAX = 4_096
_WRONG_CHAT = ("chat not found", "group chat was upgraded", "peer_id_invalid", "chat_id is empty", "user not found")


class TelegramSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`chat_id` is a number, for groups a negative one, or the @name of a public channel.

    `server` is for those who run a Bot API server of their own.
    """

    bot_token: Annotated[str, Meta(pattern=r"^\d+:[A-Za-z0-9_-]{10,100}$")]
    chat_id: Annotated[str, Meta(pattern=r"^(-?\d{1,20}|@\w{4,40})$")]
    server: WebAddress = SERVER


class _Parameters(msgspec.Struct, frozen=True, kw_only=True):
    retry_after: float | None = None
    migrate_to_chat_id: int | None = None


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    description: str = ""
    parameters: _Parameters = _Parameters()


async def send(settings: TelegramSettings, message: Message, network: SafeNetwork) -> None:
    body: dict[str, object] = {
        "chat_id": settings.chat_id,
        "text": full_text(message, most=_TEXT_MAX),
        "link_preview_options": {"is_disabled": True},
    }
    if message.has_buttons:
        body["reply_markup"] = {
            "inline_keyboard": [
                [
                    {"text": "Acknowledge", "callback_data": f"acknowledge:{message.incident_id}"},
                    {"text": "Mute 2 h", "callback_data": f"mute:{message.incident_id}"},
                ]
            ]
        }
    check_telegram(await call(network.http, settings, "sendMessage", body))


async def call(
    http: SafeHttp, settings: TelegramSettings, method: str, body: dict[str, object], *, timeout_s: float = TIMEOUT_S
) -> HttpAnswer:
    """Returns the answer to a call of the Bot API. Raises `DeliveryFailure` if there is none."""
    url = f"{settings.server.rstrip('/')}/bot{settings.bot_token}/{method}"
    headers = {"Content-Type": "application/json"}
    return await http.post(url, body=msgspec.json.encode(body), headers=headers, timeout_s=timeout_s)


def check_telegram(answer: HttpAnswer) -> None:
    """Raises `DeliveryFailure` unless Telegram did what was asked."""
    if answer.is_success:
        return
    try:
        why = msgspec.json.decode(answer.body, type=_Answer)
    except msgspec.DecodeError:
        why = _Answer()
    if why.parameters.retry_after is not None:
        raise DeliveryFailure(
            "Telegram asks the commander to wait.", retry_after_s=max(0.0, why.parameters.retry_after)
        )
    if why.parameters.migrate_to_chat_id is not None:
        moved = f"The group has another chat id now: {why.parameters.migrate_to_chat_id}. Enter that one."
        raise DeliveryFailure(moved, is_final=True)
    if answer.status == 400 and any(words in why.description.lower() for words in _WRONG_CHAT):
        refused = f"Telegram refused the message: {excerpt(why.description.encode())}."
        raise DeliveryFailure(f"{refused} Send /start to the bot, and check the chat id.", is_final=True)
    check(answer, "Telegram")


KIND = ChannelKind(
    "telegram",
    "Telegram",
    TelegramSettings,
    (
        FormField("bot_token", "Bot token", "From @BotFather: 123456789:AA…", secret=True),
        FormField("chat_id", "Chat id", "A number, of a group a negative one. @userinfobot tells you yours."),
        FormField("server", "Bot API server", "Leave empty for https://api.telegram.org."),
    ),
    send,
    destination=("server",),
)
