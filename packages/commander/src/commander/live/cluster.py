"""News between the web nodes of a farm. The database has what is new; news says where to read it again, and how soon.

A piece of news is a topic and a key. The key names what to read again, not what it is now: a node that gets two pieces
of news in the wrong order, or one of them twice, still ends with the state of the database.

    cluster.subscribe(SESSIONS, close_session)  # here, at the start
    cluster.publish(SESSIONS, "17")  # at any node: session 17 was ended
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import msgspec

from commander.registry.kinds import RigKind

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Topic(Generic[K]):
    """A subject of news. `key` is the type of its keys: a text, a number or a frozen struct."""

    name: str
    key: type[K]


class RigKey(msgspec.Struct, frozen=True):
    """Names a rig of either kind."""

    kind: RigKind
    rig_id: int


class RunKey(msgspec.Struct, frozen=True):
    """Names the start of a sentry that reports for a rig."""

    kind: RigKind
    rig_id: int
    run: str


RIGS = Topic("rigs", RigKey)  # a rig came, went, was renamed or has other specs
RUNS = Topic("runs", RunKey)  # a sentry reports for a rig that was not the last one to do so
TOKENS = Topic("tokens", bytes)  # by its hash: a sentry's token was replaced, or its rig or site removed
SESSIONS = Topic("sessions", str)  # a session or an API key was ended


class Cluster(Protocol):
    """All web nodes of this farm."""

    def publish(self, topic: Topic[K], key: K) -> None:
        """Sends news to all nodes, soon and in order. Never waits: what can't be sent now is sent later."""

    def subscribe(self, topic: Topic[K], on_news: Callable[[K], None]) -> None:
        """Calls `on_news` with the key of each piece of news, also of this node's own."""

    def on_gap(self, news_missed: Callable[[], None]) -> None:
        """Calls `news_missed` each time when news of other nodes may have been missed, such as after an outage."""


class SingleNode:
    """The cluster of the embedded form: there is one node, which needs no news."""

    def publish(self, topic: Topic[K], key: K) -> None:
        return None

    def subscribe(self, topic: Topic[K], on_news: Callable[[K], None]) -> None:
        return None

    def on_gap(self, news_missed: Callable[[], None]) -> None:
        return None
