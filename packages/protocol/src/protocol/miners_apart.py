"""Distinguishes the miners of one log."""

import re
from collections import Counter

import msgspec

from protocol.messages import MinerReading

_UNPLACED = re.compile(r"gpu\d+", re.ASCII)


def source_names(miners: list[MinerReading]) -> list[str]:
    """Returns a unique name for each miner: its playbook, or its software.

    The port of its API is added if several miners of one software are watched.
    """
    if len(miners) == 1:
        return [miners[0].playbook_id or miners[0].software]
    alike = Counter(each.software for each in miners if each.playbook_id is None)
    seen: Counter[str] = Counter()
    names = []
    for miner in miners:
        has_port = miner.api_port is not None and alike[miner.software] > 1
        name = miner.playbook_id or (f"{miner.software}:{miner.api_port}" if has_port else miner.software)
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return names


def with_own_cards(miners: list[MinerReading]) -> list[MinerReading]:
    """Returns the miners with unique names of cards: "gpu0" of two programs may be different cards."""
    if len(miners) < 2:
        return miners
    unplaced = [{each.device for each in miner.devices if _UNPLACED.fullmatch(each.device)} for miner in miners]
    if not any(unplaced):
        return miners
    named = Counter(name for names in unplaced for name in names)
    software = Counter(miner.software for miner in miners)
    return [
        _renamed(miner, {name for name in cards if named[name] > 1 or software[miner.software] > 1}, source)
        for miner, cards, source in zip(miners, unplaced, source_names(miners), strict=True)
    ]


def _renamed(miner: MinerReading, cards: set[str], source: str) -> MinerReading:
    if not cards:
        return miner
    name = f"playbook {source}" if miner.playbook_id else source
    devices = [
        msgspec.structs.replace(each, device=f"{each.device} of {name}"[:64]) if each.device in cards else each
        for each in miner.devices
    ]
    return msgspec.structs.replace(miner, devices=devices)
