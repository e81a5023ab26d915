"""An ASIC as JSON, for scripts and channels."""

import msgspec
from protocol.asic_messages import AsicLog, AsicSpecs
from protocol.reading import Reader

from commander.live.rig_state import RigState
from commander.live.trouble import trouble_of
from commander.rigs.cpu_gpu_responses import RigFacts


class AsicAnswer(RigFacts, frozen=True, kw_only=True):
    """`specs` and `latest` are the messages of its sentry; null while it has not sent any."""

    specs: AsicSpecs | None
    latest: AsicLog | None


_specs = Reader(AsicSpecs)
_log = Reader(AsicLog)


def asic_answer(state: RigState) -> AsicAnswer:
    return AsicAnswer(
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
    )


def asic_json(state: RigState) -> bytes:
    return msgspec.json.encode(asic_answer(state))


def asic_log_json(log: bytes) -> bytes:
    """A log with every field that this version knows, from its JSON as it came."""
    return msgspec.json.encode(_log.decode(log))
