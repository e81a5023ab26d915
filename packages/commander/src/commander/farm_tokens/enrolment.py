"""Enrols the sentries that come by themselves: with a farm token, or as copies of a rig's data folder.

Everything about one enrolment is in one transaction: the use, the rig, its identity and its token. So a sentry that has
lost the answer is known by its key when it asks again.
"""

from dataclasses import dataclass
from datetime import datetime

from protocol.enrolment_messages import Enrolled, Identity
from protocol.messages import RigName
from protocol.tokens import Token, TokenKind, new_token
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.audit.actor import Actor, acting
from commander.audit.store import record, record_some
from commander.farm_tokens import store
from commander.farm_tokens.domain import COPIES_WAIT_MOST, TooManyCopies, check_usable, free_name, names_of, used_up
from commander.live.inbox import Inbox
from commander.live.rigs import LiveRigs
from commander.live.source import LiveSource
from commander.machines import store as machine_store
from commander.machines.actions import Machines
from commander.problems import CommanderError
from commander.registry import approval
from commander.registry import store as registry
from commander.registry.kinds import RigKind
from commander.registry.names import NameTaken, Rig, RigNotFound, name_key
from commander.registry.tokens import Tokens
from commander.tags import store as tag_store

_TRIES = 5
_KIND = RigKind.CPU_GPU


@dataclass
class SentryEnrolment:
    """The outcome of one transaction. `old_hash` is that of the token that a known rig had."""

    rig: Rig
    token: Token
    is_approved: bool
    is_new: bool = True
    tags: tuple[str, ...] = ()
    old_hash: bytes = b""


