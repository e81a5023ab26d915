"""Requests of scripts about rigs of either kind."""

from typing import Annotated

import msgspec
from litestar.params import QueryParameter
from msgspec import UNSET, Meta, UnsetType

from commander.rigs.actions import RigActions
from commander.selections.domain import LINE_MAX_LENGTH
from commander.tags.domain import TAG_MAX_LENGTH, TAGS_OF_A_RIG, checked_tags
from commander.web.names import NAME_SCHEMA

Select = Annotated[
    str | None,
    QueryParameter(
        name="select",
        description=f"Only rigs that match this selection, of at most {LINE_MAX_LENGTH} characters. "
        "Example: tag:hall:2 gpu:3080 -health:offline temperature>80",
    ),
]
TagText = Annotated[str, Meta(max_length=TAG_MAX_LENGTH)]


class RigChange(msgspec.Struct, frozen=True):
    """A new name, other tags, or both. What is left out stays."""

    name: Annotated[str, Meta(extra_json_schema=NAME_SCHEMA)] | UnsetType = UNSET
    tags: Annotated[list[TagText], Meta(max_length=TAGS_OF_A_RIG)] | UnsetType = UNSET


async def change_rig(actions: RigActions, rig_id: int, change: RigChange, *, author: str) -> None:
    """Raises `BadName`, `NameTaken`, `BadTag` or `RigNotFound`."""
    name = None if change.name is UNSET else change.name
    tags = None if change.tags is UNSET else checked_tags(change.tags)
    await actions.update(rig_id, name=name, tags=tags, author=author)
