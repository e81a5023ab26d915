"""All kinds of channels, in the order of the form."""

from commander.notifications.kinds import apprise, discord, email, ntfy, pushover, slack, telegram, webhook
from commander.notifications.kinds.kind import ChannelKind

KINDS: dict[str, ChannelKind] = {
    each.KIND.name: each.KIND for each in (telegram, email, discord, slack, ntfy, pushover, webhook, apprise)
}
