"""Requests of senders that are known: they came with a valid token, key or session."""

from litestar.types import Scope

KNOWN = "minewarden_sender_is_known"  # a function, in the state of a request's scope


def sender_is_known(scope: Scope) -> None:
    """Notes that this request's sender is known: its connection is no stranger's."""
    if note := scope.get("state", {}).get(KNOWN):
        note()
