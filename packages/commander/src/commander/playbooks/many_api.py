"""Playbooks of many rigs at once, for people's scripts: copy, pause and resume."""

from typing import Annotated, Any

import msgspec
from litestar import Request, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import Body, FromPath

from commander.accounts.confirmations import Confirmations
from commander.accounts.domain import author_of
from commander.live.rigs import LiveRigs
from commander.playbooks.actions import PlaybookActions
from commander.selections.choice import targets
from commander.web.api_docs import BEARER, problems

AnyRequest = Request[Any, Any, Any]
Line = Annotated[str, msgspec.Meta(max_length=10_000)]
RigId = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
RigIds = Annotated[list[RigId], msgspec.Meta(max_length=10_000)]
PROBLEMS = problems(400, 401, 404, 413, 415, 422)


class CopyTo(msgspec.Struct, frozen=True, kw_only=True):
    """The rigs are named (`rig_ids`) or chosen by a selection (`select`), which counts as of now."""

    rig_ids: RigIds | None = None
    select: Line | None = None


class CopyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`playbook_id` is null where the rig could not take a copy; `reason` says why. In a preview it is always null."""

    rig_id: int
    rig: str
    playbook_id: int | None
    reason: str


class PlaybooksOf(msgspec.Struct, frozen=True, kw_only=True):
    """All playbooks of rigs that are named (`rigs`) or chosen by a selection (`select`), which counts as of now."""

    rigs: RigIds | None = None
    select: Line | None = None


class PlaybooksChanged(msgspec.Struct, frozen=True, kw_only=True):
    """The number of playbooks that are in another state than before."""

    changed: int


@post(
    "/api/v1/playbooks/{playbook_id:int}/copy", status_code=200, responses=PROBLEMS, tags=["playbooks"], security=BEARER
)
async def copy_playbook(
    playbook_id: FromPath[int],
    data: Annotated[CopyTo, Body()],
    request: AnyRequest,
    playbook_actions: NamedDependency[PlaybookActions],
    confirmations: NamedDependency[Confirmations],
    live: NamedDependency[LiveRigs],
) -> list[CopyAnswer]:
    """Copy it to other rigs. The answer has a result for each rig."""
    rig_ids = await _others(data, live, playbook_actions, playbook_id)
    confirmations.check_for_rigs(request.user, rig_ids)
    copies = await playbook_actions.copy(playbook_id, rig_ids, author=author_of(request.user))
    return [CopyAnswer(**each._asdict()) for each in copies]


@post(
    "/api/v1/playbooks/{playbook_id:int}/copy/preview",
    status_code=200,
    responses=PROBLEMS,
    tags=["playbooks"],
    security=BEARER,
)
async def preview_copies(
    playbook_id: FromPath[int],
    data: Annotated[CopyTo, Body()],
    playbook_actions: NamedDependency[PlaybookActions],
    live: NamedDependency[LiveRigs],
) -> list[CopyAnswer]:
    """Say which rigs would get a copy, and why others would not. Nothing is kept."""
    rig_ids = await _others(data, live, playbook_actions, playbook_id)
    plan = await playbook_actions.plan_copies(playbook_id, rig_ids)
    return [CopyAnswer(rig_id=each.rig_id, rig=each.rig, playbook_id=None, reason=each.reason) for each in plan]


@post("/api/v1/playbooks/pause", status_code=200, responses=PROBLEMS, tags=["playbooks"], security=BEARER)
async def pause_playbooks(
    data: Annotated[PlaybooksOf, Body()],
    request: AnyRequest,
    playbook_actions: NamedDependency[PlaybookActions],
    live: NamedDependency[LiveRigs],
) -> PlaybooksChanged:
    """Stop all playbooks of many rigs, and leave them installed."""
    return await _set_paused(data, live, playbook_actions, True, author_of(request.user))


@post("/api/v1/playbooks/resume", status_code=200, responses=PROBLEMS, tags=["playbooks"], security=BEARER)
async def resume_playbooks(
    data: Annotated[PlaybooksOf, Body()],
    request: AnyRequest,
    playbook_actions: NamedDependency[PlaybookActions],
    live: NamedDependency[LiveRigs],
) -> PlaybooksChanged:
    """Let all paused playbooks of many rigs run."""
    return await _set_paused(data, live, playbook_actions, False, author_of(request.user))


HANDLERS: list[HTTPRouteHandler] = [copy_playbook, preview_copies, pause_playbooks, resume_playbooks]


async def _others(data: CopyTo, live: LiveRigs, playbook_actions: PlaybookActions, playbook_id: int) -> list[int]:
    """Returns the rigs of a copy. A selection leaves out the rig that has the playbook already."""
    source = await playbook_actions.find(playbook_id)
    rig_ids = targets(live, select=data.select, rig_ids=data.rig_ids)
    return [rig_id for rig_id in rig_ids if data.select is None or rig_id != source.rig_id]


async def _set_paused(
    data: PlaybooksOf, live: LiveRigs, playbook_actions: PlaybookActions, paused: bool, author: str
) -> PlaybooksChanged:
    rig_ids, rigs = targets(live, select=data.select, rig_ids=data.rigs), live.index.rigs
    ids = [playbook.id for rig_id in rig_ids if rig_id in rigs for playbook in rigs[rig_id].playbooks]
    return PlaybooksChanged(changed=await playbook_actions.pause_many(ids, paused, author=author))
