"""Copies of a playbook for other rigs: first what each rig would get, then the copies themselves."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from protocol.playbook_messages import Platform, Playbook
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.playbooks import store
from commander.playbooks.adding import checked_wire, insert
from commander.playbooks.domain import BadPlaybook, PlaybookSpec, StoredPlaybook, TooManyPlaybooks
from commander.playbooks.render_context import RenderContext, load_render_context

SYSTEMS = {Platform.LINUX: "Linux", Platform.WINDOWS: "Windows"}
NO_RIG = "There is no such rig; it may have been removed."


class Copy(NamedTuple):
    """The result of a copy for one rig: its playbook, or why there is none."""

    rig_id: int
    rig: str
    playbook_id: int | None
    reason: str = ""


class PlannedCopy(NamedTuple):
    """A copy that one rig would get. Without a `wire` it can't take it, and `reason` says why."""

    rig_id: int
    rig: str
    spec: PlaybookSpec
    wire: Playbook | None
    reason: str = ""


async def plan_copies(db: AsyncConnection, source: StoredPlaybook, rig_ids: Collection[int]) -> list[PlannedCopy]:
    """Returns what each of these rigs would get, a few hundred at most; nothing is written."""
    context = await load_render_context(db)
    platforms, playbooks = await store.platforms_of(db, rig_ids), await store.playbooks_of_rigs(db, rig_ids)
    return [_planned(source, rig_id, platforms.get(rig_id), playbooks.get(rig_id, ()), context) for rig_id in rig_ids]


async def make_copies(
    db: AsyncConnection, source: StoredPlaybook, rig_ids: Collection[int], *, author: str, now: datetime
) -> list[Copy]:
    """Copies the playbook to each of these rigs that can take it, a few hundred at most."""
    what = f"Copied from {source.spec.name} on {(await store.rig_names(db)).get(source.rig_id, '')}"
    copies = list[Copy]()
    for each in await plan_copies(db, source, rig_ids):
        if each.wire is None:
            copies.append(Copy(each.rig_id, each.rig, None, each.reason))
            continue
        made = await insert(db, each.rig_id, each.spec, each.wire, author=author, what=what, now=now)
        copies.append(Copy(each.rig_id, each.rig, made.id))
    return copies


def _planned(
    source: StoredPlaybook,
    rig_id: int,
    platform: Platform | None,
    others: Sequence[StoredPlaybook],
    context: RenderContext,
) -> PlannedCopy:
    rig = context.rigs.get(rig_id, f"rig {rig_id}")
    if platform is None:
        return PlannedCopy(rig_id, rig, source.spec, None, NO_RIG)
    try:
        spec = for_platform(source.spec, platform, context)
        wire = checked_wire(rig_id, spec, context, others, paused=source.wire.paused)
    except (BadPlaybook, TooManyPlaybooks) as error:
        return PlannedCopy(rig_id, rig, source.spec, None, str(error))
    return PlannedCopy(rig_id, rig, spec, wire)


def for_platform(spec: PlaybookSpec, platform: Platform, context: RenderContext) -> PlaybookSpec:
    """Returns the spec for another system, whose script is the software's own. Raises `BadPlaybook` for an edited
    script."""
    if platform is spec.platform:
        return spec
    entry = context.software.get(spec.software_id)
    here, there = (entry.about.download(each) if entry else None for each in (spec.platform, platform))
    if here is None or there is None or here.script != spec.script:
        written, runs = SYSTEMS[spec.platform], SYSTEMS[platform]
        raise BadPlaybook({"script": f"Its script is written for {written}, and this rig runs {runs}."})
    return replace(spec, platform=platform, script=there.script)
