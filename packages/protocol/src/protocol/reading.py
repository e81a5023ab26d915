"""Reads a message and leaves out impossible values: each costs only itself, never the message.

A good message is decoded once, by its type. Only if that fails is it taken apart:

* an impossible value, a text that is too long, or a value of another type becomes unknown (absent);

* in a list of values it becomes `null`, so that the others keep their places; a list that is too long is cut off;

* a part that can't be identified without it, such as a card without its address, is left out as a whole.
"""

import contextlib
import functools
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
from msgspec import inspect

from protocol.figure_types import Figure
from protocol.figures import FIGURES
from protocol.messages import UNKNOWN_ALGORITHM, AlgorithmReading

T = TypeVar("T")

_INSTEAD: Mapping[str, str] = {  # for a text that must be there
    "algorithm": UNKNOWN_ALGORITHM,
    "software": "unknown",
    "state": "unknown",
}
_PLACE_COUNTS = {AlgorithmReading}  # hashrates of devices are in the order of algorithms
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_DIGITS_LIMIT = 400  # longer whole numbers are outside of all bounds
_SHOWN = 40
_TOO_DEEP = "JSON is nested too deeply"


class _No:
    """Stands for a value that does not fit."""


_NO = _No()


class Dropped(NamedTuple):
    """A value that was left out, and its place (`gpus[0].temperature_c`)."""

    place: str
    value: str
    is_of_its_type: bool = False

    @property
    def figure(self) -> str:
        """The metric's name: the place without list indexes."""
        first, *rest = self.place.split("[")
        return first + "".join(part.partition("]")[2] for part in rest)

    def __str__(self) -> str:
        figure = FIGURES.get(self.figure.rpartition(".")[2])
        why = _range_text(figure) if figure else "what its kind allows"
        return f"{self.place} is left out: its value is {self.value}, expected is {why}."


def _range_text(figure: Figure) -> str:
    return f"{figure.bounds.lowest:,} to {figure.bounds.highest:,} {figure.unit.text}".rstrip()


class Read(NamedTuple, Generic[T]):
    """A message without impossible values. `body` is its JSON, unchanged if nothing was left out."""

    message: T
    body: bytes
    dropped: list[Dropped]


class Reader(Generic[T]):
    """Reads messages of one kind. Without `any_value`, a value of another type than the field's is an error."""

    def __init__(self, kind: type[T], *, any_value: bool = True) -> None:
        self._kind, self._any_value = kind, any_value
        self._strict = msgspec.json.Decoder(kind).decode

    @functools.cached_property
    def _shape(self) -> inspect.Type:
        return inspect.type_info(self._kind)

    def decode(self, body: bytes | msgspec.Raw) -> T:
        """Returns the message. Raises `msgspec.DecodeError` if the JSON, or a field that identifies it, is broken."""
        try:
            return self._strict(body)
        except _UNREADABLE as error:
            return self._sorted_out(_parsed(bytes(body), error), error).message

    def read(self, body: bytes | msgspec.Raw) -> Read[T]:
        """Returns the message and what was left out. Raises as `decode` does."""
        try:
            return Read(self._strict(body), bytes(body), [])
        except _UNREADABLE as error:
            return self._sorted_out(_parsed(bytes(body), error), error)

    def checked(self, message: T) -> Read[T]:
        """Checks a message that was made here, before it is sent."""
        try:
            body = msgspec.json.encode(message)
            return Read(self._strict(body), body, [])
        except (msgspec.DecodeError, UnicodeEncodeError, OverflowError) as error:
            return self._sorted_out(msgspec.to_builtins(message), error)

    def _sorted_out(self, tree: object, error: Exception) -> Read[T]:
        dropped: list[Dropped] = []
        fitted = _fit(tree, self._shape, "", dropped)
        if fitted is _NO or not (self._any_value or all(each.is_of_its_type for each in dropped)):
            raise msgspec.ValidationError(str(error)) from error
        body = _encoded(fitted)
        return Read(self._strict(body), body, dropped)


def _parsed(body: bytes, error: Exception) -> object:
    """Returns the JSON without types; else raises `error`.

    Python's own parser accepts what msgspec's does not: half characters, and numbers of any length.
    """
    with contextlib.suppress(*_UNREADABLE):
        return msgspec.json.decode(body)
    try:
        return json.loads(body.decode("utf-8", "replace"), parse_int=_whole)
    except RecursionError:
        raise msgspec.DecodeError(_TOO_DEEP) from error
    except ValueError:
        raise error from None


