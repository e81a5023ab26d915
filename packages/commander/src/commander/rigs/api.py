"""The API for scripts of one kind of rig. `cpu_gpu_api` and `asic_api` have the differences."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from litestar import Request, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import Body, FromPath
from msgspec import UNSET
from protocol.tokens import Token

from commander.accounts.domain import Role, author_of, check_role
from commander.db import Database
from commander.live.responses import StatsAnswer, stats_answer
from commander.live.rig_state import RigState
from commander.live.rigs import Lives
from commander.raw_logs.pagination import Cursor, Limit, RawLogPage, Since, Until, log_page
from commander.registry.kinds import RigKind
from commander.rigs.actions import RigActions
from commander.rigs.changes import RigChange, Select, change_rig
from commander.selections.choice import chosen
from commander.settings import Settings
from commander.web.api_docs import BEARER, problems
from commander.web.names import NewName

Handler = TypeVar("Handler", bound=Callable[..., Any])
RigActionsByKind = Mapping[RigKind, RigActions]


@dataclass(frozen=True, kw_only=True)
class KindApi:
    """The differences between kinds of rigs: addresses, words of the documentation, structs and their functions.

    `infix` makes the operations' names distinct from those of the other kind.
    """

    kind: RigKind
    tag: str
    noun: str
    a_noun: str
    plural: str
    infix: str
    about_removal: str
    about_stats: str
    answer: type
    answer_of: Callable[[RigState], object]
    with_token: type
    with_token_of: Callable[[RigState, Token, Settings], object]
    log_page: type
    log_page_of: Callable[[RawLogPage], object]

    @property
    def path(self) -> str:
        return f"/api/v1/{self.kind}-rigs"

    @property
    def one(self) -> str:
        return f"{self.path}/{{rig_id:int}}"

    @property
    def documented(self) -> dict[str, Any]:
        return {"tags": [self.tag], "security": BEARER}


def handlers_of(api: KindApi) -> list[HTTPRouteHandler]:
    return [make(api) for make in (_list, _add, _show, _update, _remove, _replace_token, _list_logs, _stats)]


def _described(handler: Handler, name: str, about: str, answer: type | None) -> Handler:
    """Gives a handler the name, the text and the type of its answer that the OpenAPI document shows."""
    handler.__name__, handler.__doc__ = name, about
    handler.__annotations__["return"] = answer
    return handler


def _list(api: KindApi) -> HTTPRouteHandler:
    async def list_rigs(lives: NamedDependency[Lives], select: Select = None) -> Any:
        return [api.answer_of(state) for state in chosen(lives[api.kind], select)]

    about = f"All {api.plural}, by name."
    described = _described(list_rigs, f"list_{api.infix or 'rig'}s", about, list[api.answer])  # type: ignore[name-defined]
    return get(api.path, responses=problems(401, 422), **api.documented)(described)


def _add(api: KindApi) -> HTTPRouteHandler:
    async def add(
        data: Annotated[NewName, Body()],
        all_rig_actions: NamedDependency[RigActionsByKind],
        lives: NamedDependency[Lives],
        settings: NamedDependency[Settings],
    ) -> Any:
        rig, token = await all_rig_actions[api.kind].add(data.name)
        return api.with_token_of(lives[api.kind].find(rig.id), token, settings)

    described = _described(add, f"add_{api.infix or 'rig'}", f"Add {api.a_noun} and get its token.", api.with_token)
    return post(api.path, responses=problems(400, 401, 409, 413, 415, 422), **api.documented)(described)


def _show(api: KindApi) -> HTTPRouteHandler:
    async def show(rig_id: FromPath[int], lives: NamedDependency[Lives]) -> Any:
        return api.answer_of(lives[api.kind].find(rig_id))

    about = f"One {api.noun} with its health, specs and last log."
    described = _described(show, f"show_{api.infix or 'rig'}", about, api.answer)
    return get(api.one, responses=problems(400, 401, 404), **api.documented)(described)


def _update(api: KindApi) -> HTTPRouteHandler:
    async def update(
        rig_id: FromPath[int],
        data: Annotated[RigChange, Body()],
        request: Request[Any, Any, Any],
        all_rig_actions: NamedDependency[RigActionsByKind],
        lives: NamedDependency[Lives],
    ) -> Any:
        live = lives[api.kind]
        if data.name is not UNSET:
            check_role(request.user, Role.OWN)
        await change_rig(all_rig_actions[api.kind], live.find(rig_id).id, data, author=author_of(request.user))
        return api.answer_of(live.find(rig_id))

    about = f"Rename {api.a_noun}, replace its tags, or both."
    described = _described(update, f"update_{api.infix or 'rig'}", about, api.answer)
    return patch(api.one, responses=problems(400, 401, 404, 409, 413, 415, 422), **api.documented)(described)


def _remove(api: KindApi) -> HTTPRouteHandler:
    async def remove(
        rig_id: FromPath[int],
        all_rig_actions: NamedDependency[RigActionsByKind],
        lives: NamedDependency[Lives],
    ) -> None:
        await all_rig_actions[api.kind].remove(lives[api.kind].find(rig_id).id)

    described = _described(remove, f"remove_{api.infix or 'rig'}", api.about_removal, None)
    return delete(api.one, responses=problems(400, 401, 404), **api.documented)(described)


def _replace_token(api: KindApi) -> HTTPRouteHandler:
    async def replace_token(
        rig_id: FromPath[int],
        all_rig_actions: NamedDependency[RigActionsByKind],
        lives: NamedDependency[Lives],
        settings: NamedDependency[Settings],
    ) -> Any:
        rig = lives[api.kind].find(rig_id)
        return api.with_token_of(rig, await all_rig_actions[api.kind].new_token(rig.id), settings)

    name = f"replace_{api.infix}_token" if api.infix else "replace_token"
    described = _described(replace_token, name, "A new token; the old one stops working immediately.", api.with_token)
    return post(f"{api.one}/token", responses=problems(400, 401, 404), **api.documented)(described)


def _list_logs(api: KindApi) -> HTTPRouteHandler:
    async def list_logs(
        rig_id: FromPath[int],
        lives: NamedDependency[Lives],
        database: NamedDependency[Database],
        since: Since = None,
        until: Until = None,
        limit: Limit = 100,
        cursor: Cursor = None,
    ) -> Any:
        rig = lives[api.kind].find(rig_id)
        page = await log_page(database, api.kind, rig.id, since=since, until=until, limit=limit, cursor=cursor)
        return api.log_page_of(page)

    about = f"The {api.noun}'s raw logs with from <= taken_at < to, newest first."
    described = _described(list_logs, f"list_{api.infix}_logs" if api.infix else "list_logs", about, api.log_page)
    return get(f"{api.one}/logs", responses=problems(400, 401, 404, 422), **api.documented)(described)


def _stats(api: KindApi) -> HTTPRouteHandler:
    async def stats(lives: NamedDependency[Lives]) -> Any:
        return stats_answer(lives[api.kind].index)

    described = _described(stats, f"{api.infix}_stats" if api.infix else "stats", api.about_stats, StatsAnswer)
    return get(f"/api/v1/{api.kind}-stats", responses=problems(401), **api.documented)(described)
