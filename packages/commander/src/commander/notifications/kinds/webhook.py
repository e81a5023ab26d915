"""Webhook: the incident as JSON to any address, signed so that the other side knows who sent it."""

import hashlib
import hmac

import msgspec

from commander.db import to_us
from commander.notifications.kinds.checks import Secret, WebAddress
from commander.notifications.kinds.kind import ChannelKind, FormField, SafeNetwork
from commander.notifications.messages import Message
from commander.notifications.news import Event
from commander.notifications.safe_http import check


class WebhookSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    url: WebAddress
    secret: Secret = ""


class WebhookBody(msgspec.Struct, frozen=True, kw_only=True):
    """The body of the request. `title` and `lines` are the message as people read it."""

    event: Event
    incident: msgspec.Raw
    url: str
    sent_at: str
    title: str
    lines: tuple[str, ...]


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Returns HMAC-SHA256 of "timestamp.body" as the header has it."""
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


async def send(settings: WebhookSettings, message: Message, network: SafeNetwork) -> None:
    body = msgspec.json.encode(
        WebhookBody(
            event=message.event,
            incident=message.incident,
            url=message.url,
            sent_at=message.sent_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            title=message.heading,
            lines=message.lines,
        )
    )
    timestamp = str(to_us(message.sent_at) // 1_000_000)
    headers = {"Content-Type": "application/json", "Minewarden-Timestamp": timestamp}
    if settings.secret:
        headers["Minewarden-Signature"] = signature(settings.secret, timestamp, body)
    check(await network.http.post(settings.url, body=body, headers=headers), "The webhook's server")


KIND = ChannelKind(
    "webhook",
    "Webhook",
    WebhookSettings,
    (
        FormField("url", "Address", "For example https://example.com/minewarden. It gets a POST request with JSON."),
        FormField(
            "secret", "Signing secret", "With it, each request has a signature. Leave empty for none.", secret=True
        ),
    ),
    send,
    destination=("url",),
)
