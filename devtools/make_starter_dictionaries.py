"""Writes the dictionaries by which a new farm's logs are packed, made of logs of a simulated farm.

The same libraries write the same bytes each time. Run it when the messages of the sentries have new fields.
"""

import argparse
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from commander.raw_logs.dictionary_training import made_from
from commander.raw_logs.starter import FOLDER, file_of
from commander.registry.kinds import RigKind
from protocol.asic_messages import AsicLog
from protocol.messages import CpuGpuLog
from simulated_asics import simulated_asic
from simulated_rig import simulated_rig

SEED, MACHINES, LOGS_OF_EACH = 11, 150, 12
START = datetime(2026, 11, 1, tzinfo=UTC)
Logs = Iterator[CpuGpuLog | AsicLog | None]


def samples(kind: RigKind, seed: int = SEED, machines: int = MACHINES) -> list[bytes]:
    """Logs of many machines at different times of the day, as JSON, mixed."""
    made = [
        msgspec.json.encode(log) for log in (_asic_logs if kind is RigKind.ASIC else _rig_logs)(seed, machines) if log
    ]
    random.Random(seed).shuffle(made)
    return made


def _rig_logs(seed: int, machines: int) -> Logs:
    for number in range(machines):
        rig = simulated_rig(number, seed=seed, trouble_chance=0.02)
        yield from (rig.log(at) for at in _moments(number))


def _asic_logs(seed: int, machines: int) -> Logs:
    for number in range(machines):
        asic = simulated_asic(number, seed=seed, trouble_chance=0.02)
        yield from (asic.log(at) for at in _moments(number))


def _moments(number: int) -> Iterator[datetime]:
    start = START + timedelta(minutes=37 * number)
    return (start + timedelta(minutes=7 * place, seconds=0.1 * number) for place in range(LOGS_OF_EACH))


def write(folder: Path = FOLDER) -> None:
    for kind in RigKind:
        dictionary = made_from(samples(kind))
        (folder / file_of(kind)).write_bytes(dictionary.as_bytes())
        print(f"{file_of(kind)}: number {dictionary.dict_id()}, {len(dictionary):,} bytes")


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    write()
