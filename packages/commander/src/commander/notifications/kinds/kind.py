"""The parts of a kind of channel: its settings, its form, and how it sends."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import msgspec

from commander.notifications.messages import Message
from commander.notifications.safe_http import SafeHttp


class SafeNetwork(NamedTuple):
    """The network that channels send by. `loopback`: servers on the commander's own machine are allowed."""

    http: SafeHttp
    loopback: bool


class FormField(NamedTuple):
    """A field of the form. `secret` ones are never shown again. `options`: the values of a choice with their words."""

    name: str
    label: str
    hint: str = ""
    secret: bool = False
    options: tuple[tuple[str, str], ...] = ()


class ChannelKind(NamedTuple):
    """A kind of channel.

    `settings` is a struct, secrets included. `destination` are the fields that say which server gets the secrets: if
    one of them changes, the secrets must be entered again. `send` raises `DeliveryFailure`.
    """

    name: str
    label: str
    settings: type[msgspec.Struct]
    fields: tuple[FormField, ...]
    send: Callable[[Any, Message, SafeNetwork], Awaitable[None]]
    destination: tuple[str, ...] = ()

    @property
    def secrets(self) -> frozenset[str]:
        return frozenset(field.name for field in self.fields if field.secret)
