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


class SiteTokenActions:
    """`pin` is the fingerprint of the commander's own CA that goes into tokens, if it has one."""

    def __init__(
        self,
        database: Database,
        tokens: Tokens,
        *,
        pin: str | None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._tokens = tokens
        self._pin = pin
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
