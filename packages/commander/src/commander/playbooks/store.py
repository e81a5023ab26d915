"""Queries about playbooks and their revisions. None commits."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa
from protocol.messages import CpuGpuSpecs
from protocol.playbook_messages import Platform, Playbook
from protocol.reading import Reader
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.audit.store import record
from commander.dependents import Use
from commander.history import events
from commander.history.events import NewEvent, RigEvent
from commander.playbooks.domain import (
    REVISIONS_KEPT,
    PlaybookChanged,
    PlaybookNotFound,
    PlaybookSpec,
    Revision,
    StoredPlaybook,
    platform_of,
)
from commander.playbooks.tables import playbook_revisions as revisions
from commander.playbooks.tables import playbooks
from commander.registry.kinds import RigKind
from commander.registry.names import RigNotFound
from commander.registry.tables import cpu_gpu_rigs as rigs

_PLAYBOOK = (
    playbooks.c.id,
    playbooks.c.rig_id,
    playbooks.c.position,
    playbooks.c.recipe,
    playbooks.c.wire,
    playbooks.c.changed_at,
)
_REVISION = (
    revisions.c.revision,
    revisions.c.changed_at,
    revisions.c.author,
    revisions.c.what,
    revisions.c.recipe,
    revisions.c.wire,
)
ADDRESSES = ("pool_id", "wallet_id", "pool2_id", "wallet2_id")
_spec = msgspec.json.Decoder(PlaybookSpec)
_wire = msgspec.json.Decoder(Playbook)
_specs = Reader(CpuGpuSpecs)


async def get_playbook(db: AsyncConnection, playbook_id: int) -> StoredPlaybook:
    row = (await db.execute(sa.select(*_PLAYBOOK).where(playbooks.c.id == playbook_id))).one_or_none()
    if row is None:
        raise PlaybookNotFound("There is no such playbook; it may have been removed.")
    return _stored(*row)


async def some_playbooks(db: AsyncConnection, playbook_ids: Collection[int]) -> list[StoredPlaybook]:
    """Returns those of these playbooks that there are, a few hundred at most."""
    rows = await db.execute(sa.select(*_PLAYBOOK).where(playbooks.c.id.in_(playbook_ids)).order_by(playbooks.c.id))
    return [_stored(*row) for row in rows]


async def playbooks_of(db: AsyncConnection, rig_id: int) -> list[StoredPlaybook]:
    """Returns the rig's playbooks in the operator's order."""
    order = (playbooks.c.position, playbooks.c.id)
    rows = await db.execute(sa.select(*_PLAYBOOK).where(playbooks.c.rig_id == rig_id).order_by(*order))
    return [_stored(*row) for row in rows]


async def playbooks_of_rigs(db: AsyncConnection, rig_ids: Collection[int]) -> dict[int, list[StoredPlaybook]]:
    """Returns the playbooks by rig, of a few hundred rigs at most."""
    by_rig: dict[int, list[StoredPlaybook]] = {}
    rows = await db.execute(sa.select(*_PLAYBOOK).where(playbooks.c.rig_id.in_(rig_ids)).order_by(playbooks.c.id))
    for stored in (_stored(*row) for row in rows):
        by_rig.setdefault(stored.rig_id, []).append(stored)
    return by_rig


async def all_playbooks(db: AsyncConnection) -> list[StoredPlaybook]:
    rows = await db.execute(sa.select(*_PLAYBOOK).order_by(playbooks.c.rig_id, playbooks.c.position, playbooks.c.id))
    return [_stored(*row) for row in rows]


async def using_address(db: AsyncConnection, address_id: int) -> list[StoredPlaybook]:
    where = sa.or_(*(playbooks.c[name] == address_id for name in ADDRESSES))
    return [_stored(*row) for row in await db.execute(sa.select(*_PLAYBOOK).where(where).order_by(playbooks.c.id))]


async def using_software(db: AsyncConnection, software_id: int) -> list[StoredPlaybook]:
    query = sa.select(*_PLAYBOOK).where(playbooks.c.software_id == software_id).order_by(playbooks.c.id)
    return [_stored(*row) for row in await db.execute(query)]


async def rig_names(db: AsyncConnection) -> dict[int, str]:
    return {rig_id: name for rig_id, name in await db.execute(sa.select(rigs.c.id, rigs.c.name))}


async def platform_of_rig(db: AsyncConnection, rig_id: int) -> Platform:
    row = (await db.execute(sa.select(rigs.c.specs).where(rigs.c.id == rig_id))).one_or_none()
    if row is None:
        raise RigNotFound("There is no such rig; it may have been removed.")
    return _platform_in(row.specs)


async def platforms_of(db: AsyncConnection, rig_ids: Collection[int]) -> dict[int, Platform]:
    """Returns the systems of those of these rigs that there are, a few hundred at most."""
    rows = await db.execute(sa.select(rigs.c.id, rigs.c.specs).where(rigs.c.id.in_(rig_ids)))
    return {rig_id: _platform_in(specs) for rig_id, specs in rows}


async def uses(db: AsyncConnection, found: Sequence[StoredPlaybook]) -> list[Use]:
    """The playbooks with the names that people know, by rig and place."""
    names = await rig_names(db)
    return [Use(each.id, each.spec.name, each.rig_id, names.get(each.rig_id, "")) for each in found]


async def insert_playbook(db: AsyncConnection, rig_id: int, spec: PlaybookSpec, *, now: datetime) -> int:
    """A playbook at the end of the rig's, without any revision so far."""
    last = sa.select(sa.func.coalesce(sa.func.max(playbooks.c.position), 0) + 1).where(playbooks.c.rig_id == rig_id)
    values = _columns(spec) | {"rig_id": rig_id, "revision": 0, "wire": b"", "changed_at": now}
    query = sa.insert(playbooks).values(**values, position=last.scalar_subquery()).returning(playbooks.c.id)
    playbook_id: int = (await db.execute(query)).scalar_one()
    return playbook_id


