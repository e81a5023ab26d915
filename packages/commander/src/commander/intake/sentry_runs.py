"""Is one token used by two sentries? Each start of a sentry has a run id, which it sends with every report."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from commander.live.cluster import RUNS, Cluster, RunKey
from commander.live.rigs import Lives
from commander.registry.kinds import RigKind

RUNS_REMEMBERED = 8
RUN_LENGTH = 64  # a sentry's id is never longer
SEEN_FOR_S = 300


@dataclass(slots=True)
class _Runs:
    current: str
    earlier: dict[str, None] = field(default_factory=dict)
    two_until_s: float = 0.0


class SentryRuns:
    """A new run is a restart. One that was followed by another and comes back means that two are running.

    `on_new` is called with rig and run when another run reports than before, so that other nodes `learn` of it.
    """

    def __init__(self, on_new: Callable[[int, str], None] = lambda rig_id, run: None) -> None:
        self._on_new = on_new
        self._rigs: dict[int, _Runs] = {}

    def two_sentries(self, rig_id: int, run: str | None, now_s: float) -> bool:
        """Returns whether another sentry reports for the same rig, as of this report at `now_s` (monotonic seconds)."""
        if not run or len(run) > RUN_LENGTH:
            return False
        if rig_id not in self._rigs or run != self._rigs[rig_id].current:
            self._on_new(rig_id, run)
        return self.learn(rig_id, run, now_s)

    def learn(self, rig_id: int, run: str, now_s: float) -> bool:
        """The same for a report that came to another node."""
        runs = self._rigs.setdefault(rig_id, _Runs(run))
        if run != runs.current:
            if run in runs.earlier:
                runs.two_until_s = now_s + SEEN_FOR_S
                del runs.earlier[run]
            runs.earlier[runs.current] = None
            runs.current = run
            if len(runs.earlier) > RUNS_REMEMBERED:
                del runs.earlier[next(iter(runs.earlier))]
        return now_s < runs.two_until_s

    def forget(self, rig_id: int) -> None:
        self._rigs.pop(rig_id, None)


def shared_runs(lives: Lives, cluster: Cluster) -> dict[RigKind, SentryRuns]:
    """Returns the runs of both kinds of rig, which all web nodes learn of."""

    def publish(kind: RigKind, rig_id: int, run: str) -> None:
        cluster.publish(RUNS, RunKey(kind, rig_id, run))

    def learn(key: RunKey) -> None:
        has_two = runs[key.kind].learn(key.rig_id, key.run, time.monotonic())
        lives[key.kind].index.set_two_sentries(key.rig_id, has_two, at=datetime.now(UTC))

    runs = {kind: SentryRuns(partial(publish, kind)) for kind in RigKind}
    cluster.subscribe(RUNS, learn)
    return runs
