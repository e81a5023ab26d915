"""Commands for people's scripts."""

from datetime import timedelta
from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, get, post
from litestar.di import NamedDependency
from litestar.params import Body, FromPath, QueryParameter
from litestar.types import ControllerRouterHandler
from protocol.command_messages import CommandArguments

from commander.accounts.domain import User, author_of, check_role
from commander.commands import actions, store, target_store
from commander.commands.actions import Made, Notify, Order
from commander.commands.domain import (
    REASON_MAX_LENGTH,
    VALID_FOR,
    Batch,
    NotATarget,
    checked_action,
    checked_arguments,
    least_role_for,
)
from commander.commands.responses import (
    CommandResponse,
    CommandsResponse,
    MadeResponse,
    ResultResponse,
    command_response,
)
from commander.commands.targets import chosen_rigs
from commander.commands.updates import with_wheels
from commander.db import Database
from commander.live.rigs import LiveRigs
from commander.web.api_docs import BEARER, problems
from commander.wheels.store import WheelStore

AnyRequest = Request[Any, Any, Any]
RigId = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
Rigs = Annotated[list[RigId], msgspec.Meta(max_length=10_000)]


class BatchBody(msgspec.Struct, frozen=True, kw_only=True):
    """`size` rigs at a time; no further ones after `max_failures` failures.

    `growing`: 1 rig first; when that is done, `size` more; when those are done, all others.
    """

    size: Annotated[int, msgspec.Meta(ge=1, le=10_000)]
    max_failures: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 2
    growing: bool = False


class CommandBody(msgspec.Struct, frozen=True, kw_only=True):
    """The rigs are named (`rigs`) or chosen by a selection (`select`), which counts as of now.

    Without `batch` it is 10 % of the rigs at a time, and at least 5; it stops after 2 failures. An update begins with 1
    rig, then 10 %, then all. A rig that has not begun `valid_s` seconds after its turn has come never begins.
    """

    action: Annotated[str, msgspec.Meta(max_length=64)]
    select: Annotated[str, msgspec.Meta(max_length=10_000)] | None = None
    rigs: Rigs | None = None
    arguments: CommandArguments | None = None
    reason: Annotated[str, msgspec.Meta(max_length=REASON_MAX_LENGTH)] = ""
    batch: BatchBody | None = None
    valid_s: Annotated[int, msgspec.Meta(ge=10, le=86_400)] = int(VALID_FOR.total_seconds())


class CommandsApi(Controller):
    """Commands of the closed set, and the state of each for each rig."""

    path = "/api/v1/commands"
    tags = ("commands",)
    security = BEARER

    @post(status_code=202, responses=problems(400, 401, 413, 415, 422))
    async def make_command(
        self,
        data: Annotated[CommandBody, Body()],
        request: AnyRequest,
        live: NamedDependency[LiveRigs],
        database: NamedDependency[Database],
        notify_commands: NamedDependency[Notify],
        wheel_store: NamedDependency[WheelStore],
    ) -> MadeResponse:
        """Tell CPU/GPU rigs to do something; each rig's state is in the command's `targets`."""
        order = await order_of(data, live, wheel_store, made_by=author_of(request.user))
        check_role(request.user, least_role_for(order.action))
        return made_response(await actions.make_command(database, notify_commands, order))

    @get(responses=problems(400, 401, 422))
    async def list_commands(
        self,
        database: NamedDependency[Database],
        limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
    ) -> CommandsResponse:
        """The newest commands, newest first."""
        async with database.reading() as db:
            newest = await store.newest_commands(db, limit)
            found = [command_response(each, await target_store.targets_of(db, each.id)) for each in newest]
        return CommandsResponse(commands=found)

    @get("/{command_id:int}", responses=problems(400, 401, 404))
    async def show_command(self, command_id: FromPath[int], database: NamedDependency[Database]) -> CommandResponse:
        """One command with the state of each rig."""
        return await _shown(database, command_id)

    @post("/{command_id:int}/cancel", status_code=200, responses=problems(400, 401, 404))
    async def cancel_command(
        self,
        command_id: FromPath[int],
        request: AnyRequest,
        database: NamedDependency[Database],
        notify_commands: NamedDependency[Notify],
    ) -> CommandResponse:
        """Stop it: rigs that have not begun never begin."""
        await actions.cancel(database, notify_commands, command_id, by=author_of(request.user))
        return await _shown(database, command_id)

    @post("/{command_id:int}/retry", status_code=202, responses=problems(400, 401, 404, 409))
    async def retry_command(
        self,
        command_id: FromPath[int],
        request: AnyRequest,
        database: NamedDependency[Database],
        notify_commands: NamedDependency[Notify],
    ) -> MadeResponse:
        """Give the rigs that failed, expired, refused or were stopped another turn."""
        await check_may_repeat(database, command_id, request.user)
        return made_response(await actions.retry(database, notify_commands, command_id))

    @get("/{command_id:int}/rigs/{rig_id:int}", responses=problems(400, 401, 404))
    async def show_result(
        self, command_id: FromPath[int], rig_id: FromPath[int], database: NamedDependency[Database]
    ) -> ResultResponse:
        """The answer of one rig: the findings of `diagnose`, the logs of `fetch_log`."""
        return await result_of(database, command_id, rig_id)


HANDLERS: list[ControllerRouterHandler] = [CommandsApi]


async def order_of(data: CommandBody, live: LiveRigs, wheel_store: WheelStore, *, made_by: str) -> Order:
    """Raises `UnknownAction`, `BadArguments`, `BadSelection` or `NoTargets`."""
    action = checked_action(data.action)
    arguments = checked_arguments(action, data.arguments or CommandArguments())
    return Order(
        action=action,
        rig_ids=chosen_rigs(live, select=data.select, rig_ids=data.rigs),
        made_by=made_by,
        arguments=await with_wheels(action, arguments, wheel_store),
        reason=data.reason,
        selection=data.select,
        batch=None if data.batch is None else Batch(data.batch.size, data.batch.max_failures, data.batch.growing),
        valid_for=timedelta(seconds=data.valid_s),
    )


async def check_may_repeat(database: Database, command_id: int, user: User) -> None:
    """Raises `RoleTooLow` if the user's role is too low for the command's action."""
    async with database.reading() as db:
        command = await store.get_command(db, command_id)
    check_role(user, least_role_for(command.action))


async def _shown(database: Database, command_id: int) -> CommandResponse:
    async with database.reading() as db:
        command = await store.get_command(db, command_id)
        return command_response(command, await target_store.targets_of(db, command_id))


def made_response(made: Made) -> MadeResponse:
    return MadeResponse(id=made.id, targets=made.targets, overlaps=made.overlaps)


async def result_of(database: Database, command_id: int, rig_id: int) -> ResultResponse:
    """Raises `CommandNotFound` or `NotATarget`."""
    async with database.reading() as db:
        await store.get_command(db, command_id)
        target = next((each for each in await target_store.targets_of(db, command_id) if each.rig_id == rig_id), None)
        if target is None:
            raise NotATarget("This command was not for this rig.")
        findings, logs = await store.get_result(db, command_id, rig_id)
    return ResultResponse(
        command_id=command_id,
        rig_id=rig_id,
        name=target.name,
        changed_at=target.changed_at,
        findings=findings,
        logs=logs,
    )
