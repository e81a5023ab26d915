"""Tags for people's scripts."""

from collections import Counter
from typing import Annotated

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import Body
from msgspec import Meta

from commander.db import Database
from commander.live.rigs import Lives
from commander.problems import CommanderError, ErrorKind
from commander.registry.kinds import RigKind
from commander.registry.names import RigNotFound
from commander.selections.choice import chosen
from commander.tags.actions import change_tags
from commander.tags.domain import TAG_MAX_LENGTH, TAGS_OF_A_RIG, TagChange, checked_tags, tag_key
from commander.web.api_docs import BEARER, problems

RIGS_OF_A_REQUEST = 20_000
RigId = Annotated[int, Meta(ge=1, lt=2**31)]
TagText = Annotated[str, Meta(max_length=TAG_MAX_LENGTH)]


class BadTargets(CommanderError):
    """It is not clear which rigs are meant."""

    kind = ErrorKind(422, "bad_targets", "No targets", field="rigs")


class TagUse(msgspec.Struct, frozen=True, kw_only=True):
    """A tag, and how many rigs of each kind have it."""

    tag: str
    cpu_gpu_rigs: int
    asic_rigs: int


class TagsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    tags: list[TagUse]


class TagsOfRigs(msgspec.Struct, frozen=True, kw_only=True):
    """The tags that rigs get and lose: those of a selection, or those with these ids. Kind null: both kinds."""

    select: str | None = None
    rigs: Annotated[list[RigId], Meta(max_length=RIGS_OF_A_REQUEST)] | None = None
    kind: RigKind | None = None
    add: Annotated[list[TagText], Meta(max_length=TAGS_OF_A_RIG)] = []
    remove: Annotated[list[TagText], Meta(max_length=1_000)] = []


class TagsChanged(msgspec.Struct, frozen=True):
    """The number of rigs that have other tags than before."""

    changed: int


@get("/api/v1/tags", responses=problems(401), tags=["tags"], security=BEARER)
async def list_tags(lives: NamedDependency[Lives]) -> TagsAnswer:
    """All tags, by name."""
    return TagsAnswer(tags=tag_uses(lives))


@post("/api/v1/tags", status_code=200, responses=problems(400, 401, 404, 413, 415, 422), tags=["tags"], security=BEARER)
async def change_tags_of_rigs(
    data: Annotated[TagsOfRigs, Body()], lives: NamedDependency[Lives], database: NamedDependency[Database]
) -> TagsChanged:
    """Add tags to rigs and remove tags from them, all at once or not at all."""
    change = TagChange(checked_tags(data.add), tuple(data.remove))
    return TagsChanged(changed=await change_tags(database, lives, targets_of(data, lives), change))


def tag_uses(lives: Lives) -> list[TagUse]:
    counts = {
        kind: Counter(tag for state in live.index.rigs.values() for tag in state.tags) for kind, live in lives.items()
    }
    cpu_gpu, asic = counts[RigKind.CPU_GPU], counts[RigKind.ASIC]
    return [
        TagUse(tag=tag, cpu_gpu_rigs=cpu_gpu[tag], asic_rigs=asic[tag])
        for tag in sorted(cpu_gpu.keys() | asic.keys(), key=tag_key)
    ]


def targets_of(data: TagsOfRigs, lives: Lives) -> dict[RigKind, set[int]]:
    """Returns the ids of the rigs that are meant. Raises `BadSelection`, `BadTargets` or `RigNotFound`."""
    if (data.select is None) is (data.rigs is None):
        raise BadTargets("Give either select or rigs: a selection, or the ids of rigs.")
    kinds = [data.kind] if data.kind else list(RigKind)
    if data.rigs is None:
        return {kind: {state.id for state in chosen(lives[kind], data.select)} for kind in kinds}
    targets = {kind: set(data.rigs) & lives[kind].index.rigs.keys() for kind in kinds}
    if missing := set(data.rigs).difference(*targets.values()):
        raise RigNotFound(f"There is no rig with the id {min(missing)}; it may have been removed.")
    if both := set.intersection(*targets.values()) if len(kinds) > 1 else None:
        raise BadTargets(f"A CPU/GPU rig and an ASIC have the id {min(both)}. Name the kind: cpu-gpu or asic.")
    return targets


HANDLERS: list[HTTPRouteHandler] = [list_tags, change_tags_of_rigs]
