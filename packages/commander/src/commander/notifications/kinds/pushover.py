"""Pushover: https://pushover.net/api – 1,024 characters of message, 250 of title, 512 of URL.

A wrong token or user is answered by 400 with the field's name in the body, other limits by 429.
"""

from typing import Annotated
from urllib.parse import urlencode

import msgspec
from msgspec import Meta

from commander.notifications.failures import DeliveryFailure
from commander.notifications.kinds.checks import WebAddress
from commander.notifications.kinds.kind import ChannelKind, FormField, SafeNetwork
from commander.notifications.messages import Message, body_text, cut
from commander.notifications.safe_http import check, excerpt

_MESSAGE_MAX, _TITLE_MAX, _URL_MAX = 1_024, 250, 512
_HIGH, _USUAL = 1, 0
_OF_CHANNEL = (b'"token":', b'"user":')  # the fields that are wrong, as the body names them
Key = Annotated[str, Meta(pattern=r"^[A-Za-z0-9]{30}$")]


class PushoverSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    app_token: Key
    user_key: Key
    server: WebAddress = "https://api.pushover.net"


async def send(settings: PushoverSettings, message: Message, network: SafeNetwork) -> None:
    fields = {
        "token": settings.app_token,
        "user": settings.user_key,
        "title": cut(message.heading, _TITLE_MAX),
        "message": body_text(message, most=_MESSAGE_MAX),
        "priority": _HIGH if message.is_urgent else _USUAL,
        "url": message.url[:_URL_MAX],
        "url_title": "Open",
    }
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await network.http.post(
        f"{settings.server.rstrip('/')}/1/messages.json", body=urlencode(fields).encode(), headers=headers
    )
    if answer.status == 400 and any(name in answer.body for name in _OF_CHANNEL):
        raise DeliveryFailure(f"Pushover refused the message: {excerpt(answer.body)}.", is_final=True)
    check(answer, "Pushover")


KIND = ChannelKind(
    "pushover",
    "Pushover",
    PushoverSettings,
    (
        FormField(
            "app_token", "Application token", "From pushover.net, Your Applications: 30 characters.", secret=True
        ),
        FormField("user_key", "User or group key", "From the first page of pushover.net: 30 characters.", secret=True),
        FormField("server", "Server", "Leave empty for https://api.pushover.net."),
    ),
    send,
    destination=("server",),
)
