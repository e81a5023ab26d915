"""The position up to which each playbook's output has been sent.

It is kept beside the output, so that a restart does not send everything again.
"""

import contextlib
import logging
from pathlib import Path

import msgspec
from protocol.playbook_messages import OutputLines

from cpu_gpu_sentry.playbooks import folders as disk
from cpu_gpu_sentry.playbooks.output import Batch, OutputPlace, read_lines
from cpu_gpu_sentry.playbooks.supervisor import Supervisor

log = logging.getLogger(__name__)

_FILE = "told.json"  # the name since version 0.1
_AT_ONCE = 8  # playbooks in one report: together they stay well below what a body may have


class UnsentOutput:
    """Reads lines that have not been sent yet."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._places: dict[str, OutputPlace | None] = {}
        self._pending: dict[str, Batch] = {}

    async def next_lines(self) -> list[OutputLines]:
        names = [name for name in self._supervisor.run_states if disk.is_plain_id(name)]
        if not names:
            return []
        try:
            self._pending = await self._supervisor.read_output(lambda: self._read(names))
        except (OSError, TimeoutError) as error:
            log.warning("output_unreadable %s", error)
            return []
        return [
            OutputLines(playbook_id=name, run=batch.run, first_line=batch.first_line, lines=batch.lines)
            for name, batch in self._pending.items()
        ]

    async def confirm(self) -> None:
        batches, self._pending = self._pending, {}
        with contextlib.suppress(TimeoutError):
            await self._supervisor.read_output(lambda: self._keep(batches))

    def _read(self, names: list[str]) -> dict[str, Batch]:
        self._places = {name: self._places.get(name) or self._load(name) for name in names}
        batches = ((name, read_lines(self._folder(name) / "output", self._places[name])) for name in names)
        with_lines = {name: batch for name, batch in batches if batch is not None}
        return dict(list(with_lines.items())[:_AT_ONCE])

    def _keep(self, batches: dict[str, Batch]) -> None:
        """Stores the positions without waiting for the disk.

        After a loss of power some lines are sent twice; the commander knows them by their numbers.
        """
        for name, batch in batches.items():
            self._places[name] = batch.then
            with contextlib.suppress(OSError):
                (self._folder(name) / _FILE).write_bytes(msgspec.json.encode(batch.then))

    def _load(self, name: str) -> OutputPlace | None:
        try:
            return msgspec.json.decode((self._folder(name) / _FILE).read_bytes(), type=OutputPlace)
        except (OSError, msgspec.DecodeError):
            return None

    def _folder(self, name: str) -> Path:
        return self._supervisor.folders.of(name)
