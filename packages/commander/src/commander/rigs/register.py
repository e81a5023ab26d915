"""What people do with CPU/GPU rigs: each is one transaction, and then everybody who looks is told."""

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
from protocol.messages import CpuGpuSpecs
from protocol.tokens import Token, TokenKind, new_token

from commander.db import Database
from commander.live.rigs import LiveRigs
from commander.rigs import store
from commander.rigs.domain import Rig, checked_name
from commander.rigs.kinds import RigKind
from commander.telemetry import store as logs
from commander.telemetry.tokens import Tokens


class RigRegister:
    """`pin` is the fingerprint of the commander's own CA that goes into tokens, if it has one."""

    def __init__(
        self,
        database: Database,
        live: LiveRigs,
        tokens: Tokens,
        *,
        pin: str | None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._live = live
        self._tokens = tokens
        self._pin = pin
        self._now = now

    async def add(self, name: str) -> tuple[Rig, Token]:
        """The new rig and its token, which can't be read again. Raises `BadName` or `NameTaken`."""
        token = new_token(TokenKind.RIG, pin=self._pin)
        async with self._database.transaction() as db:
            rig = await store.insert_rig(db, checked_name(name), token.hash(), now=self._now())
        self._live.added(rig.id, rig.name)
        return rig, token

    async def rename(self, rig_id: int, name: str) -> Rig:
        """Raises `BadName`, `NameTaken` or `RigNotFound`."""
        async with self._database.transaction() as db:
            await store.rename_rig(db, rig_id, checked_name(name))
            rig = await store.get_rig(db, rig_id)
        self._live.renamed(rig.id, rig.name)
        return rig

    async def remove(self, rig_id: int) -> Rig:
        """Delete the rig and all that belongs to it. Raises `RigNotFound`."""
        async with self._database.transaction() as db:
            rig = await store.get_rig(db, rig_id)
            token_hash = await store.delete_rig(db, rig_id)
            await store.bury_token(db, token_hash, now=self._now())
            await logs.delete_rig_logs(db, RigKind.CPU_GPU, rig_id)
        self._tokens.forget(token_hash)
        self._live.removed(rig_id)
        return rig

    async def new_token(self, rig_id: int) -> Token:
        """Another token; the old one is dead at once. Raises `RigNotFound`."""
        token = new_token(TokenKind.RIG, pin=self._pin)
        async with self._database.transaction() as db:
            old_hash = await store.replace_token(db, rig_id, token.hash())
        self._tokens.forget(old_hash)
        return token

    async def set_specs(self, rig_id: int, specs: CpuGpuSpecs) -> None:
        """What the rig is made of, as its sentry says. Raises `RigNotFound`."""
        text = msgspec.json.encode(specs)
        async with self._database.transaction() as db:
            await store.set_specs(db, rig_id, text)
        self._live.specs_changed(rig_id, text)
