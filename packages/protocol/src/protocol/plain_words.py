"""Errors of Python and msgspec about an answer or a message, in plain words for people.

The sentences continue after the name of a field: “port” … “must be a whole number”.
"""

import re

import msgspec

_KINDS = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "datetime": "a time such as 2026-11-20T12:00:00Z",
    "bytes": "a text in base64",
    "null": "null",
}
_UNITS = {"str": "characters", "array": "elements", "object": "fields"}
_EXPECTED = re.compile(r"Expected `([a-z |]+)`(?:, got `([a-z]+)`)?(.*)")
_BOUND = re.compile(r"( of length)? (<=|>=) (\S+)")
_MISSING = re.compile(r"Object missing required field `(.+)`")
_FIXED = {
    "Invalid RFC3339 encoded datetime": "must be a time such as 2026-11-20T12:00:00Z",
    "Invalid base64 encoded string": "must be a text in base64",
    "Number out of range": "is a number that is too large",
    "Integer value out of range": "is a number that is too large",
    "Input data was truncated": "ends too early",
}


def plain(error: msgspec.MsgspecError | str) -> tuple[str, str]:
    """Returns the path of the wrong field (empty: the whole message), and what is wrong with it."""
    message, _, path = str(error).partition(" - at `")
    field = path.rstrip("`").removeprefix("$").removeprefix(".")
    if missing := _MISSING.fullmatch(message):
        return (f"{field}.{missing[1]}" if field else missing[1]), "is missing"
    return field, _words(message)


def _words(message: str) -> str:
    if message in _FIXED:
        return _FIXED[message]
    if message.startswith("Invalid enum value "):
        return f"can't be {message.removeprefix('Invalid enum value ').strip(chr(39))[:60]}"
    if message.startswith("Object contains unknown field "):
        return f"has a field that is not known: {message.rpartition(' ')[2].strip('`')}"
    expected = _EXPECTED.fullmatch(message)
    if expected is None:
        return f"can't be read: {message[:1].lower()}{message[1:]}"
    kinds, got, rest = expected.groups()
    if bound := _BOUND.fullmatch(rest):
        return _bound(kinds, *bound.groups())
    allowed = " or ".join(_KINDS.get(kind, "another value") for kind in kinds.split(" | ") if kind != "null")
    if "timezone" in rest:
        return "must be a time with its zone, such as 2026-11-20T12:00:00Z"
    if "regex" in rest:
        return "has another form than expected"
    return f"must be {allowed}" + (f", not {_KINDS[got]}" if got in _KINDS and _KINDS[got] != allowed else "")


def _bound(kinds: str, of_length: str | None, sign: str, limit: str) -> str:
    words = "at most" if sign == "<=" else "or more"
    if of_length:
        unit = _UNITS.get(kinds.split(" | ")[0], "elements").removesuffix("s" if limit == "1" else "")
        return f"must have {limit} {unit} {words}"
    number = limit.removesuffix(".0")
    return f"must be {number} {'or less' if sign == '<=' else words}"


def sentence(error: msgspec.MsgspecError | str) -> str:
    """Returns `error` in one line: “cpu.name must be a text”."""
    field, words = plain(error)
    return f"{field or 'It'} {words}"


def why(error: BaseException) -> str:
    """Returns what is wrong with a program's answer, to follow “the answer can't be read:”; may be empty."""
    match error:
        case msgspec.MsgspecError():
            return sentence(error)
        case UnicodeError():
            return "a text in it is damaged"
        case KeyError():
            return f"it has no “{str(error.args[0])[:60] if error.args else ''}”"
        case IndexError():
            return "a list in it is too short"
        case RecursionError():
            return "it is nested too deeply"
        case ArithmeticError() | ValueError():
            return "a figure in it is no number"
        case TypeError() | AttributeError():
            return "a part of it is of another kind than expected"
        case TimeoutError():
            return "no answer in time"
        case OSError():
            return (error.strerror or "").lower()
        case _:
            return ""


def quoted(answer: bytes | bytearray) -> str:
    """Returns the beginning of a program's answer, to quote it in a sentence."""
    text = bytes(answer[:60]).decode(errors="replace")
    return "“" + "".join(each if each.isprintable() else "·" for each in text) + "”"
