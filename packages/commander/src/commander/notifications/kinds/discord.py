"""Discord: an incoming webhook of a channel.

Limits: https://docs.discord.com/developers/resources/webhook#execute-webhook – `content` has 2,000 characters at most.
A 429 has `Retry-After`, and `retry_after` in its body, in seconds.
"""

import msgspec

from commander.notifications.kinds.checks import WebAddress
from commander.notifications.kinds.kind import ChannelKind, FormField, SafeNetwork
from commander.notifications.messages import Message, full_text
from commander.notifications.safe_http import check

_CONTENT_MAX = 2_000
_SPECIAL = str.maketrans({character: f"\\{character}" for character in "\\*_~`|>#[]<"})


class DiscordSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    webhook_url: WebAddress


async def send(settings: DiscordSettings, message: Message, network: SafeNetwork) -> None:
    escaped = msgspec.structs.replace(
        message,
        heading=message.heading.translate(_SPECIAL),
        lines=tuple(line.translate(_SPECIAL) for line in message.lines),
    )
    content = full_text(escaped, most=_CONTENT_MAX)
    body = msgspec.json.encode({"content": content, "allowed_mentions": {"parse": []}})
    headers = {"Content-Type": "application/json"}
    check(await network.http.post(settings.webhook_url, body=body, headers=headers), "Discord")


KIND = ChannelKind(
    "discord",
    "Discord",
    DiscordSettings,
    (
        FormField(
            "webhook_url",
            "Webhook URL",
            "In Discord: channel settings, Integrations, Webhooks, Copy Webhook URL.",
            secret=True,
        ),
    ),
    send,
)
