"""`seed_history.py` writes history that the commander's own functions read."""

import argparse
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from commander.db import open_database
from commander.history.query import farm_history, rig_history
from commander.migrations import migrate
from commander.registry.kinds import RigKind
from seed_history import seed_all

pytestmark = pytest.mark.system  # by its cost

NOW = datetime(2026, 3, 2, 12, 34, tzinfo=UTC)


@pytest.mark.parametrize("kind", list(RigKind))
async def test_a_seeded_farm_has_a_past_in_every_tier(tmp_path: Path, kind: RigKind) -> None:
    path = tmp_path / "commander.db"
    migrate(path)
    count = {"rigs": 2, "asics": 0} if kind is RigKind.CPU_GPU else {"rigs": 0, "asics": 2}
    given = argparse.Namespace(**count, days=9, cards=1)
    await seed_all(f"sqlite:///{path}", given, now_s=int(NOW.timestamp()))
    async with open_database(f"sqlite:///{path}") as database, database.reading() as db:
        for days, step_s in ((0.2, 60), (6, 600), (8, 3600)):
            since = NOW - timedelta(days=days)
            points = int(days * 86_400 / step_s) + 1
            rig = await rig_history(db, kind, 2, since=since, until=NOW, points=points)
            farm = await farm_history(db, kind, since=since, until=NOW, points=points)
            for history in (rig, farm):
                assert history.step_s == step_s
                power = next(line for line in history.series if (line.figure, line.device) == ("power_w", None))
                assert sum(value is not None for value in power.mean) > 0.7 * len(history.times)
            alive = next(line for line in farm.series if line.figure == "rigs_alive")
            assert max(value or 0 for value in alive.mean) == 2.0
