"""The answer to a message's request: whether the service took the message, and when to send it again."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from commander.notifications.failures import DeliveryFailure

_SHOWN_CHARACTERS = 200
_FINAL = {401, 403, 404, 410}
_TRY_AGAIN = {408, 425, 429}  # of 400 to 499
_ASKS_TO_WAIT = {429, 503}
_LONGEST_WAIT_S = 24 * 3600.0


class HttpAnswer(NamedTuple):
    """An answer with its body, cut after 256 KiB."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


def check(answer: HttpAnswer, service: str, *, now: datetime | None = None) -> None:
    """Raises `DeliveryFailure` unless the service accepted the message. `service` is its name for people."""
    if answer.is_success:
        return
    if 300 <= answer.status < 400:
        raise DeliveryFailure(f"{service} redirects (status {answer.status}): enter the address that it leads to.")
    text = f"{service} refused the message (status {answer.status})"
    if shown := excerpt(answer.body):
        text += f": {shown}"
    wait_s = retry_after_s(answer, now=now or datetime.now(UTC)) if answer.status in _ASKS_TO_WAIT else None
    is_final = answer.status in _FINAL
    is_refusal = 400 <= answer.status < 500 and not is_final and answer.status not in _TRY_AGAIN
    raise DeliveryFailure(f"{text.rstrip('.')}.", is_final=is_final, is_refusal=is_refusal, retry_after_s=wait_s)


def retry_after_s(answer: HttpAnswer, *, now: datetime) -> float | None:
    """Returns the wait that the header asks for, in seconds, a day at most; None without one. RFC 9110, 10.2.3."""
    text = answer.headers.get("Retry-After", "").strip()
    try:
        wait_s = (
            float(text) if text.replace(".", "", 1).isdigit() else (parsedate_to_datetime(text) - now).total_seconds()
        )
    except (TypeError, ValueError):
        return None
    return max(0.0, min(wait_s, _LONGEST_WAIT_S))


def excerpt(body: bytes) -> str:
    """Returns the beginning of an answer as one line of text."""
    text = " ".join(body[: 4 * _SHOWN_CHARACTERS].decode("utf-8", "replace").split())
    printable = "".join(character for character in text if character.isprintable())
    return printable[:_SHOWN_CHARACTERS]
