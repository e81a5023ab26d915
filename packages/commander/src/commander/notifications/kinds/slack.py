"""Slack: an incoming webhook, and programs that take the same, such as Mattermost and Rocket.Chat.

Texts: https://docs.slack.dev/messaging/formatting-message-text – of the characters & < > Slack wants entities, and
advises at most 4,000 characters. Answers: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks –
403 action_prohibited, 404 channel_not_found or no_service, 410 channel_is_archived.
"""

import msgspec

from commander.notifications.kinds.checks import WebAddress
from commander.notifications.kinds.kind import ChannelKind, FormField, SafeNetwork
from commander.notifications.messages import Message, full_text
from commander.notifications.safe_http import check

_TEXT_MAX = 4_000


class SlackSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    webhook_url: WebAddress


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


async def send(settings: SlackSettings, message: Message, network: SafeNetwork) -> None:
    text = full_text(
        msgspec.structs.replace(
            message, heading=escaped(message.heading), lines=tuple(escaped(line) for line in message.lines)
        ),
        most=_TEXT_MAX,
    )
    body = msgspec.json.encode({"text": text})
    headers = {"Content-Type": "application/json"}
    check(await network.http.post(settings.webhook_url, body=body, headers=headers), "Slack")


KIND = ChannelKind(
    "slack",
    "Slack",
    SlackSettings,
    (
        FormField(
            "webhook_url",
            "Webhook URL",
            "In Slack it begins with https://hooks.slack.com/. Mattermost and Rocket.Chat have such URLs, too.",
            secret=True,
        ),
    ),
    send,
)
