"""The settings of a channel as people enter them: checked, and divided into shown and secret ones."""

import ipaddress
import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from commander.notifications.kinds.kind import ChannelKind
from commander.notifications.kinds.registry import KINDS
from commander.notifications.safe_addresses import is_allowed
from commander.problems import CommanderError, ErrorKind

_AT = re.compile(r" - at `\$\.?(?P<field>[\w]*)[^`]*`")
_MISSING = re.compile(r"Object missing required field `(?P<field>\w+)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<field>\w+)`")
_ADDRESSES = ("url", "server", "host", "webhook_url")


class BadChannelSettings(CommanderError):
    """A field of the settings is missing, unknown or wrong."""

    kind = ErrorKind(422, "bad_settings", "Bad settings", field="settings")

    def __init__(self, text: str, name: str = "") -> None:
        super().__init__(text)
        self.name = name

    @property
    def field(self) -> str:
        return f"settings.{self.name}" if self.name else "settings"


class UnknownChannelKind(CommanderError):
    """There is no such kind of channels."""

    kind = ErrorKind(422, "unknown_kind", "Unknown kind", field="kind")


class CheckedSettings(NamedTuple):
    shown: dict[str, object]
    secrets: dict[str, str]


def kind_of(name: str) -> ChannelKind:
    """Raises `UnknownChannelKind`."""
    if name not in KINDS:
        raise UnknownChannelKind(f"{name[:40]} is not a kind of channel. There are: {', '.join(KINDS)}.")
    return KINDS[name]


def checked_settings(
    kind: ChannelKind, entered: Mapping[str, object], stored: CheckedSettings | None, *, loopback: bool
) -> CheckedSettings:
    """Returns the settings to store. Secrets that are not entered stay as they are stored.

    Raises `BadChannelSettings`: also if secrets would go to another server than that for which they were entered.
    """
    given = {name: value for name, value in entered.items() if value not in (None, "")}
    kept = {name: secret for name, secret in stored.secrets.items() if name not in given} if stored else {}
    values: dict[str, object] = msgspec.to_builtins(_converted(kind, {**kept, **given}))
    if stored and kept:
        _check_same_server(kind, values, stored)
    for name in _ADDRESSES:
        _check_address(name, values.get(name), loopback=loopback)
    secrets = {name: str(values.pop(name)) for name in kind.secrets & values.keys()}
    return CheckedSettings(values, {name: secret for name, secret in secrets.items() if secret})


def _converted(kind: ChannelKind, given: Mapping[str, object]) -> msgspec.Struct:
    try:
        return msgspec.convert(dict(given), kind.settings)
    except msgspec.ValidationError as error:
        raise _explained(kind, str(error)) from error


def _explained(kind: ChannelKind, error: str) -> BadChannelSettings:
    """Returns msgspec's error in words for people, with the name of the field."""
    labels = {field.name: field.label for field in kind.fields}
    if missing := _MISSING.search(error):
        name = missing["field"]
        return BadChannelSettings(f"{labels.get(name, name)}: this field is empty. Enter a value.", name)
    if unknown := _UNKNOWN.search(error):
        names = ", ".join(labels)
        return BadChannelSettings(f"{kind.label} has no setting {unknown['field']}. It has: {names}.", unknown["field"])
    found = _AT.search(error)
    name = found["field"] if found else ""
    hints = {field.name: field.hint for field in kind.fields}
    hint = f" {hints[name]}" if hints.get(name) else ""
    return BadChannelSettings(f"{labels.get(name, 'A setting')}: this value has the wrong form.{hint}", name)


def _check_same_server(kind: ChannelKind, values: Mapping[str, object], stored: CheckedSettings) -> None:
    for name in kind.destination:
        if name in stored.shown and values.get(name) != stored.shown[name]:
            label = next(field.label for field in kind.fields if field.name == name)
            raise BadChannelSettings(
                f"{label}: this is another server. Enter the secrets again: the stored ones are for the server before.",
                name,
            )


def _check_address(name: str, value: object, *, loopback: bool) -> None:
    """Refuses addresses in numbers that no message may go to. Names are looked up when something is sent."""
    if not isinstance(value, str) or not value:
        return
    try:
        host = urlsplit(value).hostname if "://" in value else value
        address = ipaddress.ip_address((host or "").strip("[]").partition("%")[0])
    except ValueError:
        return
    if not is_allowed(address, loopback=loopback):
        more = " COMMANDER_NOTIFY_LOOPBACK=true allows it." if address.is_loopback else " Enter another address."
        raise BadChannelSettings(f"Messages are never sent to {address}.{more}", name)
