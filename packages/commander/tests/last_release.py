"""The requests of the last release's sentries and the answers of its commander, recorded from real programs.

Tokens, times and addresses were replaced. Tests of the commander send the requests; tests of the sentries get the
answers.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

FOLDER = Path(__file__).parents[3] / "tests" / "last_release"


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """One request and its answer. `token` is the kind of token that the request has, empty for none."""

    name: str
    token: str
    method: str
    path: str
    status: int
    headers: dict[str, str] = {}
    body: dict[str, Any] | None = None
    answer_headers: dict[str, str] = {}
    answer: dict[str, Any] | None = None


def exchanges(file: str) -> list[Exchange]:
    """In the order in which they were recorded."""
    return msgspec.json.decode((FOLDER / f"{file}.json").read_bytes(), type=list[Exchange])


def filled(value: Any, **values: str) -> Any:
    """Returns a recorded body with a time and these values in place of `{now}` and `{name}`."""
    text = msgspec.json.encode(value).decode()
    for name, each in {"now": datetime.now(UTC).isoformat(), **values}.items():
        text = text.replace(f"{{{name}}}", each)
    return msgspec.json.decode(text)


def missing(recorded: Any, now: Any, where: str = "") -> list[str]:
    """Returns the places of a recorded answer that an answer of today lacks, or has of another type."""
    if recorded is None:
        return []
    if isinstance(recorded, dict) and isinstance(now, dict):
        return [each for key, value in recorded.items() for each in missing(value, now.get(key), f"{where}.{key}")]
    if isinstance(recorded, list) and isinstance(now, list):
        pairs = zip(recorded, now, strict=False)
        places = [each for at, (one, other) in enumerate(pairs) for each in missing(one, other, f"{where}[{at}]")]
        return places + ([f"{where}: {len(now)} in place of {len(recorded)}"] if len(now) < len(recorded) else [])
    is_number = isinstance(recorded, int | float) and isinstance(now, int | float)
    return [] if is_number or type(recorded) is type(now) else [f"{where}: {now!r} in place of {recorded!r}"]
