"""The common part of all APIs that descend from cgminer's: commands, the status of an answer, hashrates, pools."""

from collections.abc import Callable, Iterable
from typing import Any

from protocol.asic_messages import AsicPool
from protocol.plain_words import quoted
from sentry_kit.parsing import text

from asic_sentry.dialects.dialect import Question
from asic_sentry.dialects.parsing import Row, Windows, checked, decode, limited_pools, objects, pool_of, pool_state
from asic_sentry.failures import BadReply, FailureKind, bad_response, error_status
from asic_sentry.framing import until_nul

PORT = 4028
_SECONDS = {"5s": 5, "20s": 20, "30s": 30, "1m": 60, "5m": 300, "15m": 900, "30m": 1800}


def command(name: str, *, optional: bool = False) -> Question:
    return Question(name, b'{"command":"%s"}' % name.encode(), until_nul, optional)


_EITHER_WAY = b'{"cmd":"summary","command":"summary"}'  # Whatsminers know `cmd`, all others `command`
PROBE = Question("probe", _EITHER_WAY, until_nul, shown_as="summary")
# An HTTP server at this port answers an error at once to a request that ends in empty lines; else it would wait.
PROBE_AT_OTHER_PORT = Question("probe_line", _EITHER_WAY + b"\r\n\r\n", until_nul, shown_as="summary")


def answer_of(reply: bytes) -> Any:
    """Returns the decoded answer. Raises `BadReply` if its status is an error (E, or F for fatal)."""
    answer = decode(reply)
    if not isinstance(answer, dict):
        raise bad_response(f"The answer is no object: {quoted(reply)}.")
    status = answer.get("STATUS")
    # Whatsminers and some errors carry the status beside the message instead of in a list.
    status_object = status[0] if isinstance(status, list) and status and isinstance(status[0], dict) else answer
    if status_object.get("STATUS") in ("E", "F"):
        raise error_status(str(status_object.get("Msg", "")))
    return answer


def description(reply: bytes) -> str:
    """Returns the name that the program gives itself in an answer, such as "BOSer boser-openwrt 0.1.0-11012d53"."""
    status = answer_of(reply).get("STATUS")
    first = status[0] if isinstance(status, list) and status and isinstance(status[0], dict) else {}
    return text(first.get("Description")) or ""


def recognise_as(make: str, *names: str) -> Callable[[bytes], None]:
    """Returns a function that raises `BadReply` unless the program's name in the answer contains one of `names`."""

    def recognise(reply: bytes) -> None:
        described = checked(make, lambda: description(reply)).lower()
        if not any(name.lower() in described for name in names):
            raise bad_response(f"The program there is not that of {make}.")

    return recognise


def section(reply: bytes, name: str) -> list[Row]:
    """Returns the objects under `name`, such as `SUMMARY`. What is no object in the list is left out."""
    rows = answer_of(reply)[name]
    if not isinstance(rows, list):
        raise bad_response(f"{name} is no list.")
    return objects(rows)


def optional_section(reply: bytes, name: str) -> list[Row]:
    """Returns the objects under `name`; an empty list if the firmware does not know the command."""
    if not reply:
        return []
    try:
        return section(reply, name)
    except BadReply as error:
        if error.kind is FailureKind.ERROR_STATUS:
            return []
        raise


def windows(prefix: str, *names: str) -> Windows:
    """Returns the keys of hashrates, such as `MHS 5s`, with their windows in s. `prefix`: `GHS` or `MHS`."""
    return tuple((f"{prefix} {name}", _SECONDS[name]) for name in names)


def dead_boards(rows: Iterable[Row], key: str = "Status") -> list[str]:
    """Returns the fault "board" if one of `devs` has a status that is not `Alive`."""
    return ["board"] if any((text(each.get(key)) or "Alive").lower() != "alive" for each in rows) else []


def pools_of(reply: bytes) -> list[AsicPool]:
    return limited_pools(_pool(each) for each in section(reply, "POOLS"))


def _pool(each: Row) -> AsicPool:
    url = "URL" if text(each.get("URL")) else "Stratum URL"
    state = pool_state(is_alive(each.get("Status")), each.get("Stratum Active"))
    return pool_of(each, state, url=url, user="User", accepted="Accepted", rejected="Rejected", stale="Stale")


def is_alive(status: object) -> bool | None:
    """Returns whether a pool's status is "Alive"; None if it is no text."""
    return status.lower() == "alive" if isinstance(status, str) else None
