"""The destination of logs: the database by a group commit, or the queue."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from commander.intake.writers import Written
from commander.raw_logs.store import NewLog
from commander.web.exposition import Metric


class LogSink(Protocol):
    async def write(self, logs: Sequence[NewLog]) -> Written:
        """Keep the logs for good; for each: True kept, False was there before, None its rig is gone.

        Raises `Overloaded` or `StorageAway`; then nothing may be taken for kept.
        """

    def metrics(self) -> Iterable[Metric]: ...
