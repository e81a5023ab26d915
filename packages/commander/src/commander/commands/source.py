"""Commands as other parts of the commander follow them: open pages, scripts on the channel, and sentries' inboxes."""

import hashlib
from collections.abc import Awaitable, Callable, Container

import msgspec
from protocol.command_messages import Commands
from protocol.inbox_messages import InboxItem

from commander.commands import sentries, store, target_store
from commander.commands.batches import Changed
from commander.commands.responses import command_json
from commander.db import Database
from commander.live.channels import ChannelEvent, Channels
from commander.live.cluster import Cluster, Topic
from commander.live.inbox import INBOX, Inbox, inbox_item
from commander.live.source import LiveSource

CHANNEL = "commands"
COMMANDS = Topic("commands", int)  # a command, its targets included
READ_EVERY_S = 5.0


class CommandSource(LiveSource):
    """Pages follow it as any live source; at each tick, scripts on the channel get the commands that have changed."""

    def __init__(
        self, database: Database, channels: Channels, cluster: Cluster, *, each_tick: Callable[[float], Awaitable[None]]
    ) -> None:
        super().__init__("commands", cluster)
        self._each_tick = each_tick
        self._database = database
        self._channels = channels
        self._command_news = cluster
        self._unpublished: set[int] = set()
        self._newest_published = 0
        cluster.subscribe(COMMANDS, self._unpublished.add)

    async def remember(self) -> None:
        """Notes the newest command at the start: later ones are new to the channel."""
        async with self._database.reading() as db:
            self._newest_published = max((each.id for each in await store.newest_commands(db, 1)), default=0)

    def commands_changed(self, command_ids: set[int]) -> None:
        """Call it after each commit that changes commands."""
        self._unpublished |= command_ids
        for command_id in command_ids:
            self._command_news.publish(COMMANDS, command_id)
        self.changed()

    async def tick(self, now_s: float) -> None:
        await self._each_tick(now_s)
        await super().tick(now_s)
        while self._unpublished:
            command_id = min(self._unpublished)
            await self._publish(command_id)
            self._unpublished.discard(command_id)

    async def _publish(self, command_id: int) -> None:
        event = ChannelEvent.CREATED if command_id > self._newest_published else ChannelEvent.UPDATED
        self._newest_published = max(command_id, self._newest_published)
        if not self._channels.has_listeners(CHANNEL):
            return
        async with self._database.reading() as db:
            command = await store.get_command(db, command_id)
            targets = await target_store.targets_of(db, command_id)
        self._channels.publish(CHANNEL, event, command_json(command, targets))


class CommandInbox:
    """The inbox's source of commands. A rig without commands, which is nearly every one, costs no query.

    The rigs with commands are read again every few seconds: another node's news may have been missed.
    """

    def __init__(self, database: Database, inbox: Inbox, cluster: Cluster) -> None:
        self._database = database
        self._inbox = inbox
        self._rig_ids: set[int] = set()
        self._changed: set[int] = set()
        self._read_at_s = float("-inf")
        cluster.subscribe(INBOX, self._note)
        inbox.add(self)

    def has_commands(self, rig_id: int) -> bool:
        """Returns whether the rig has, or has just had, commands for its sentry."""
        return rig_id in self._rig_ids

    def rig_changed(self, rig_id: int) -> None:
        """Call it after each commit that gives a rig's sentry another list of commands."""
        self._note(rig_id)
        self._inbox.notify(rig_id)

    async def item_for(self, rig_id: int) -> InboxItem | None:
        """None for a rig that has had no commands lately. One whose last command was stopped gets an empty list."""
        if rig_id not in self._rig_ids:
            return None
        return item_of(await sentries.commands_for(self._database, rig_id))

    def forget_removed(self, existing: Container[int]) -> bool:
        """Returns whether a rig with commands was removed."""
        removed = {rig_id for rig_id in self._rig_ids if rig_id not in existing}
        self._rig_ids -= removed
        return bool(removed)

    async def read_again(self, now_s: float) -> None:
        """Called at each tick of the live loop."""
        if now_s - self._read_at_s < READ_EVERY_S:
            return
        self._read_at_s, self._changed = now_s, set()
        async with self._database.reading() as db:
            rig_ids = await target_store.rigs_with_released(db)
        missed = rig_ids - self._rig_ids
        self._rig_ids = rig_ids | self._changed  # those may have changed after the reading
        for rig_id in missed:
            self._inbox.wake(rig_id)

    def _note(self, rig_id: int) -> None:
        self._rig_ids.add(rig_id)
        self._changed.add(rig_id)


class CommandNews:
    """A `Notify`: brings what a commit has changed to pages, scripts and sentries."""

    def __init__(self, source: CommandSource, command_inbox: CommandInbox) -> None:
        self._source = source
        self._inbox = command_inbox

    async def __call__(self, changed: Changed) -> None:
        for rig_id in changed.rig_ids:
            self._inbox.rig_changed(rig_id)
        if changed.command_ids:
            self._source.commands_changed(changed.command_ids)


def item_of(commands: Commands) -> InboxItem:
    """The version names the commands, not the seconds that are left to begin them."""
    names = ",".join(each.id for each in commands.commands)
    version = hashlib.blake2b(names.encode(), digest_size=12).hexdigest()
    return inbox_item(Commands.INBOX_KIND, version, msgspec.json.encode(commands))
