"""Addresses for people's scripts."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import Body, FromPath
from litestar.types import ControllerRouterHandler

from commander.accounts.domain import author_of
from commander.addresses.actions import AddressActions, AddressWithUses
from commander.addresses.domain import AddressKind
from commander.dependents import UseAnswer, use_answers
from commander.web.api_docs import BEARER, problems


class AddressBody(msgspec.Struct, frozen=True, kw_only=True):
    """A pool is `host:port`, with a scheme such as `stratum+ssl://` if it needs one; only a pool may have no coin."""

    type: AddressKind
    name: Annotated[str, msgspec.Meta(max_length=200)]
    address: Annotated[str, msgspec.Meta(max_length=2000)]
    coin: Annotated[str, msgspec.Meta(max_length=200)] | None = None


class AddressAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`used_by` are the playbooks that name it; as long as there are any, it can't be removed."""

    id: int
    type: AddressKind
    name: str
    coin: str | None
    address: str
    used_by: list[UseAnswer]


class AddressesApi(Controller):
    """Templates: pools and wallets that playbooks use."""

    path = "/api/v1/addresses"
    tags = ("addresses",)
    security = BEARER

    @get(responses=problems(401))
    async def list_addresses(self, address_actions: NamedDependency[AddressActions]) -> list[AddressAnswer]:
        """All of them, pools first, by name."""
        return [address_answer(entry) for entry in await address_actions.all()]

    @post(responses=problems(400, 401, 409, 413, 415, 422))
    async def add_address(
        self, data: Annotated[AddressBody, Body()], address_actions: NamedDependency[AddressActions]
    ) -> AddressAnswer:
        """Add one; a wallet's checksum is verified where its coin has one."""
        return address_answer(
            AddressWithUses(await address_actions.add(data.type, data.name, data.coin, data.address), [])
        )

    @put("/{address_id:int}", responses=problems(400, 401, 404, 409, 413, 415, 422))
    async def change_address(
        self,
        address_id: FromPath[int],
        data: Annotated[AddressBody, Body()],
        request: Request[Any, Any, Any],
        address_actions: NamedDependency[AddressActions],
    ) -> AddressAnswer:
        """Change one; playbooks that use it get a new revision, and their rigs restart what they mine with."""
        author = author_of(request.user)
        changed = await address_actions.change(
            address_id, data.type, data.name, data.coin, data.address, author=author, confirmed=True
        )
        return address_answer(changed)

    @delete("/{address_id:int}", responses=problems(400, 401, 404, 409))
    async def remove_address(self, address_id: FromPath[int], address_actions: NamedDependency[AddressActions]) -> None:
        """Remove one that no playbook uses; 409 `in_use` names those that do."""
        await address_actions.remove(address_id)


def address_answer(entry: AddressWithUses) -> AddressAnswer:
    about = entry.address
    return AddressAnswer(
        id=about.id,
        type=about.kind,
        name=about.name,
        coin=about.coin,
        address=about.address,
        used_by=use_answers(entry.used_by),
    )


HANDLERS: list[ControllerRouterHandler] = [AddressesApi]
