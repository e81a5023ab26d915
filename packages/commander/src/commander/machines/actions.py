"""Takes the identities of sentries: notes the machine of a rig, binds the rig to it, and notices copies."""

from datetime import datetime, timedelta

from protocol.enrolment_messages import Identity
from protocol.tokens import TokenKind
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.accounts.domain import secret_hash
from commander.audit.actor import Actor, acting
from commander.audit.store import record_some
from commander.db import Database
from commander.live.rigs import LiveRigs
from commander.machines import store
from commander.machines.domain import ASK_HOLDS, Decision, RigNow, Verdict, decide, error_of
from commander.problems import CommanderError
from commander.registry import store as registry
from commander.registry.kinds import RigKind
from commander.registry.tokens import Credentials, Tokens, bearer_token, check_again


class Machines:
    """The machines of the CPU/GPU rigs. A rig that has not reported for `silence` is not alive."""

    def __init__(self, database: Database, live: LiveRigs, tokens: Tokens, *, silence: timedelta) -> None:
        self.database = database
        self._tokens = tokens
        self._live = live
        self._silence = silence

    async def take(self, sender: Credentials, identity: Identity) -> None:
        """Takes the identity that a sentry with a rig's token sends.

        If the sender has the identity's key in its headers, the rig is bound to it: from then on the token counts only
        with this key. Raises `InvalidToken`, `WrongKey`, `RigRemoved`, `IsClone` or `MachineUnclear`.
        """
        token = bearer_token(sender.authorization, TokenKind.RIG)
        token_hash, rig_id, now = token.hash(), await self._tokens.holder_of(token, sender), await self.database.now()
        has_shown_key, is_bound_now = sender.key == identity.key, False
        async with self.database.transaction() as db:
            await store.lock_rig(db, rig_id)
            await check_again(db, rig_id, token_hash, identity.key)
            error = await self.judge(db, rig_id, identity, now=now)
            if error is None and has_shown_key:
                is_bound_now = await registry.bind(db, rig_id, token_hash, secret_hash(identity.key))
        if error is not None:
            raise error
        if is_bound_now:
            self._tokens.forget(token_hash)

    async def judge(
        self, db: AsyncConnection, rig_id: int, identity: Identity, *, now: datetime
    ) -> CommanderError | None:
        """Notes the machine and returns the error to answer with, after the commit; None if it is the rig.

        Raises `RigNotFound`.
        """
        rig = await registry.get_rig(db, RigKind.CPU_GPU, rig_id)
        known = await store.machines_of(db, rig_id)
        decision = decide(identity, known, self._now_of(rig_id), now=now, silence=self._silence)
        await _note(db, rig_id, identity, decision, now)
        if decision.verdict is Verdict.ACCEPTED and known:
            await self._record(db, "rig on another machine", rig.name, "It has other network cards than before.", now)
        if decision.verdict is Verdict.CLONE:
            text = f"Another machine has its data folder: {', '.join(identity.macs) or 'its MACs are unknown'}."
            await self._record(db, "copy of a rig noticed", rig.name, text, now)
        return error_of(decision.verdict, rig.name)

    async def _record(self, db: AsyncConnection, what: str, rig: str, text: str, now: datetime) -> None:
        await record_some(db, what, rig, text, actor=Actor(f"sentry of {rig}", acting().address), at=now)

    def _now_of(self, rig_id: int) -> RigNow:
        state = self._live.index.rigs.get(rig_id)
        return RigNow(state.reported_at, state.two_sentries) if state else RigNow(None, False)


async def _note(db: AsyncConnection, rig_id: int, identity: Identity, decision: Decision, now: datetime) -> None:
    is_rig, machine = decision.verdict in (Verdict.KNOWN, Verdict.ACCEPTED), decision.machine
    if decision.verdict is not Verdict.CLONE:
        if machine is None:
            await store.insert_machine(db, rig_id, identity, now=now, is_accepted=is_rig)
        else:
            asks_again = now - machine.seen_at > ASK_HOLDS
            await store.see_machine(db, machine, identity, now=now, asks_again=asks_again, is_accepted=is_rig)
    elif machine is not None:
        await store.forget_machine(db, machine.id)
    if is_rig:
        await store.put_key(db, rig_id, identity.key)
