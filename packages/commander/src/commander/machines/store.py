"""Queries about identities and machines. None commits."""

from datetime import datetime

import sqlalchemy as sa
from protocol.enrolment_messages import Identity
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.accounts.domain import secret_hash
from commander.machines.domain import KnownMachine
from commander.machines.tables import rig_identities as identities
from commander.machines.tables import rig_machines as machines
from commander.registry import store as registry
from commander.registry.tables import cpu_gpu_rigs as rigs

MACHINES_KEPT = 16  # of a rig, and as many that wait to be it


def hash_of_key(key: str) -> bytes:
    """The key proves which rig a sentry is, so only its hash is stored."""
    return secret_hash(key)


async def rig_of_key(db: AsyncConnection, key: str) -> int | None:
    """Returns the rig whose sentry has this key."""
    query = sa.select(identities.c.rig_id).where(identities.c.key_hash == hash_of_key(key))
    return (await db.execute(query)).scalar_one_or_none()


async def put_key(db: AsyncConnection, rig_id: int, key: str) -> None:
    """Gives the rig this key and no other. Raises `IntegrityError` if another transaction gives it to another rig."""
    key_hash = hash_of_key(key)
    if await rig_of_key(db, key) == rig_id:
        return
    await db.execute(
        sa.delete(identities).where(sa.or_(identities.c.rig_id == rig_id, identities.c.key_hash == key_hash))
    )
    await db.execute(sa.insert(identities).values(key_hash=key_hash, rig_id=rig_id))


async def machines_of(db: AsyncConnection, rig_id: int) -> list[KnownMachine]:
    """Returns the rig's machines, the first one first."""
    query = sa.select(
        *(machines.c.id, machines.c.macs, machines.c.machine_id, machines.c.board_serial),
        *(machines.c.asked_at, machines.c.seen_at, machines.c.is_accepted),
    )
    rows = await db.execute(query.where(machines.c.rig_id == rig_id).order_by(machines.c.id))
    return [KnownMachine(row[0], frozenset(row[1].split()), *row[2:]) for row in rows]


async def insert_machine(
    db: AsyncConnection, rig_id: int, identity: Identity, *, now: datetime, is_accepted: bool
) -> None:
    """Notes a machine of the rig. If there are too many, it removes those that were not seen for the longest time.

    Accepted machines and others are counted apart. So the rig's own machine stays known, however many copies ask.
    """
    values = {"rig_id": rig_id, "macs": " ".join(sorted(set(identity.macs))), "asked_at": now, "seen_at": now}
    values |= {"machine_id": identity.machine_id, "board_serial": identity.board_serial, "is_accepted": is_accepted}
    await db.execute(sa.insert(machines).values(values))
    alike = [each for each in await machines_of(db, rig_id) if each.is_accepted == is_accepted]
    by_age = sorted(alike, key=lambda each: (each.seen_at, each.id))
    for each in by_age[: max(0, len(by_age) - MACHINES_KEPT)]:
        await db.execute(sa.delete(machines).where(machines.c.id == each.id))


async def see_machine(
    db: AsyncConnection, known: KnownMachine, identity: Identity, *, now: datetime, asks_again: bool, is_accepted: bool
) -> None:
    """Notes that the machine is there, with its MACs of now. `asks_again`: its wait begins now."""
    values: dict[str, object] = {"seen_at": now, "is_accepted": is_accepted}
    values |= {"asked_at": now} if asks_again else {}
    if identity.macs:
        values["macs"] = " ".join(sorted(set(identity.macs)))
    known_facts = {"machine_id": identity.machine_id, "board_serial": identity.board_serial}
    values |= {name: value for name, value in known_facts.items() if value}
    await db.execute(sa.update(machines).where(machines.c.id == known.id).values(values))


async def forget_machine(db: AsyncConnection, machine_id: int) -> None:
    """Forgets a machine that is another rig from now on."""
    await db.execute(sa.delete(machines).where(machines.c.id == machine_id))


async def lock_rig(db: AsyncConnection, rig_id: int) -> None:
    """Lets one transaction at a time decide about the rig's machines."""
    await db.execute(sa.select(rigs.c.id).where(rigs.c.id == rig_id).with_for_update(key_share=True))


async def forget_machines(db: AsyncConnection, rig_id: int) -> None:
    """Forgets the rig's machines and its key: the next machine that sends its identity is the rig."""
    await registry.unbind(db, rig_id)
    await db.execute(sa.delete(identities).where(identities.c.rig_id == rig_id))
    await db.execute(sa.delete(machines).where(machines.c.rig_id == rig_id))
