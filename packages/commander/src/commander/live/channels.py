"""Channels: a message reaches all who listen now; nothing is stored."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

import msgspec

MESSAGES_WAITING = 1_000
_NAME = re.compile(
    r"(cpu-gpu|asic)-mining-rig-(index|index-operation-stats)|(cpu-gpu|asic)-mining-rig(-operation-stats)?:[0-9]{1,18}"
    r"|commands|incidents"
)


class ChannelEvent(StrEnum):
    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"


class ChannelMessage(msgspec.Struct, frozen=True, kw_only=True):
    channel: str
    event: ChannelEvent
    data: msgspec.Raw


def is_channel(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


class Subscription:
    """One listener's messages as JSON texts; `None` ends it: it fell too far behind, or was hung up."""

    def __init__(self, session: str) -> None:
        self.session = session
        self.messages: asyncio.Queue[str | None] = asyncio.Queue(MESSAGES_WAITING)

    def put(self, text: str) -> None:
        if self.messages.full():
            self.end()
        else:
            self.messages.put_nowait(text)

    def end(self) -> None:
        while self.messages.full():
            self.messages.get_nowait()
        self.messages.put_nowait(None)


class Channels:
    """Publish and subscribe within this process."""

    def __init__(self) -> None:
        self._listeners: dict[str, set[Subscription]] = defaultdict(set)

    @contextmanager
    def subscribed(self, names: list[str], *, session: str = "") -> Iterator[Subscription]:
        subscription = Subscription(session)
        for name in names:
            self._listeners[name].add(subscription)
        try:
            yield subscription
        finally:
            for name in names:
                self._drop(name, subscription)

    def has_listeners(self, name: str) -> bool:
        """Returns whether anybody listens. A message without a listener need not be encoded."""
        return name in self._listeners

    def publish(self, name: str, event: ChannelEvent, data: bytes) -> None:
        if name in self._listeners:
            message = ChannelMessage(channel=name, event=event, data=msgspec.Raw(data))
            text = msgspec.json.encode(message).decode()
            for listener in self._listeners[name]:
                listener.put(text)

    def close(self, name: str) -> None:
        """The channel goes away with its rig."""
        self._listeners.pop(name, None)

    def sessions(self) -> set[str]:
        return {listener.session for listeners in self._listeners.values() for listener in listeners} - {""}

    def close_session(self, session: str) -> None:
        for listeners in self._listeners.values():
            for listener in listeners:
                if listener.session == session:
                    listener.end()

    def _drop(self, name: str, subscription: Subscription) -> None:
        if listeners := self._listeners.get(name):
            listeners.discard(subscription)
            if not listeners:
                del self._listeners[name]