async def write_revision(
    db: AsyncConnection,
    playbook_id: int,
    spec: PlaybookSpec,
    wire: Playbook,
    *,
    author: str,
    what: str,
    now: datetime,
) -> None:
    """Make `wire` (with its new revision) what the playbook is, and remember it; the rig's charts show when."""
    blob = msgspec.json.encode(wire)
    values = _columns(spec) | {"revision": wire.revision, "wire": blob, "changed_at": now}
    where = (playbooks.c.id == playbook_id, playbooks.c.revision == wire.revision - 1)
    changed = await db.execute(sa.update(playbooks).where(*where).values(values).returning(playbooks.c.rig_id))
    rig_id: int | None = changed.scalar_one_or_none()
    if rig_id is None:
        raise PlaybookChanged("Another person has just changed or removed this playbook. Reload the page.")
    provenance = {"author": author[:128], "what": what[:256], "changed_at": now}
    row = {"playbook_id": playbook_id, "revision": wire.revision, "recipe": values["recipe"], "wire": blob}
    await db.execute(sa.insert(revisions).values(**row, **provenance))
    old = (revisions.c.playbook_id == playbook_id, revisions.c.revision <= wire.revision - REVISIONS_KEPT)
    await db.execute(sa.delete(revisions).where(*old))
    await _note(db, rig_id, spec.name, what, now)


async def _note(db: AsyncConnection, rig_id: int, name: str, what: str, now: datetime) -> None:
    await events.note(db, NewEvent(RigKind.CPU_GPU, rig_id, now, RigEvent.PLAYBOOK_CHANGED, f"{name}: {what}"))
    rig = (await db.execute(sa.select(rigs.c.name).where(rigs.c.id == rig_id))).scalar_one()
    await record(db, "playbook changed", f"{name} on {rig}", what, at=now)


async def set_positions(db: AsyncConnection, rig_id: int, ids: Iterable[int]) -> None:
    for position, playbook_id in enumerate(ids, 1):
        where = (playbooks.c.id == playbook_id, playbooks.c.rig_id == rig_id)
        await db.execute(sa.update(playbooks).where(*where).values(position=position))


async def delete_playbook(db: AsyncConnection, gone: StoredPlaybook, *, now: datetime) -> None:
    """Deletes the playbook with its revisions, status and output."""
    await db.execute(sa.delete(playbooks).where(playbooks.c.id == gone.id))
    await _note(db, gone.rig_id, gone.spec.name, "Removed", now)


async def delete_playbooks_of(db: AsyncConnection, rig_id: int) -> None:
    await db.execute(sa.delete(playbooks).where(playbooks.c.rig_id == rig_id))


async def all_revisions(db: AsyncConnection, playbook_id: int) -> list[Revision]:
    """Newest first."""
    query = sa.select(*_REVISION).where(revisions.c.playbook_id == playbook_id).order_by(revisions.c.revision.desc())
    return [_revision(*row) for row in await db.execute(query)]


async def get_revision(db: AsyncConnection, playbook_id: int, revision: int) -> Revision:
    where = (revisions.c.playbook_id == playbook_id, revisions.c.revision == revision)
    row = (await db.execute(sa.select(*_REVISION).where(*where))).one_or_none()
    if row is None:
        raise PlaybookNotFound(f"This playbook has no revision {revision}; the newest {REVISIONS_KEPT} are kept.")
    return _revision(*row)


def _platform_in(specs: bytes | None) -> Platform:
    return platform_of(_specs.decode(specs).os if specs else None)


def _columns(spec: PlaybookSpec) -> dict[str, object]:
    first, second = [*spec.works, None, None][:2]
    return {
        "recipe": msgspec.json.encode(spec),
        "software_id": spec.software_id,
        "pool_id": first and first.pool_id,
        "wallet_id": first and first.wallet_id,
        "pool2_id": second and second.pool_id,
        "wallet2_id": second and second.wallet_id,
    }


def _stored(
    playbook_id: int, rig_id: int, position: int, spec: bytes, wire: bytes, changed_at: datetime
) -> StoredPlaybook:
    return StoredPlaybook(playbook_id, rig_id, position, _spec.decode(spec), _wire.decode(wire), changed_at)


def _revision(revision: int, changed_at: datetime, author: str, what: str, spec: bytes, wire: bytes) -> Revision:
    return Revision(revision, changed_at, author, what, _spec.decode(spec), _wire.decode(wire))
