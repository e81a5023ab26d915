"""Farm tokens for people's scripts."""

from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, delete, get, post
from litestar.di import NamedDependency
from litestar.params import Body, FromPath
from litestar.types import ControllerRouterHandler
from msgspec import Meta
from protocol.tokens import Token

from commander.accounts.domain import author_of
from commander.farm_tokens.actions import FarmTokenActions
from commander.farm_tokens.domain import (
    PATTERN_MAX_LENGTH,
    USES_MOST,
    USUAL_PATTERN,
    USUAL_USES,
    USUAL_VALIDITY,
    VALIDITY_LEAST,
    VALIDITY_MOST,
    FarmToken,
    FarmTokenState,
)
from commander.registry.names import NAME_MAX_LENGTH, enroll_command
from commander.settings import Settings
from commander.tags.domain import TAG_MAX_LENGTH, TAGS_OF_A_RIG
from commander.web.api_docs import BEARER, problems

AnyRequest = Request[Any, Any, Any]
TagText = Annotated[str, Meta(max_length=TAG_MAX_LENGTH)]
_LEAST_S, _MOST_S = int(VALIDITY_LEAST.total_seconds()), int(VALIDITY_MOST.total_seconds())


class FarmTokenBody(msgspec.Struct, frozen=True, kw_only=True):
    """A token with which `uses` rigs enroll by themselves. They get the `tags`, and names by the `name_pattern`.

    The pattern has `{hostname}`, and `{n}` or `{n:03}` for a number. With `approve_by_hand`, each rig waits for
    approval before it gets playbooks and commands.
    """

    name: Annotated[str, Meta(max_length=NAME_MAX_LENGTH)] = ""
    uses: Annotated[int, Meta(ge=1, le=USES_MOST)] = USUAL_USES
    expires_in_s: Annotated[int, Meta(ge=_LEAST_S, le=_MOST_S)] = int(USUAL_VALIDITY.total_seconds())
    name_pattern: Annotated[str, Meta(max_length=PATTERN_MAX_LENGTH)] = USUAL_PATTERN
    tags: Annotated[list[TagText], Meta(max_length=TAGS_OF_A_RIG)] = []
    approve_by_hand: bool = True


class FarmTokenFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Fields of every farm token. `used` of its `uses` are spent."""

    id: int
    name: str
    state: FarmTokenState
    uses: int
    used: int
    name_pattern: str
    tags: list[str]
    approve_by_hand: bool
    created_at: datetime
    expires_at: datetime
    made_by: str


class FarmTokenAnswer(FarmTokenFacts, frozen=True, kw_only=True):
    """A farm token, without its text."""


class FarmTokenWithText(FarmTokenFacts, frozen=True, kw_only=True):
    """The token can be read here and never again; `enroll_command` is what to type on each rig."""

    token: str
    commander_url: str
    enroll_command: str


class FarmTokensAnswer(msgspec.Struct, frozen=True, kw_only=True):
    farm_tokens: list[FarmTokenAnswer]


class FarmTokensApi(Controller):
    """Tokens with which many rigs enroll by themselves."""

    path = "/api/v1/farm-tokens"
    tags = ("rigs",)
    security = BEARER

    @get(responses=problems(401))
    async def list_farm_tokens(self, farm_token_actions: NamedDependency[FarmTokenActions]) -> FarmTokensAnswer:
        """All farm tokens, newest first. One that has ended is listed for 90 days more."""
        now = await farm_token_actions.now()
        found = await farm_token_actions.all()
        return FarmTokensAnswer(farm_tokens=[FarmTokenAnswer(**facts_of(each, now)) for each in found])

    @post(responses=problems(400, 401, 413, 415, 422))
    async def make_farm_token(
        self,
        data: Annotated[FarmTokenBody, Body()],
        request: AnyRequest,
        farm_token_actions: NamedDependency[FarmTokenActions],
        settings: NamedDependency[Settings],
    ) -> FarmTokenWithText:
        """Make a farm token. Its text is in this answer only."""
        made, token = await farm_token_actions.make(
            name=data.name,
            name_pattern=data.name_pattern,
            tags=data.tags,
            approve_by_hand=data.approve_by_hand,
            uses=data.uses,
            valid_for=timedelta(seconds=data.expires_in_s),
            made_by=author_of(request.user),
        )
        return _with_text(made, token, settings.public_url)

    @delete("/{farm_token_id:int}", responses=problems(400, 401, 404))
    async def revoke_farm_token(
        self, farm_token_id: FromPath[int], farm_token_actions: NamedDependency[FarmTokenActions]
    ) -> None:
        """Let no further rig enroll with it. The rigs that have enrolled stay."""
        await farm_token_actions.revoke(farm_token_id)


HANDLERS: list[ControllerRouterHandler] = [FarmTokensApi]


def _with_text(made: FarmToken, token: Token, url: str) -> FarmTokenWithText:
    facts = facts_of(made, made.created_at)
    command = enroll_command(url, token)
    return FarmTokenWithText(**facts, token=str(token), commander_url=url, enroll_command=command)


def facts_of(each: FarmToken, now: datetime) -> Any:
    """Returns the fields of `FarmTokenFacts` by name."""
    return {
        "id": each.id,
        "name": each.name,
        "state": each.state(now),
        "uses": each.uses,
        "used": each.used,
        "name_pattern": each.name_pattern,
        "tags": list(each.tags),
        "approve_by_hand": each.approve_by_hand,
        "created_at": each.created_at,
        "expires_at": each.expires_at,
        "made_by": each.made_by,
    }