@dataclass(frozen=True)
class Enrolments:
    """`farm_tokens` is the live source of the farm tokens' pages. `pin` goes into the rigs' tokens."""

    machines: Machines
    live: LiveRigs
    tokens: Tokens
    inbox: Inbox
    farm_tokens: LiveSource
    pin: str | None

    async def enrol(self, token: Token, holder: int, identity: Identity) -> Enrolled:
        """Enrols the sentry that sends a farm token, or the token of the rig whose copy it is.

        Raises `FarmTokenExpired`, `FarmTokenUsedUp`, `FarmTokenRevoked`, `IsClone`, `MachineUnclear` or
        `TooManyCopies`.
        """
        for _ in range(_TRIES):
            try:
                outcome = await self._once(token.kind, holder, identity)
            except IntegrityError:  # another request of the same sentry was faster: now its key is known
                continue
            if isinstance(outcome, CommanderError):
                raise outcome
            self._show(outcome)
            rig = RigName(id=outcome.rig.id, name=outcome.rig.name)
            return Enrolled(rig=rig, token=str(outcome.token), approved=outcome.is_approved)
        raise RuntimeError("a key was taken and given back again and again")

    async def _once(self, kind: TokenKind, holder: int, identity: Identity) -> SentryEnrolment | CommanderError:
        database = self.machines.database
        now = await database.now()
        async with database.transaction() as db:
            if kind is TokenKind.FARM:
                return await self._by_farm_token(db, holder, identity, now)
            return await self._as_copy(db, holder, identity, now)

    async def _by_farm_token(
        self, db: AsyncConnection, holder: int, identity: Identity, now: datetime
    ) -> SentryEnrolment | CommanderError:
        farm_token = await store.lock_farm_token(db, holder)
        check_usable(farm_token, now)
        who = Actor(f"farm token {farm_token.name}", acting().address)
        known = await machine_store.rig_of_key(db, identity.key)
        if known is not None:
            return await self._again(db, known, identity, who, now)
        if not await store.use(db, farm_token.id):
            raise used_up(farm_token)
        former = await self._former_rig(db, identity)
        pattern = f"copy of {former.name}" if former else farm_token.name_pattern
        rig, token = await self._insert(db, pattern, identity, now)
        await tag_store.replace(db, _KIND, {rig.id: ((), farm_token.tags)})
        is_approved = not farm_token.approve_by_hand and former is None
        if not is_approved:
            await approval.insert_unapproved(db, rig.id, now=now, copy_of=former.id if former else None)
        await record(db, "rig enrolled", rig.name, _text(identity, is_approved), actor=who, at=now)
        return SentryEnrolment(rig, token, is_approved, tags=farm_token.tags)

    async def _as_copy(
        self, db: AsyncConnection, holder: int, identity: Identity, now: datetime
    ) -> SentryEnrolment | CommanderError:
        await machine_store.lock_rig(db, holder)
        original_id = await approval.original_of(db, holder)
        await machine_store.lock_rig(db, original_id)
        original = await _rig_or_original(db, holder, original_id)
        asking = await registry.get_rig(db, _KIND, holder)
        who = Actor(f"sentry of {asking.name}", acting().address)
        known = await machine_store.rig_of_key(db, identity.key)
        if known is not None:
            return await self._again(db, known, identity, who, now)
        if await approval.waiting_copies(db, original_id) >= COPIES_WAIT_MOST:
            raise TooManyCopies(
                f"{COPIES_WAIT_MOST} copies of {original.name} wait for approval already. Approve or remove them first."
            )
        rig, token = await self._insert(db, f"copy of {original.name}", identity, now)
        await approval.insert_unapproved(db, rig.id, now=now, copy_of=original_id)
        await record(db, "rig enrolled", rig.name, _text(identity, is_approved=False), actor=who, at=now)
        return SentryEnrolment(rig, token, is_approved=False)

    async def _again(
        self, db: AsyncConnection, rig_id: int, identity: Identity, who: Actor, now: datetime
    ) -> SentryEnrolment | CommanderError:
        """Gives a known machine its rig again, with another token."""
        error = await self.machines.judge(db, rig_id, identity, now=now)
        if error is not None:
            return error
        rig, token = await registry.get_rig(db, _KIND, rig_id), self._new_token()
        old_hash = await registry.replace_token(db, _KIND, rig_id, token.hash())
        text = "The same machine got another token."
        await record_some(db, "rig enrolled again", rig.name, text, actor=who, at=now)
        waits = await approval.unapproved_among(db, [rig_id])
        return SentryEnrolment(rig, token, is_approved=not waits, is_new=False, old_hash=old_hash)

    async def _former_rig(self, db: AsyncConnection, identity: Identity) -> Rig | None:
        former = await machine_store.rig_of_key(db, identity.former_key) if identity.former_key else None
        return None if former is None else await _rig_or_original(db, former, await approval.original_of(db, former))

    async def _insert(self, db: AsyncConnection, pattern: str, identity: Identity, now: datetime) -> tuple[Rig, Token]:
        token = self._new_token()
        rig = await insert_with_free_name(db, pattern, identity.hostname, token.hash(), now=now)
        await machine_store.put_key(db, rig.id, identity.key)
        await machine_store.insert_machine(db, rig.id, identity, now=now, is_accepted=True)
        return rig, token

    def _new_token(self) -> Token:
        return new_token(TokenKind.RIG, pin=self.pin)

    def _show(self, outcome: SentryEnrolment) -> None:
        """Called after the commit."""
        rig = outcome.rig
        if outcome.is_new:
            self.live.added(rig.id, rig.name, rig.created_at, approved=outcome.is_approved, tags=outcome.tags)
            self.farm_tokens.changed()
        else:
            self.tokens.forget(outcome.old_hash)
            self.live.index.replace_token(rig.id)
            self.inbox.notify(rig.id)


async def insert_with_free_name(
    db: AsyncConnection, pattern: str, hostname: str | None, token_hash: bytes, *, now: datetime
) -> Rig:
    """Adds a rig with the first name of the pattern that is free, also if other rigs are added at the same time."""
    taken = await registry.name_keys(db, _KIND)
    while True:
        name = free_name(names_of(pattern, hostname), lambda each: name_key(each) in taken)
        try:
            return await registry.insert_rig(db, _KIND, name, token_hash, now=now)
        except NameTaken:
            taken.add(name_key(name))


async def _rig_or_original(db: AsyncConnection, rig_id: int, original_id: int) -> Rig:
    """Returns the original; or the rig itself, if its original was removed. Raises `RigNotFound`."""
    try:
        return await registry.get_rig(db, _KIND, original_id)
    except RigNotFound:
        return await registry.get_rig(db, _KIND, rig_id)


def _text(identity: Identity, is_approved: bool) -> str:
    wait = "" if is_approved else " It waits for approval."
    host = "".join(character for character in identity.hostname or "" if character.isprintable())
    return f"Host {host or 'without a name'}, {', '.join(identity.macs) or 'no MAC'}.{wait}"
