"""The shipped dictionaries, by which a farm's logs are packed until it has dictionaries of its own.

`devtools/make_starter_dictionaries.py` makes them.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import zstandard

from commander.registry.kinds import RigKind

FOLDER = Path(__file__).parent / "starter"
MADE_AT = datetime(1970, 1, 1, tzinfo=UTC)  # older than any of a farm's own
RATIO = 1.0  # not known: a farm's logs may be unlike those that it was made from


class Starter(NamedTuple):
    number: int
    body: bytes


def file_of(kind: RigKind) -> str:
    return f"{kind}.zstd-dictionary"


def starter_of(kind: RigKind) -> Starter:
    body = (FOLDER / file_of(kind)).read_bytes()
    return Starter(zstandard.ZstdCompressionDict(body, dict_type=zstandard.DICT_TYPE_FULLDICT).dict_id(), body)
