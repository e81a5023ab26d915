"""How a rig reads as JSON, for scripts and channels."""

from datetime import datetime

import msgspec
from protocol.messages import CpuGpuLog, CpuGpuSpecs

from commander.live.operational_index import Health, RigState


class RigFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of every rig."""

    id: int
    name: str
    health: Health
    heard_at: datetime | None
    two_sentries: bool
    wrong_clock: bool


class RigAnswer(RigFacts, frozen=True, kw_only=True):
    """`specs` and `latest` are the messages of its sentry; null while it has not sent any."""

    specs: CpuGpuSpecs | None
    latest: CpuGpuLog | None


_specs = msgspec.json.Decoder(CpuGpuSpecs)
_log = msgspec.json.Decoder(CpuGpuLog)


def rig_answer(state: RigState) -> RigAnswer:
    return RigAnswer(
        id=state.id,
        name=state.name,
        health=state.health,
        heard_at=state.heard_at,
        two_sentries=state.two_sentries,
        wrong_clock=state.wrong_clock,
        specs=None if state.specs is None else _specs.decode(state.specs),
        latest=None if state.latest is None else _log.decode(state.latest),
    )


def rig_json(state: RigState) -> bytes:
    return msgspec.json.encode(rig_answer(state))


def log_json(log: bytes) -> bytes:
    """A log with every field that this version knows, from its JSON as it came."""
    return msgspec.json.encode(_log.decode(log))
