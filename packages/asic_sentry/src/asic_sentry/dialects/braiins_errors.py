"""Errors of Braiins OS, as its own page shows them.

The REST API lists all errors since the last reset with their times, also those of earlier days, and does not say which
are over. Those without a code are messages, such as "Failed to resolve" or "No pool is known yet", and no faults.
GraphQL lists what is open now (`appeals`): an empty list in all recordings, so only its types are asked for.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sentry_kit.parsing import text

from asic_sentry.dialects.braiins import MAKE
from asic_sentry.dialects.parsing import Row, limited_faults, objects, part
from asic_sentry.dialects.web import mapping_of
from asic_sentry.failures import bad_response

_COUNTS_FOR = timedelta(hours=1)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def errors_of(reply: bytes, uptime_s: int | None, now: datetime) -> list[str]:
    """Returns the errors with codes of the last hour and since the mining program's start."""
    if not reply:
        return []
    uptime = _COUNTS_FOR if uptime_s is None else timedelta(seconds=min(uptime_s, _COUNTS_FOR.total_seconds()))
    errors = objects(mapping_of(MAKE, reply, "errors")["errors"])
    return limited_faults(words for each in errors if _is_of_last(uptime, each, now) for words in _words(each))


def _is_of_last(time: timedelta, error: Row, now: datetime) -> bool:
    """Returns whether the error happened within this time. A clock that was not set yet says 2015."""
    try:
        happened_at = datetime.fromisoformat(error.get("timestamp", ""))
    except (TypeError, ValueError):
        return False
    if happened_at.tzinfo is None:
        happened_at = happened_at.replace(tzinfo=UTC)
    return -_COUNTS_FOR <= now - happened_at <= time


def _words(error: Row) -> Iterator[str]:
    """Yields "V2 Overcurrent protection triggered or short circuit" for each code."""
    for each in objects(error.get("error_codes")):
        if words := f"{text(each.get('code')) or ''} {text(each.get('reason')) or ''}".strip():
            yield words


def appeals_of(reply: bytes) -> list[str]:
    """Returns the open appeals, such as "fan failure" for the type FanFailureAppeal."""
    answer = mapping_of(MAKE, reply) if reply else {}
    if reply and not answer.keys() & {"data", "errors"}:  # errors: this version does not know the question
        raise bad_response(f"The answer is not that of {MAKE}: it has no data.")
    appeals = part(part(answer, "data"), "events").get("appeals")
    types = [text(each.get("__typename")) for each in objects(appeals)]
    return limited_faults(_plain(each) for each in types if each)


def _plain(name: str) -> str:
    words = [word.lower() for word in _WORD.findall(name.removesuffix("Appeal"))]
    return " ".join(words) or name
