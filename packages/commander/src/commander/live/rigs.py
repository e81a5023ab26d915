"""The live side of one kind of rig: its operational index, its channels and its pages' frames, kept in step."""

from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec
from protocol.messages import RigName

from commander.live.channels import ChannelEvent, Channels
from commander.live.frames import Frames
from commander.live.operational_index import OperationalIndex
from commander.live.responses import IndexStatsAnswer, figures_answer, stats_answer
from commander.live.rig_state import Health, RigState
from commander.live.trends import Trends
from commander.readings.summary import RigSummary
from commander.registry.kinds import RigKind
from commander.registry.names import RigNotFound

STATS_EVERY_S = 1.0


class LiveRigs:
    """The rigs of one kind as of now. All methods that change rigs are called after the commit.

    `describe` and `describe_log` write a rig of this kind and its log as JSON. `notify_nodes` is called with the id of
    each rig that people or its sentry changed here; changes of other nodes come by `follow` and `gone`. `lag_s` returns
    since how many seconds stored logs have not arrived here: a rig's silence counts only up to then.
    """

    def __init__(
        self,
        kind: RigKind,
        index: OperationalIndex,
        channels: Channels,
        *,
        describe: Callable[[RigState], bytes],
        describe_log: Callable[[bytes], bytes],
        notify_nodes: Callable[[int], None] = lambda rig_id: None,
        lag_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.kind = kind
        self.index = index
        self.trends = Trends()
        self.frames = Frames(lambda: index.now_at)
        self._channels = channels
        self._describe = describe
        self._describe_log = describe_log
        self._notify_nodes = notify_nodes
        self._lag_s = lag_s
        self._prefix = f"{kind}-mining-rig"
        self._stats_at = 0
        self._stats_due_s = 0.0

    def find(self, rig_id: int) -> RigState:
        """The rig as of now. Raises `RigNotFound`."""
        state = self.index.rigs.get(rig_id)
        if state is None:
            raise RigNotFound("There is no such rig; it may have been removed.")
        return state

    def silence_s(self, state: RigState, now_s: float) -> float:
        """Returns the time since a rig's last report, less what stored logs need to arrive here."""
        return now_s - self._lag_s() - state.reported_s

    def silent(self, now_s: float, limit_s: float) -> list[RigState]:
        """Returns the rigs whose last report came so long ago. Those that have never reported are not among them."""
        newest_s = now_s - self._lag_s() - limit_s
        return [
            state
            for state in self.index.rigs.values()
            if state.reported_s <= newest_s and state.health is not Health.WAITING
        ]

    def name_of(self, rig_id: int) -> RigName | None:
        """Returns the rig's current name; None if it was removed."""
        state = self.index.rigs.get(rig_id)
        return RigName(id=rig_id, name=state.name) if state else None

    def is_approved(self, rig_id: int) -> bool:
        """Returns whether the rig's sentry may have playbooks and commands. A rig that is not known here may not."""
        state = self.index.rigs.get(rig_id)
        return state is not None and state.approved

    def added(
        self, rig_id: int, name: str, added_at: datetime, *, approved: bool = True, tags: tuple[str, ...] = ()
    ) -> None:
        state = self.index.add(rig_id, name, added_at=added_at, approved=approved)
        self.index.set_tags(rig_id, tags)
        self._channels.publish(f"{self._prefix}-index", ChannelEvent.CREATED, self._describe(state))
        self._notify_nodes(rig_id)

    def renamed(self, rig_id: int, name: str) -> None:
        self._rename(rig_id, name)
        self._notify_nodes(rig_id)

    def specs_changed(self, rig_id: int, specs: bytes) -> None:
        self._set_specs(rig_id, specs)
        self._notify_nodes(rig_id)

    def tags_changed(self, rig_id: int, tags: tuple[str, ...]) -> None:
        self._set_tags(rig_id, tags)
        self._notify_nodes(rig_id)

    def approved(self, rig_id: int) -> None:
        self._approve(rig_id)
        self._notify_nodes(rig_id)

    def playbooks_changed(self, rig_id: int) -> None:
        """Publishes a change of the rig's playbooks or of their state."""
        self.index.touch(rig_id)
        self._publish_rig(rig_id, ChannelEvent.UPDATED, index_too=False)

    def removed(self, rig_id: int) -> None:
        self.gone(rig_id)
        self._notify_nodes(rig_id)

    def follow(
        self,
        rig_id: int,
        name: str,
        specs: bytes | None,
        *,
        added_at: datetime,
        tags: tuple[str, ...] = (),
        approved: bool = True,
    ) -> None:
        """Takes over a rig from the database, after a change on another node."""
        state = self.index.rigs.get(rig_id)
        if state is None:
            state = self.index.add(rig_id, name, specs, added_at=added_at, approved=approved)
            self._channels.publish(f"{self._prefix}-index", ChannelEvent.CREATED, self._describe(state))
        if state.name != name:
            self._rename(rig_id, name)
        if specs is not None and state.specs != specs:
            self._set_specs(rig_id, specs)
        if state.tags != tags:
            self._set_tags(rig_id, tags)
        if approved:
            self._approve(rig_id)

    def gone(self, rig_id: int) -> None:
        """The rig is no longer in the database."""
        self._publish_rig(rig_id, ChannelEvent.DELETED, index_too=True)
        self.index.remove(rig_id)
        self._channels.close(f"{self._prefix}:{rig_id}")
        self._channels.close(f"{self._prefix}-operation-stats:{rig_id}")

    def _rename(self, rig_id: int, name: str) -> None:
        self.index.rename(rig_id, name)
        self._publish_rig(rig_id, ChannelEvent.UPDATED, index_too=True)

    def _set_tags(self, rig_id: int, tags: tuple[str, ...]) -> None:
        self.index.set_tags(rig_id, tags)
        channels = (f"{self._prefix}:{rig_id}", f"{self._prefix}-index")
        if any(self._channels.has_listeners(channel) for channel in channels):  # a thousand rigs may get a tag at once
            self._publish_rig(rig_id, ChannelEvent.UPDATED, index_too=True)

    def _approve(self, rig_id: int) -> None:
        if not self.is_approved(rig_id):
            self.index.approve(rig_id)
            self._publish_rig(rig_id, ChannelEvent.UPDATED, index_too=True)

    def _set_specs(self, rig_id: int, specs: bytes) -> None:
        self.index.set_specs(rig_id, specs)
        self._publish_rig(rig_id, ChannelEvent.UPDATED, index_too=False)

    def logged(
        self,
        rig_id: int,
        log: bytes,
        summary: RigSummary,
        *,
        taken_at: datetime,
        reported_at: datetime,
        now_s: float,
    ) -> None:
        """A log was stored: `log` is its JSON as it came."""
        self.index.report(rig_id, log, summary, taken_at=taken_at, reported_at=reported_at, now_s=now_s)
        channel = f"{self._prefix}-operation-stats:{rig_id}"
        if self._channels.has_listeners(channel):
            self._channels.publish(channel, ChannelEvent.CREATED, self._describe_log(log))

    def tick(self, now_s: float) -> list[RigState]:
        """One turn of the live loop; returns the rigs whose health changed by silence."""
        moved = self.index.check_health(now_s - self._lag_s())
        self.frames.tick(now_s)
        if now_s >= self._stats_due_s:
            self._stats_due_s = now_s + STATS_EVERY_S
            self._publish_stats()
        return moved

    def _publish_stats(self) -> None:
        since, self._stats_at = self._stats_at, self.index.now_at
        channel = f"{self._prefix}-index-operation-stats"
        if since < self.index.now_at and self._channels.has_listeners(channel):
            changed = [figures_answer(state) for state in self.index.rigs.values() if state.changed_at > since]
            answer = IndexStatsAnswer(rigs=changed, totals=stats_answer(self.index))
            self._channels.publish(channel, ChannelEvent.UPDATED, msgspec.json.encode(answer))

    def _publish_rig(self, rig_id: int, event: ChannelEvent, *, index_too: bool) -> None:
        if state := self.index.rigs.get(rig_id):
            data = self._describe(state)
            self._channels.publish(f"{self._prefix}:{rig_id}", event, data)
            if index_too:
                self._channels.publish(f"{self._prefix}-index", event, data)


Lives = Mapping[RigKind, LiveRigs]