def _whole(digits: str) -> float:
    return int(digits) if len(digits) < _DIGITS_LIMIT else float("inf")


def _encoded(tree: Any) -> bytes:
    try:
        return msgspec.json.encode(tree)
    except UnicodeEncodeError:
        pass
    except RecursionError as error:
        raise msgspec.DecodeError(_TOO_DEEP) from error
    try:
        return msgspec.json.encode(_encodable(tree))
    except RecursionError as error:
        raise msgspec.DecodeError(_TOO_DEEP) from error


def _encodable(value: Any) -> Any:
    """Removes half characters, which UTF-8 can't encode, from texts."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_encodable(each) for each in value]
    if isinstance(value, dict):
        return {_encodable(key): _encodable(each) for key, each in value.items()}
    return value


def _fit(value: Any, kind: inspect.Type, at: str, dropped: list[Dropped]) -> Any:
    """Returns the value without impossible parts; `_NO` if nothing of it can stay."""
    if isinstance(kind, inspect.UnionType):  # of something and null
        value_kind = next(each for each in kind.types if not isinstance(each, inspect.NoneType))
        return None if value is None else _fit(value, value_kind, at, dropped)
    if isinstance(kind, inspect.StructType):
        fitted = _fit_struct(value, kind, at, dropped)
    elif isinstance(kind, inspect.ListType):
        fitted = _fit_list(value, kind, at, dropped)
    else:
        fitted = value if _fits(value, kind) else _NO
        if fitted is _NO:
            dropped.append(Dropped(at, _shown(value), _is_of_type(value, kind)))
    return fitted


def _shown(value: object) -> str:
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    if isinstance(value, int) and abs(value) >= 10**_SHOWN:
        return "a number of many digits"
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _fit_struct(value: Any, kind: inspect.StructType, at: str, dropped: list[Dropped]) -> Any:
    if not isinstance(value, dict):
        dropped.append(Dropped(at, _shown(value)))
        if kind.cls not in _PLACE_COUNTS:
            return _NO
        value = {}
    fitted = dict(value)
    for field in kind.fields:
        name = field.encode_name
        place = f"{at}.{name}" if at else name
        fitted_value = _fit(value[name], field.type, place, dropped) if name in value else _NO
        if fitted_value is not _NO:
            fitted[name] = fitted_value
        elif not field.required:
            fitted.pop(name, None)
        elif name in _INSTEAD:
            fitted[name] = _INSTEAD[name]
        else:
            return _NO
    return fitted


def _fit_list(value: Any, kind: inspect.ListType, at: str, dropped: list[Dropped]) -> Any:
    if not isinstance(value, list):
        dropped.append(Dropped(at, _shown(value)))
        return _NO
    longest = kind.max_length
    if longest is not None and len(value) > longest:
        dropped.append(Dropped(f"{at}[{longest}:]", f"{len(value)} entries", is_of_its_type=True))
        value = value[:longest]
    fitted = [_fit(each, kind.item_type, f"{at}[{place}]", dropped) for place, each in enumerate(value)]
    may_be_null = isinstance(kind.item_type, inspect.UnionType)
    return [None if each is _NO else each for each in fitted if may_be_null or each is not _NO]


def _fits(value: Any, kind: inspect.Type) -> bool:
    if not _is_of_type(value, kind):
        return False
    match kind:
        case inspect.FloatType() | inspect.IntType():
            return _is_between(value, kind.ge, kind.le)
        case inspect.StrType():
            return kind.max_length is None or len(value) <= kind.max_length
        case inspect.DateTimeType():
            return _is_moment(value)
        case _:
            return True


def _is_of_type(value: object, kind: inspect.Type) -> bool:
    match kind:
        case inspect.FloatType():
            return type(value) in (int, float)
        case inspect.IntType():
            return type(value) is int
        case inspect.StrType() | inspect.EnumType() | inspect.DateTimeType():
            return isinstance(value, str)
        case inspect.BoolType():
            return isinstance(value, bool)
        case _:
            return True


def _is_between(value: float, lowest: float | None, highest: float | None) -> bool:
    return (lowest is None or lowest <= value) and (highest is None or value <= highest)


def _is_moment(value: str) -> bool:
    try:
        return msgspec.convert(value, datetime).tzinfo is not None
    except (msgspec.ValidationError, UnicodeEncodeError):
        return False
