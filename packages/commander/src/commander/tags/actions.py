"""Actions of people on tags. Each is one transaction; then open pages and other nodes are notified."""

import asyncio
from collections.abc import Collection, Mapping

from protocol import units
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.audit.store import record
from commander.db import Database
from commander.live.rigs import Lives
from commander.registry.kinds import RigKind
from commander.registry.names import RigNotFound
from commander.tags import store
from commander.tags.domain import TagChange, Tags, changed_tags, tag_key

ChangedPlaybooks = Mapping[RigKind, Mapping[int, Tags]]
RIGS_BETWEEN_BREATHS = 200
RIGS_NAMED = 50  # in the audit log


async def change_tags(
    database: Database, lives: Lives, targets: Mapping[RigKind, Collection[int]], change: TagChange
) -> int:
    """Adds and removes tags; returns how many rigs have others than before.

    A rig that was removed meanwhile is passed over. Raises `TooManyTags`, and then no rig has changed.
    """
    changed = dict[RigKind, dict[int, Tags]]()
    names = list[str]()
    async with database.transaction() as db:
        spelled = await _as_the_farm_writes(db, change)
        for kind, rig_ids in targets.items():
            of_kind = await store.lock_rigs(db, kind, rig_ids)
            changed[kind] = await _change(db, kind, of_kind, dict.fromkeys(of_kind, spelled))
            names += [of_kind[rig_id] for rig_id in changed[kind]]
        if names:
            await record(db, "tags changed", _counted(names), _description(spelled, names))
    await show(lives, changed)
    return len(names)


async def import_tags(database: Database, lives: Lives, wanted: Mapping[RigKind, Mapping[int, Tags]]) -> int:
    """Replaces the tags of many rigs, each by its own; returns how many have others than before."""
    changed = dict[RigKind, dict[int, Tags]]()
    names = list[str]()
    async with database.transaction() as db:
        for kind, tags in wanted.items():
            of_kind = await store.lock_rigs(db, kind, tags)
            before = await store.some_tags(db, kind, of_kind)
            changes = {rig_id: _replacing(before.get(rig_id, ()), tags[rig_id]) for rig_id in of_kind}
            changed[kind] = await _change(db, kind, of_kind, changes)
            names += [of_kind[rig_id] for rig_id in changed[kind]]
        if names:
            await record(db, "tags changed", _counted(names), f"From a file. Rigs: {units.listed(names, RIGS_NAMED)}")
    await show(lives, changed)
    return len(names)


async def set_tags(db: AsyncConnection, kind: RigKind, rig_id: int, tags: Tags) -> Tags:
    """Gives a rig these tags and no others, within a transaction. Raises `RigNotFound`."""
    names = await store.lock_rigs(db, kind, [rig_id])
    if not names:
        raise RigNotFound("There is no such rig; it may have been removed.")
    before = (await store.some_tags(db, kind, names)).get(rig_id, ())
    spelled = await _as_the_farm_writes(db, _replacing(before, tags))
    changed = await _change(db, kind, names, {rig_id: spelled})
    if changed:
        await record(db, "tags changed", names[rig_id], f"Now: {', '.join(changed[rig_id]) or 'none'}")
    return changed.get(rig_id, before)


async def show(lives: Lives, changed: ChangedPlaybooks) -> None:
    """Notifies pages, channels and other nodes of new tags, after the commit."""
    for kind, tags in changed.items():
        for number, (rig_id, after) in enumerate(tags.items(), start=1):
            lives[kind].tags_changed(rig_id, after)
            if number % RIGS_BETWEEN_BREATHS == 0:
                await asyncio.sleep(0)  # other tasks get the event loop


async def _change(
    db: AsyncConnection, kind: RigKind, names: Mapping[int, str], changes: Mapping[int, TagChange]
) -> dict[int, Tags]:
    before = await store.some_tags(db, kind, names)
    after = {rig_id: changed_tags(before.get(rig_id, ()), changes[rig_id], name) for rig_id, name in names.items()}
    changed = {rig_id: tags for rig_id, tags in after.items() if tags != before.get(rig_id, ())}
    await store.replace(db, kind, {rig_id: (before.get(rig_id, ()), tags) for rig_id, tags in changed.items()})
    return changed


def _replacing(before: Tags, tags: Tags) -> TagChange:
    wanted = {tag_key(tag) for tag in tags}
    return TagChange(tags, tuple(tag for tag in before if tag_key(tag) not in wanted))


def _counted(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{len(names):,} rigs"


def _description(change: TagChange, names: list[str]) -> str:
    """Returns "Added hall:2; removed old. Rigs: rig-01, rig-02"."""
    parts = [f"{verb} {', '.join(tags)}" for verb, tags in (("added", change.add), ("removed", change.remove)) if tags]
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}. Rigs: {units.listed(names, RIGS_NAMED)}"


async def _as_the_farm_writes(db: AsyncConnection, change: TagChange) -> TagChange:
    """Returns the change with the spelling of tags that some rig has already."""
    spelled = await store.spellings(db, [tag_key(tag) for tag in change.add])
    return change._replace(add=tuple(spelled.get(tag_key(tag), tag) for tag in change.add))
