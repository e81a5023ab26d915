"""The approval of rigs, for people's scripts."""

from typing import Annotated

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import Body
from msgspec import Meta

from commander.db import Database
from commander.live.rigs import Lives
from commander.registry.kinds import RigKind
from commander.rigs.approval import approve_rigs
from commander.selections.choice import targets
from commander.tags.api import RIGS_OF_A_REQUEST, RigId
from commander.web.api_docs import BEARER, problems


class ApprovalBody(msgspec.Struct, frozen=True, kw_only=True):
    """The rigs with these ids, or those that a selection matches. Those that do not wait are passed over."""

    rigs: Annotated[list[RigId], Meta(max_length=RIGS_OF_A_REQUEST)] | None = None
    select: str | None = None


class ApprovalAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The number of rigs that have waited until now."""

    approved: int


@post(
    f"/api/v1/{RigKind.CPU_GPU}-rigs/approve",
    status_code=200,
    responses=problems(400, 401, 413, 415, 422),
    tags=["rigs"],
    security=BEARER,
)
async def approve(
    data: Annotated[ApprovalBody, Body()], lives: NamedDependency[Lives], database: NamedDependency[Database]
) -> ApprovalAnswer:
    """Approve rigs that have enrolled with a farm token, or as copies: they get their playbooks and commands now."""
    live = lives[RigKind.CPU_GPU]
    rig_ids = targets(live, select=data.select, rig_ids=data.rigs)
    return ApprovalAnswer(approved=await approve_rigs(database, live, rig_ids))


HANDLERS: list[HTTPRouteHandler] = [approve]
