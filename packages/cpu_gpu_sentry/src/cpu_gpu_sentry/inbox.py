"""The sentry's inbox: one held request brings what the commander has for this rig, one item of each kind.

A commander that can wait answers at once when there is news; one that can't is asked every minute. A commander of an
earlier version has no inbox, and is asked for the playbooks alone.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
from protocol.inbox_messages import InboxItem
from protocol.playbook_messages import Playbooks
from protocol.tokens import Token
from sentry_kit.client import CommanderClient, NotFound

from cpu_gpu_sentry.connection import Session
from cpu_gpu_sentry.signing.guard import SignatureGuard

log = logging.getLogger(__name__)

_LONGEST_WAIT_S = 50.0
_LEAST_PAUSE_S = 1.0
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError)


class InboxHandler(Protocol):
    """Takes the items of one kind."""

    @property
    def kind(self) -> str:
        """The kind: the `INBOX_KIND` of a message."""

    @property
    def version(self) -> str | None:
        """The version of the item that the sentry has; None if it has none, and after one that was not stored."""

    async def take(self, token: Token, item: InboxItem) -> bool:
        """Stores the item; returns whether it was news.

        Raises `msgspec.DecodeError` or `UnicodeDecodeError` for a body that can't be read. An item comes again until
        `version` is its version, so it may come twice. Raises `DiskTrouble` if it can't be stored now.
        """


class Inbox:
    """Asks for items and gives each to the handler of its kind, unless `guard` refuses it.

    `every_s` is the pause where nothing can be held.
    """

    def __init__(self, handlers: Sequence[InboxHandler], every_s: Callable[[], float], guard: SignatureGuard) -> None:
        self._guard = guard
        self._handlers = {handler.kind: handler for handler in handlers}
        self._every_s = every_s
        self._skipped: dict[str, str] = {}  # versions of items that no handler could take

    async def receive_for_ever(self, session: Session) -> None:
        clock = asyncio.get_running_loop().time
        self._skipped.clear()
        has_inbox = True
        while True:
            began_s, every_s = clock(), self._every_s()
            wait_s = min(_LONGEST_WAIT_S, every_s)
            try:
                items = await (self._items if has_inbox else self._playbooks)(session.client, wait_s)
            except NotFound:
                if not has_inbox:
                    raise
                has_inbox = False
                continue
            session.worked()
            is_news = await self._take(session.token, items)
            has_waited = clock() - began_s >= wait_s - _LEAST_PAUSE_S
            pause_s = _LEAST_PAUSE_S if is_news else 0.0 if has_waited else began_s + every_s - clock()
            await asyncio.sleep(max(0.0, pause_s))

    async def _items(self, client: CommanderClient, wait_s: float) -> list[InboxItem]:
        versions = {kind: version for kind, handler in self._handlers.items() if (version := handler.version)}
        return await client.inbox(versions | self._skipped, wait_s, self._guard.newest)

    async def _playbooks(self, client: CommanderClient, wait_s: float) -> list[InboxItem]:
        """Returns the playbooks as an item, from a commander of an earlier version."""
        handler = self._handlers[Playbooks.INBOX_KIND]
        answer = await client.playbooks(f'"{handler.version}"' if handler.version else None, wait_s)
        if answer is None:
            return []
        version = (answer.etag or "").strip('"')
        return [InboxItem(kind=Playbooks.INBOX_KIND, version=version, body=msgspec.Raw(answer.body))]

    async def _take(self, token: Token, items: Sequence[InboxItem]) -> bool:
        """Gives each item to its handler. One that is refused, can't be read or is of an unknown kind does not stop
        the others."""
        is_news, refusals = False, []
        for item in items:
            if reason := await self._guard.refusal_of(item):
                refusals.append(reason)
                continue
            handler = self._handlers.get(item.kind)
            try:
                if handler is None:
                    self._skip(item, "this version does not know its kind")
                else:
                    is_news = await handler.take(token, item) or is_news
                    self._skipped.pop(item.kind, None)
            except _UNREADABLE as error:
                self._skip(item, str(error))
        await self._guard.note_refusal(refusals[0] if refusals else None)
        return is_news

    def _skip(self, item: InboxItem, reason: str) -> None:
        log.warning("inbox_item_skipped kind=%s version=%s %s", item.kind, item.version, reason)
        self._skipped[item.kind] = item.version
