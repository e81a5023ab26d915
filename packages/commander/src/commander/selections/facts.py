"""Looks up in a rig's state what the keys of selections are about."""

from collections.abc import Callable, Mapping

from commander.live.rig_state import RigState
from commander.readings.summary import Work
from commander.registry.names import name_key
from commander.selections.domain import Key

Texts = tuple[str, ...]


def _coins(state: RigState) -> Texts:
    return tuple([coin for work in state.summary.hashrates_hs if (coin := work.named.coin) is not None])


def _algorithms(state: RigState) -> Texts:
    return tuple([work.named.algorithm for work in state.summary.hashrates_hs])


def _playbooks(state: RigState) -> Texts:
    return tuple([playbook.wire.name for playbook in state.playbooks])


def _addresses(state: RigState) -> Texts:
    address = state.summary.mining.ip
    return () if address is None else (address,)


def _incidents(state: RigState) -> Texts:
    """Returns the names of the rules that a rig breaks now, and the words in which pages show that."""
    broken = [name for fault in state.faults for name in (fault.rule, fault.text)]
    broken += [each.rule for each in state.conditions]
    if state.two_sentries:
        broken.append("two_sentries")
    if state.wrong_clock:
        broken.append("clock")
    return tuple(broken)


def search_text(state: RigState) -> str:
    """Returns all texts by which a word without a key finds a rig, folded, each in a line of its own."""
    if state.search_text is None:
        mining = state.summary.mining
        mined = [text for work in state.summary.hashrates_hs for text in _names(work)]
        texts = (state.name, *state.tags, *state.hardware.texts, *mined)
        lines = (*texts, *_addresses(state), *mining.pools, *mining.workers)
        state.search_text = name_key("\n".join(lines))
    return state.search_text


def _names(work: Work) -> Texts:
    """Returns the coin as the rig writes it and as totals do."""
    coin, named = work.coin, work.named.coin
    if coin is None or named is None:
        return ()
    return (coin,) if coin == named else (coin, named)


def _hashrate(state: RigState) -> float | None:
    """Returns the largest of a rig's hashrates, by which the index page sorts too."""
    return max((value for value in state.summary.hashrates_hs.values() if value is not None), default=None)


def fan_percent(state: RigState) -> float | None:
    return state.summary.fan_percent


TEXTS: Mapping[Key, Callable[[RigState], Texts]] = {
    Key.NAME: lambda state: (state.name,),
    Key.TAG: lambda state: state.tags,
    Key.HEALTH: lambda state: (state.health,),
    Key.COIN: _coins,
    Key.ALGORITHM: _algorithms,
    Key.SOFTWARE: lambda state: state.summary.mining.software,
    Key.PLAYBOOK: _playbooks,
    Key.GPU: lambda state: state.hardware.gpus,
    Key.MODEL: lambda state: state.hardware.models,
    Key.FIRMWARE: lambda state: state.hardware.firmware,
    Key.IP: _addresses,
    Key.SENTRY: lambda state: state.hardware.sentries,
    Key.DRIVER: lambda state: state.hardware.drivers,
    Key.INCIDENT: _incidents,
    Key.APPROVED: lambda state: ("yes" if state.approved else "no",),
}
FIGURES: Mapping[Key, Callable[[RigState], float | None]] = {
    Key.HASHRATE: _hashrate,
    Key.TEMPERATURE: lambda state: state.summary.temperature_c,
    Key.MEMORY_TEMPERATURE: lambda state: state.summary.memory_temperature_c,
    Key.POWER: lambda state: state.summary.power_w,
    Key.FAN: lambda state: state.summary.fan_rpm,
    Key.REJECTED: lambda state: state.summary.rejected_percent,
    Key.UPTIME: lambda state: state.summary.uptime_s,
}
