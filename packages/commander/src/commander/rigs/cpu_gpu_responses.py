"""A CPU/GPU rig as JSON, for scripts and channels."""

from datetime import datetime

import msgspec
from protocol.messages import CpuGpuLog, CpuGpuSpecs
from protocol.playbook_messages import PlaybookState
from protocol.reading import Reader

from commander.live.playbooks import PlaybookNow
from commander.live.rig_state import Health, RigState
from commander.live.trouble import RigTrouble, trouble_of


class PlaybookBrief(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one of the rig's playbooks; `state` is null until its sentry has reported it."""

    id: int
    name: str
    revision: int
    paused: bool
    state: PlaybookState | None
    percent: float | None
    reason: str | None


class RigFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Fields of every rig. `trouble` is the worst thing that is wrong now; `faults` are all faults, for people.

    A rig that is not `approved` reports, and gets no playbooks and no commands.
    """

    id: int
    name: str
    tags: list[str]
    approved: bool
    health: Health
    heard_at: datetime | None
    two_sentries: bool
    wrong_clock: bool
    trouble: RigTrouble | None
    faults: list[str]


class RigAnswer(RigFacts, frozen=True, kw_only=True):
    """`specs` and `latest` are the messages of its sentry; null while it has not sent any."""

    specs: CpuGpuSpecs | None
    latest: CpuGpuLog | None
    playbooks: list[PlaybookBrief]


_specs = Reader(CpuGpuSpecs)
_log = Reader(CpuGpuLog)


def rig_answer(state: RigState) -> RigAnswer:
    return RigAnswer(
        id=state.id,
        name=state.name,
        tags=list(state.tags),
        approved=state.approved,
        health=state.health,
        heard_at=state.reported_at,
        two_sentries=state.two_sentries,
        wrong_clock=state.wrong_clock,
        trouble=trouble_of(state),
        faults=[fault.text for fault in state.faults],
        specs=None if state.specs is None else _specs.decode(state.specs),
        latest=None if state.latest is None else _log.decode(state.latest),
        playbooks=[_brief(each) for each in state.playbooks],
    )


def _brief(playbook: PlaybookNow) -> PlaybookBrief:
    status = playbook.status
    return PlaybookBrief(
        id=playbook.id,
        name=playbook.wire.name,
        revision=playbook.wire.revision,
        paused=playbook.wire.paused,
        state=status.state if status else None,
        percent=status.percent if status else None,
        reason=status.reason if status else None,
    )


def rig_json(state: RigState) -> bytes:
    return msgspec.json.encode(rig_answer(state))


def log_json(log: bytes) -> bytes:
    """A log with every field that this version knows, from its JSON as it came."""
    return msgspec.json.encode(_log.decode(log))
