"""View links: made, listed and revoked by people, opened by wall screens. Only hashes are kept."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from commander.accounts.domain import TooManyTries, secret_hash
from commander.accounts.login_guard import Failures, Senders, wait_text
from commander.accounts.networks import sender_network
from commander.accounts.visits import note_visit
from commander.audit.store import record
from commander.db import Database
from commander.limit_log import LimitLog
from commander.saved_views import link_store, store
from commander.saved_views.domain import (
    LINKS_MOST,
    USED_EVERY,
    NoSuchView,
    TooManyLinks,
    ViewLink,
    check_link,
    link_expiry,
    link_owner,
    new_link_token,
)


class ViewLinks:
    """The view links. `on_end` gets each that ends, as `link_owner` names it, to close its WebSockets.

    Wrong tokens count on the sender's network, as wrong passwords do. A link that was valid in this process needs no
    turn: guesses of others at the same address don't keep a wall screen out.
    """

    def __init__(
        self,
        database: Database,
        *,
        on_end: Callable[[str], None] = lambda owner: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._on_end = on_end
        self._now = now
        self._now_s = now_s
        self._guesses = Senders()
        self._limit_log = LimitLog(now_s)
        self._known: set[bytes] = set()

    async def make(self, view_id: int, days: int | None) -> tuple[str, str]:
        """Returns the view's name and the token, which is not kept. Raises `NoSuchView`, `BadDays`, `TooManyLinks`."""
        token, now = new_link_token(), self._now()
        expires_at = link_expiry(days, now=now)
        async with self._database.transaction() as db:
            name = await store.find_view_name(db, view_id)
            if name is None:
                raise NoSuchView("Choose a saved view.")
            if await link_store.count_links(db) >= LINKS_MOST:
                raise TooManyLinks(f"There are {LINKS_MOST} view links. Revoke one first.")
            await link_store.insert_link(db, view_id, secret_hash(token), expires_at=expires_at, now=now)
            await record(db, "view link made", name, f"valid until {expires_at:%Y-%m-%d %H:%M} UTC", at=now)
        return name, token

    async def all(self) -> list[ViewLink]:
        async with self._database.reading() as db:
            return await link_store.all_links(db)

    async def revoke(self, link_id: int) -> None:
        """A link that is gone already is no error."""
        async with self._database.transaction() as db:
            name = await link_store.delete_link(db, link_id)
            if name is not None:
                await record(db, "view link revoked", name, at=self._now())
        self._on_end(link_owner(link_id))

    async def opened(self, token: str, *, address: str) -> ViewLink:
        """Returns the link of this token. Raises `NoSuchLink`, `LinkExpired` or `TooManyTries`.

        A try counts as wrong from its beginning: tries that run at the same time can't exceed the limit.
        """
        token_hash, now = secret_hash(token), self._now()
        turn = None if token_hash in self._known else self._turn(address)
        try:
            async with self._database.reading() as db:
                link = await link_store.find_link(db, token_hash)
        except Exception:  # it could not be checked
            if turn:
                turn.take_back()
            raise
        if link is None:
            self._known.discard(token_hash)
        else:
            self._known.add(token_hash)
            if turn:
                turn.take_back()
        link = check_link(link, now=now)
        if link.last_used_at is None or abs(now - link.last_used_at) > USED_EVERY:
            await self._note(link)
        return link

    async def keep_noting(self, link: ViewLink) -> None:
        """Notes the use of a link again and again, as long as its page is open."""
        while True:
            await asyncio.sleep(USED_EVERY.total_seconds())
            await self._note(link)

    async def socket_owners(self) -> set[str]:
        """Returns the links that are valid now, as `link_owner` names them."""
        now = self._now()
        return {link.owner for link in await self.all() if link.expires_at > now}

    def _turn(self, address: str) -> Failures:
        network, now_s = sender_network(address), self._now_s()
        if (wait_s := self._guesses.of(network).wait_s(now_s)) > 0:
            self._limit_log.note("of one address", f"view links have to wait: {network} has tried too many wrong ones")
            raise TooManyTries(f"Too many links that are not valid from your address; {wait_text(wait_s)}", wait_s)
        return self._guesses.add(network, now_s)

    async def _note(self, link: ViewLink) -> None:
        await note_visit(self._database, partial(link_store.touch_link, link_id=link.id, now=self._now()))
