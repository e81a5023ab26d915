"""The kernel's log of this boot, by /dev/kmsg (https://www.kernel.org/doc/Documentation/ABI/testing/dev-kmsg).

A record is `priority,sequence,microseconds,flags;text`, with further lines that begin with a blank. Each read returns
one record; EPIPE means that records were overwritten, and the next read goes on with the oldest that is left.
"""

import errno
import os
from collections import deque
from dataclasses import dataclass
from pathlib import Path

KMSG = Path("/dev/kmsg")
_RECORD_BYTES = 8192
_MOST_RECORDS = 100_000  # of one look: the kernel's ring has a few thousand
_KEPT_LINES = 2000


@dataclass(frozen=True, slots=True)
class KernelLine:
    """One record: `at_s` counts from the boot."""

    at_s: float
    text: str


class KernelLog:
    """Reads what is new at each call; the first call reads everything since the boot that is still there."""

    def __init__(self, path: Path = KMSG) -> None:
        self._path = path
        self._file: int | None = None
        self.lines: deque[KernelLine] = deque(maxlen=_KEPT_LINES)

    def read_new(self) -> list[KernelLine] | None:
        """Returns the new lines; None if the log can't be read: it needs root, or there is none."""
        try:
            if self._file is None:
                self._file = os.open(self._path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
            records = b"\n".join(self._records(self._file)).splitlines()
            new = [line for record in records if (line := parse_record(record)) is not None]
        except OSError:
            self.close()
            return None
        self.lines.extend(new)
        return new

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    @staticmethod
    def _records(file: int) -> list[bytes]:
        records: list[bytes] = []
        while len(records) < _MOST_RECORDS:
            try:
                record = os.read(file, _RECORD_BYTES)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno == errno.EPIPE:
                    continue
                raise
            if not record:
                break
            records.append(record)
        return records


def parse_record(record: bytes) -> KernelLine | None:
    """Returns a record's first line; None for anything else, such as its further lines."""
    head, separator, text = record.partition(b"\n")[0].decode("utf-8", "replace").partition(";")
    fields = head.split(",")
    if not separator or len(fields) < 3 or not fields[2].isdigit():
        return None
    return KernelLine(int(fields[2]) / 1e6, text[:2000])
