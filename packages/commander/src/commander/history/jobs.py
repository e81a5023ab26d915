"""The jobs of history: samples of the farm, roll-up, retention, and the dictionaries that logs are packed with."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from commander.db import Database
from commander.history.retention import Kept, drop_old, forget_removed
from commander.history.roll_up import roll_up
from commander.history.sampling import take_sample
from commander.jobs.loop import Job
from commander.live.operational_index import OperationalIndex
from commander.raw_logs.codec import Packer
from commander.raw_logs.dictionary_training import make_if_it_pays
from commander.registry.kinds import RigKind

AT_A_TIME = timedelta(seconds=20)  # then the other jobs may work; twice a minute is often enough for a sample of each


def history_jobs(
    database: Database, kept: Kept, indexes: Mapping[RigKind, OperationalIndex], packer: Packer
) -> dict[str, Job]:
    async def sample_farm(now: datetime) -> None:
        for kind, index in indexes.items():
            await take_sample(database, kind, index, now)

    async def roll(now: datetime) -> None:
        await roll_up(database, now=now, at_most=AT_A_TIME)

    async def drop(now: datetime) -> None:
        await drop_old(database, kept, now=now)

    async def forget(_now: datetime) -> None:
        await forget_removed(database)

    async def make_dictionaries(now: datetime) -> None:
        await make_if_it_pays(database, packer, now=now)

    return {
        "sample-farm": Job(timedelta(seconds=30), sample_farm),
        "roll-up": Job(timedelta(seconds=30), roll),
        "drop-old-history": Job(timedelta(minutes=10), drop),
        "make-dictionaries": Job(timedelta(minutes=10), make_dictionaries),
        "forget-removed-rigs": Job(timedelta(minutes=1), forget),
    }
