"""Accesses for people's scripts."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from litestar import Controller, Request, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import Body, FromPath
from litestar.types import ControllerRouterHandler
from msgspec import UNSET, UnsetType

from commander.accounts.access_actions import AccessActions
from commander.accounts.access_domain import Access
from commander.accounts.confirmations import Confirmations
from commander.accounts.domain import Role, Session
from commander.web.api_docs import BEARER, problems

Name = Annotated[str, msgspec.Meta(max_length=200)]
Password = Annotated[str, msgspec.Meta(max_length=1024)]
PersonsRole = Literal["view", "operate", "own"]


class AccessBody(msgspec.Struct, frozen=True, kw_only=True):
    """Without a password one is made; the answer has it, this once."""

    name: Name
    role: PersonsRole
    password: Password | None = None


class AccessChange(msgspec.Struct, frozen=True, kw_only=True):
    """A field that is left out stays as it is.

    A new password ends the sessions of the access. `totp` can only be switched off.
    """

    name: Name | UnsetType = UNSET
    role: PersonsRole | UnsetType = UNSET
    password: Password | UnsetType = UNSET
    totp: Literal[False] | UnsetType = UNSET


class AccessAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An access. `totp`: it has a second factor."""

    id: int
    name: str
    role: str
    totp: bool
    created_at: datetime


class AccessesAnswer(msgspec.Struct, frozen=True, kw_only=True):
    accesses: list[AccessAnswer]


class NewAccessAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`password` is the one that was made; null if the request had one."""

    id: int
    name: str
    role: str
    totp: bool
    created_at: datetime
    password: str | None


class Confirmation(msgspec.Struct, frozen=True, kw_only=True):
    """The password; or a code, for an access with a second factor."""

    password: Password = ""
    code: Annotated[str, msgspec.Meta(max_length=64)] = ""


class AccessesApi(Controller):
    """The people who may log in. The access `owner` has the commander's own password and is always there."""

    path = "/api/v1/accesses"
    tags = ("access",)
    security = BEARER

    @get(responses=problems(401))
    async def list_accesses(self, access_actions: NamedDependency[AccessActions]) -> AccessesAnswer:
        """All accesses, the owner's first."""
        return AccessesAnswer(accesses=[_answer(each) for each in await access_actions.all()])

    @post(responses=problems(400, 401, 409, 413, 415, 422))
    async def add_access(
        self, data: Annotated[AccessBody, Body()], access_actions: NamedDependency[AccessActions]
    ) -> NewAccessAnswer:
        """Add a person, with a name, a role and a password of at least 12 characters."""
        access, made = await access_actions.add(data.name, Role(data.role), data.password)
        return NewAccessAnswer(**msgspec.structs.asdict(_answer(access)), password=made)

    @patch("/{access_id:int}", responses=problems(400, 401, 404, 409, 413, 415, 422))
    async def change_access(
        self,
        access_id: FromPath[int],
        data: Annotated[AccessChange, Body()],
        access_actions: NamedDependency[AccessActions],
    ) -> AccessAnswer:
        """Change a name, role or password, or switch a second factor off."""
        changed = await access_actions.change(
            access_id,
            name=None if data.name is UNSET else data.name,
            role=None if data.role is UNSET else Role(data.role),
            password=None if data.password is UNSET else data.password,
            forget_second_factor=data.totp is not UNSET,
        )
        return _answer(changed)

    @delete("/{access_id:int}", responses=problems(400, 401, 404, 409))
    async def remove_access(self, access_id: FromPath[int], access_actions: NamedDependency[AccessActions]) -> None:
        """Remove an access. Its sessions end at once."""
        await access_actions.remove(access_id)


@post(
    "/api/v1/confirmation",
    status_code=204,
    responses=problems(400, 401, 413, 415, 422),
    tags=["access"],
    security=BEARER,
)
async def confirm(
    data: Annotated[Confirmation, Body()],
    request: Request[Any, Any, Any],
    confirmations: NamedDependency[Confirmations],
) -> None:
    """Type the password again, for scripts of a browser's session; an API key needs no confirmation."""
    if isinstance(request.user, Session):
        await confirmations.confirm(request.user, password=data.password, code=data.code)


HANDLERS: list[ControllerRouterHandler] = [AccessesApi, confirm]


def _answer(access: Access) -> AccessAnswer:
    return AccessAnswer(
        id=access.id, name=access.name, role=access.role, totp=access.totp, created_at=access.created_at
    )
