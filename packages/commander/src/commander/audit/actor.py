"""The acting person or program: known from the start of a request or command, and written into the audit log."""

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, a key or a part of the commander. `address` is the network address that a request came from."""

    who: str
    address: str | None = None


COMMANDER = Actor("commander")
COMMAND_LINE = Actor("command line")
OWNER = "owner"  # the access that the dashboard's password opens
STRANGER = "stranger"  # somebody without the password

_acting: ContextVar[Actor] = ContextVar("acting", default=COMMANDER)


def acting() -> Actor:
    """Returns who acts in this request or command; the commander itself outside of requests and commands."""
    return _acting.get()


def act_as(actor: Actor) -> None:
    """Sets who acts, until the end of this request's task."""
    _acting.set(actor)
