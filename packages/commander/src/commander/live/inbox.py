"""The sentries' inbox: what the commander has for each CPU/GPU rig, one item of each kind.

A noun gives the inbox a source for its kind of item, and calls `notify` for a rig when its item has changed and that is
committed. `protocol.inbox_messages` describes the request.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

import msgspec
from protocol.inbox_messages import InboxItem, signed_part
from protocol.item_signature import SignedItem

from commander.live.cluster import Cluster, Topic
from commander.live.long_poll import LongPoll, Waiter
from commander.signing import Signer

INBOX = Topic("inbox", int)  # an item of a CPU/GPU rig


class InboxSource(Protocol):
    """Has one kind of item for each rig."""

    async def item_for(self, rig_id: int) -> InboxItem | None:
        """Returns the rig's item as of now; None if there is none for it.

        Each request of each sentry calls it, so it must answer from memory. The version must change when the content
        changes. It must not change only because time passes, for example because a pause has fewer seconds left.
        """


class Inbox:
    """One per web node. `notify` reaches the sentries that wait at any node. Delivered items are signed.

    A rig that is not approved gets only the items of sources that say so: their item is then one with nothing in it.
    """

    def __init__(
        self,
        long_poll: LongPoll,
        cluster: Cluster,
        signer: Signer | None = None,
        *,
        is_approved: Callable[[int], bool] = lambda rig_id: True,
    ) -> None:
        self._signer = signer
        self._long_poll = long_poll
        self._cluster = cluster
        self._is_approved = is_approved
        self._sources: list[InboxSource] = []
        self._for_all: list[InboxSource] = []
        self._on_earlier: list[Callable[[int], Awaitable[None]]] = []
        cluster.subscribe(INBOX, self.wake)

    def add(self, source: InboxSource, *, before_approval: bool = False) -> None:
        """Adds a kind of item. Called while the commander is put together.

        `before_approval`: the source decides by itself what a rig gets that waits for approval.
        """
        self._sources.append(source)
        if before_approval:
            self._for_all.append(source)

    def add_for_earlier_sentries(self, take: Callable[[int], Awaitable[None]]) -> None:
        """Adds a function that is called with each rig whose sentry has no inbox: it asks for playbooks alone."""
        self._on_earlier.append(take)

    async def earlier_sentry_asks(self, rig_id: int) -> None:
        for take in self._on_earlier:
            await take(rig_id)

    def notify(self, rig_id: int) -> None:
        """An item of this rig has changed: its sentry gets it at once, whichever node it waits at."""
        self.wake(rig_id)
        self._cluster.publish(INBOX, rig_id)

    def wake(self, rig_id: int) -> None:
        """An item of this rig has changed, as far as this node knows."""
        self._long_poll.wake((INBOX.name, rig_id))

    @contextmanager
    def waiter(self, rig_id: int) -> Iterator[Waiter]:
        """Gives a waiter that is woken by all changes of the rig's items from now on."""
        with self._long_poll.waiter((INBOX.name, rig_id)) as waiter:
            yield waiter

    async def news(self, rig_id: int, versions: Mapping[str, str], newest: SignedItem | None = None) -> list[InboxItem]:
        """Returns the rig's items that differ from these versions, which are by kind.

        `newest` is the newest signed item that the sentry has taken. Numbers rise in the order of the items.
        """
        sources = self._sources if self._is_approved(rig_id) else self._for_all
        items = [await source.item_for(rig_id) for source in sources]
        news = [item for item in items if item is not None and item.version != versions.get(item.kind)]
        if self._signer is None:
            return news
        signed: list[InboxItem] = []
        for item in news:
            signed.append(self._signer.signed(item, rig_id, newest))
            newest = signed_part(signed[-1])
        return signed


def inbox_item(kind: str, version: str, body: bytes) -> InboxItem:
    """Returns an item whose body is JSON already."""
    return InboxItem(kind=kind, version=version, body=msgspec.Raw(body))
