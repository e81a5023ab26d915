"""Makes and revokes farm tokens: one transaction each, then open pages are notified."""

from collections.abc import Callable
from datetime import datetime, timedelta

from protocol.tokens import Token, TokenKind, new_token

from commander.audit.store import record
from commander.db import Database
from commander.farm_tokens import store
from commander.farm_tokens.domain import (
    KEPT_AFTER_END,
    TOKENS_MOST,
    BadFarmToken,
    FarmToken,
    checked_farm_token,
)
from commander.tags.domain import checked_tags


class FarmTokenActions:
    """`changed` is called after each commit. `pin` is the fingerprint of the commander's own CA, if it has one."""

    def __init__(self, database: Database, *, pin: str | None, changed: Callable[[], None]) -> None:
        self._database = database
        self._pin = pin
        self._changed = changed

    async def all(self) -> list[FarmToken]:
        """Returns all, newest first. Those whose time has been over for long are forgotten."""
        async with self._database.reading() as db:
            return await store.all_farm_tokens(db)

    async def now(self) -> datetime:
        """Returns the time by which farm tokens expire."""
        return await self._database.now()

    async def make(
        self,
        *,
        name: str,
        name_pattern: str,
        tags: list[str],
        approve_by_hand: bool,
        uses: int,
        valid_for: timedelta,
        made_by: str,
    ) -> tuple[FarmToken, Token]:
        """Returns the farm token, and its text, which can't be read again. Raises `BadFarmToken` or `BadTag`."""
        token, now = new_token(TokenKind.FARM, pin=self._pin), await self._database.now()
        new = checked_farm_token(
            name=name,
            name_pattern=name_pattern,
            tags=checked_tags(tags),
            approve_by_hand=approve_by_hand,
            uses=uses,
            valid_for=valid_for,
            now=now,
        )
        async with self._database.transaction() as db:
            if await store.count_farm_tokens(db) >= TOKENS_MOST:
                raise BadFarmToken(
                    "name", f"There are {TOKENS_MOST:,} farm tokens already. Ended ones are deleted later."
                )
            made = await store.insert_farm_token(db, new, token.hash(), now=now, made_by=made_by)
            await record(db, "farm token made", made.name, _description(made), at=now)
        self._changed()
        return made, token

    async def revoke(self, token_id: int) -> None:
        """Lets no further rig enroll with it; its rigs stay. Raises `FarmTokenNotFound`."""
        now = await self._database.now()
        async with self._database.transaction() as db:
            revoked = await store.revoke(db, token_id, now=now)
            await record(
                db, "farm token revoked", revoked.name, f"{revoked.used} of {revoked.uses} uses spent.", at=now
            )
        self._changed()

    async def forget_ended(self, now: datetime) -> None:
        async with self._database.transaction() as db:
            await store.delete_ended(db, now=now, kept_for=KEPT_AFTER_END)


def _description(made: FarmToken) -> str:
    tags = f", tags {', '.join(made.tags)}" if made.tags else ""
    by_hand = "approved by hand" if made.approve_by_hand else "approved by itself"
    return (
        f"For {made.uses} rigs until {made.expires_at:%Y-%m-%d %H:%M} UTC, names {made.name_pattern}{tags}, {by_hand}."
    )
