"""Site tokens: with one, an ASIC sentry registers the ASICs that it has found. Only hashes are kept."""

from collections.abc import Callable
from datetime import UTC, datetime

from protocol.tokens import Token, TokenKind, new_token

from commander.accounts import store
from commander.accounts.domain import NamedKey, NoSuchKey, checked_key_name
from commander.accounts.tables import site_tokens
from commander.audit.store import record
from commander.db import Database
from commander.registry.tokens import Tokens
from commander.rigs.actions import RigActions
from commander.rigs.adoption_store import count_by_site, registered_by


class SiteTokenActions:
    """`pin` is the fingerprint of the commander's own CA that goes into tokens, if it has one."""

    def __init__(
        self,
        database: Database,
        tokens: Tokens,
        *,
        pin: str | None,
        asics: RigActions,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._tokens = tokens
        self._pin = pin
        self._asics = asics
        self._now = now

    async def create(self, name: str) -> tuple[NamedKey, Token]:
        """A site and its token, which can't be read again. Raises `BadKeyName` or `KeyNameTaken`."""
        token = new_token(TokenKind.SITE, pin=self._pin)
        async with self._database.transaction() as db:
            site = await store.insert_key(db, site_tokens, checked_key_name(name), token.hash(), now=self._now())
            await record(db, "site token made", site.name, at=site.created_at)
        return site, token

    async def all(self) -> list[NamedKey]:
        async with self._database.reading() as db:
            return await store.all_keys(db, site_tokens)

    async def count_rigs(self) -> dict[int, int]:
        """Returns how many ASICs each site token has registered, by the site's id."""
        async with self._database.reading() as db:
            return await count_by_site(db)

    async def remove_rigs(self, site_id: int) -> int:
        """Removes all ASICs that the site token registered, with their data, and returns how many.

        It works after the token was revoked, too.
        """
        async with self._database.transaction() as db:
            rig_ids = [rig.id for rig in (await registered_by(db, site_id)).values()]
            names = {site.id: site.name for site in await store.all_keys(db, site_tokens)}
            if rig_ids:
                name = names.get(site_id, f"site {site_id}")
                await record(db, "ASICs of a site removed", name, f"{len(rig_ids)} ASICs.", at=self._now())
        return await self._asics.remove_many(rig_ids)

    async def used(self, site_id: int) -> None:
        async with self._database.transaction() as db:
            await store.touch_key(db, site_id, keys=site_tokens, now=self._now())

    async def revoke(self, site_id: int) -> None:
        """Make its token worthless at once; the ASICs that it registered stay. Raises `NoSuchKey`."""
        async with self._database.transaction() as db:
            revoked = await store.delete_key(db, site_tokens, site_id)
            if revoked is None:
                raise NoSuchKey("There is no such site token; it may have been revoked.")
            await record(db, "site token revoked", revoked.name, at=self._now())
        self._tokens.forget(revoked.key_hash)
