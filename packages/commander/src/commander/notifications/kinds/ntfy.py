"""ntfy: https://docs.ntfy.sh/publish/#publish-as-json, on ntfy.sh or on a server of one's own.

A message has 4,096 bytes at most; a longer one would become an attachment. Priority 5 is the highest, 3 the usual.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from commander.notifications.kinds.checks import Secret, WebAddress
from commander.notifications.kinds.kind import ChannelKind, FormField, SafeNetwork
from commander.notifications.messages import Message, body_text, cut_bytes
from commander.notifications.news import Event
from commander.notifications.safe_http import check

_MESSAGE_MAX_BYTES = 4_000
_TITLE_MAX_BYTES = 250
_URGENT, _USUAL, _LOW = 5, 3, 2


class NtfySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    server: WebAddress = "https://ntfy.sh"
    topic: Annotated[str, Meta(pattern=r"^[-_A-Za-z0-9]{1,64}$")]
    token: Secret = ""


async def send(settings: NtfySettings, message: Message, network: SafeNetwork) -> None:
    priority = _URGENT if message.is_urgent else _LOW if message.event in (Event.CLOSED, Event.DIGEST) else _USUAL
    body = msgspec.json.encode(
        {
            "topic": settings.topic,
            "title": cut_bytes(message.heading, _TITLE_MAX_BYTES),
            "message": cut_bytes(body_text(message, most=_MESSAGE_MAX_BYTES), _MESSAGE_MAX_BYTES),
            "priority": priority,
            "click": message.url,
        }
    )
    headers = {"Content-Type": "application/json"}
    if settings.token:
        headers["Authorization"] = f"Bearer {settings.token}"
    check(await network.http.post(settings.server.rstrip("/") + "/", body=body, headers=headers), "ntfy")


KIND = ChannelKind(
    "ntfy",
    "ntfy",
    NtfySettings,
    (
        FormField("server", "Server", "Leave empty for https://ntfy.sh."),
        FormField("topic", "Topic", "On ntfy.sh anybody who knows the topic reads it: choose a long random one."),
        FormField("token", "Access token", "Only if the topic is protected.", secret=True),
    ),
    send,
    destination=("server",),
)
