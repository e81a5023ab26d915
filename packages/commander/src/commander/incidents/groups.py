"""The groups of rigs that an incident may have in common, read from the rigs' states."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache

import msgspec

from commander.incidents.domain import InCommon
from commander.incidents.in_common import GroupKind, in_common
from commander.live.rig_state import Health, RigState
from commander.live.rigs import Lives
from commander.registry.kinds import RigKind

Groups = Callable[[RigState], Iterable[str]]


class _Miner(msgspec.Struct, gc=False):
    software: str = ""
    version: str | None = None


class _Miners(msgspec.Struct, gc=False):
    miners: list[_Miner] = []


_decoder = msgspec.json.Decoder(_Miners)


def _networks(state: RigState) -> Iterable[str]:
    address = state.summary.mining.ip
    parts = address.split(".") if address else []
    return (f"{'.'.join(parts[:3])}.0/24",) if len(parts) == 4 else ()


def _coins(state: RigState) -> Iterable[str]:
    return [coin for work in state.summary.hashrates_hs if (coin := work.named.coin) is not None]


def _versions(state: RigState) -> Iterable[str]:
    if state.latest is None:
        return ()
    return [f"{each.software} {each.version}" for each in _decoder.decode(state.latest).miners if each.version]


def _revisions(state: RigState) -> Iterable[str]:
    return [f"{each.wire.name}, revision {each.wire.revision}" for each in state.playbooks]


KINDS: Mapping[str, Groups] = {
    "tag": lambda state: state.tags,
    "network": _networks,
    "pool": lambda state: state.summary.mining.pools,
    "coin": _coins,
    "mining software": lambda state: state.summary.mining.software,
    "mining software version": _versions,
    "playbook": _revisions,
    "GPU": lambda state: state.hardware.gpus,
    "driver": lambda state: state.hardware.drivers,
    "model": lambda state: state.hardware.models,
    "sentry version": lambda state: state.hardware.sentries,
}


async def group_of(lives: Lives, failing: Iterable[tuple[str, int]], sites: Mapping[int, str]) -> InCommon | None:
    """Returns what failing rigs have in common. Rigs that have never reported do not count.

    `sites` are the names of the sites of ASICs, by the ASIC's id: each site has a sentry.
    """
    states = [
        (kind, state)
        for kind, live in lives.items()
        for state in live.index.rigs.values()
        if state.health is not Health.WAITING
    ]
    return await asyncio.to_thread(
        _group_of, states, set(failing), sites
    )  # ten thousand rigs take a quarter of a second


def _group_of(
    states: Sequence[tuple[RigKind, RigState]], failing: set[tuple[str, int]], sites: Mapping[int, str]
) -> InCommon | None:
    numbers = {(str(kind), state.id): number for number, (kind, state) in enumerate(states)}
    bad = [numbers[key] for key in failing if key in numbers]

    def kind_of(name: str, groups: Groups) -> GroupKind:
        @cache
        def of(number: int) -> tuple[str, ...]:
            return tuple(groups(states[number][1]))

        return GroupKind(name, of)

    def site_of(number: int) -> tuple[str, ...]:
        kind, state = states[number]
        return (sites[state.id],) if kind is RigKind.ASIC and state.id in sites else ()

    kinds = [kind_of(name, groups) for name, groups in KINDS.items()]
    kinds += [GroupKind("ASIC sentry of the site", site_of)]
    kinds += [GroupKind("kind", lambda number: (_label(states[number][0]),))]
    return in_common(range(len(states)), bad, kinds)


def _label(kind: RigKind) -> str:
    return "ASIC" if kind is RigKind.ASIC else "CPU/GPU rig"
