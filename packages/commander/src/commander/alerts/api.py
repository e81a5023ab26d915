"""Notification channels for people's scripts."""

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Controller, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import Body, FromPath
from litestar.types import ControllerRouterHandler
from msgspec import UNSET, Meta, UnsetType

from commander.notifications.channel_actions import ChannelActions, ChannelNow, ChannelOrder
from commander.notifications.domain import Digest, QuietHours, Wishes
from commander.readings.severity import Severity
from commander.selections.domain import LINE_MAX_LENGTH
from commander.web.api_docs import BEARER, problems
from commander.web.names import NAME_SCHEMA

_DAY_S = 86_400
_BOTH = (Severity.WARNING, Severity.CRITICAL)
Severities = Annotated[tuple[Severity, ...], Meta(min_length=1, max_length=2)]


class ChannelBody(msgspec.Struct, frozen=True, kw_only=True):
    """A channel. docs/alerts.md lists the settings of each kind.

    A secret of the settings, or the digest, that is left out when a channel is changed stays as it is. `select`: only
    incidents with one of these rigs; empty: all. `only_after_s`: only incidents that were not acknowledged for so many
    seconds. `quiet` holds messages that are not critical, and sends one summary afterwards.
    """

    name: Annotated[str, Meta(extra_json_schema=NAME_SCHEMA)]
    kind: Annotated[str, Meta(max_length=40)]
    settings: dict[str, object]
    severities: Severities = _BOTH
    select: Annotated[str, Meta(max_length=LINE_MAX_LENGTH)] = ""
    only_after_s: Annotated[int, Meta(ge=0, le=_DAY_S)] = 0
    quiet: QuietHours | None = None
    digest: Digest | UnsetType | None = UNSET
    enabled: bool = True


class ChannelAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A channel without its secrets. `secrets_set` are the names of those that are stored.

    `off_reason`: why the commander has switched the channel off; null: it has not. `waiting` messages are not sent yet,
    and the next of them is tried at `next_attempt_at`.
    """

    id: int
    name: str
    kind: str
    settings: dict[str, object]
    secrets_set: list[str]
    severities: tuple[Severity, ...]
    select: str
    only_after_s: int
    quiet: QuietHours | None
    digest: Digest | None
    enabled: bool
    off_reason: str | None
    last_error: str | None
    last_error_at: datetime | None
    last_sent_at: datetime | None
    waiting: int
    next_attempt_at: datetime | None


class ChannelsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    channels: list[ChannelAnswer]


class ChannelTestAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a test: sent, or the error."""

    sent: bool
    error: str | None


class NotificationChannelsApi(Controller):
    """Channels by which the commander sends messages about incidents."""

    path = "/api/v1/notification-channels"
    tags = ("alerts",)
    security = BEARER

    @get(responses=problems(401))
    async def list_channels(self, channel_actions: NamedDependency[ChannelActions]) -> ChannelsAnswer:
        """All channels, oldest first."""
        return ChannelsAnswer(channels=[channel_answer(each) for each in await channel_actions.channels()])

    @post(responses=problems(400, 401, 409, 413, 415, 422))
    async def add_channel(
        self, data: Annotated[ChannelBody, Body()], channel_actions: NamedDependency[ChannelActions]
    ) -> ChannelAnswer:
        """Add a channel. Send a test to see whether it works."""
        return channel_answer(await channel_actions.add(_order(data, None)))

    @put("/{channel_id:int}", responses=problems(400, 401, 404, 409, 413, 415, 422))
    async def change_channel(
        self,
        channel_id: FromPath[int],
        data: Annotated[ChannelBody, Body()],
        channel_actions: NamedDependency[ChannelActions],
    ) -> ChannelAnswer:
        """Change a channel, or switch it on or off. What waits is tried at once."""
        before = await channel_actions.find(channel_id)
        return channel_answer(await channel_actions.change(channel_id, _order(data, before.channel.wishes.digest)))

    @delete("/{channel_id:int}", responses=problems(400, 401, 404))
    async def remove_channel(self, channel_id: FromPath[int], channel_actions: NamedDependency[ChannelActions]) -> None:
        """Remove a channel and the messages that wait on it."""
        await channel_actions.remove(channel_id)

    @post("/{channel_id:int}/test", status_code=200, responses=problems(400, 401, 404))
    async def test_channel(
        self, channel_id: FromPath[int], channel_actions: NamedDependency[ChannelActions]
    ) -> ChannelTestAnswer:
        """Send a test at once. It may take half a minute if the other side does not answer."""
        error = await channel_actions.test(channel_id)
        return ChannelTestAnswer(sent=not error, error=error or None)


def channel_answer(now: ChannelNow) -> ChannelAnswer:
    channel = now.channel
    return ChannelAnswer(
        id=channel.id,
        name=channel.name,
        kind=channel.kind,
        settings=now.settings,
        secrets_set=now.secrets_set,
        severities=channel.wishes.severities,
        select=channel.wishes.select,
        only_after_s=channel.wishes.only_after_s,
        quiet=channel.wishes.quiet,
        digest=channel.wishes.digest,
        enabled=channel.is_enabled,
        off_reason=channel.off_reason or None,
        last_error=channel.last_error or None,
        last_error_at=channel.last_error_at,
        last_sent_at=channel.last_sent_at,
        waiting=now.waiting,
        next_attempt_at=now.next_attempt_at,
    )


def _order(data: ChannelBody, digest_before: Digest | None) -> ChannelOrder:
    wishes = Wishes(
        severities=data.severities,
        select=data.select,
        only_after_s=data.only_after_s,
        quiet=data.quiet,
        digest=digest_before if data.digest is UNSET else data.digest,
    )
    return ChannelOrder(data.name, data.kind, data.settings, wishes, data.enabled)


HANDLERS: list[ControllerRouterHandler] = [NotificationChannelsApi]
