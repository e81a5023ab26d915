"""Is one token used by two sentries? Each start of a sentry has a run id, which it sends with every report."""

from dataclasses import dataclass, field

RUNS_REMEMBERED = 8
SEEN_FOR_S = 300


@dataclass(slots=True)
class _Runs:
    current: str
    earlier: dict[str, None] = field(default_factory=dict)
    two_until_s: float = 0.0


class SentryRuns:
    """A new run is a restart. One that was followed by another and comes back means that two are running."""

    def __init__(self) -> None:
        self._rigs: dict[int, _Runs] = {}

    def two_sentries(self, rig_id: int, run: str | None, now_s: float) -> bool:
        """Whether another sentry reports for the same rig, as of this report at `now_s` (monotonic seconds)."""
        if not run:
            return False
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
