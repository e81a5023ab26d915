"""Every page and call of the commander, and what they may ask for by name."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import cache, partial

from litestar import Litestar, Router
from litestar.di import Provide
from litestar.middleware import DefineMiddleware
from litestar.routes import HTTPRoute
from litestar.types import ControllerRouterHandler

from commander.accounts.auth import Authentication
from commander.error_handlers import exception_handlers
from commander.history import api as history_api
from commander.live import inbox_endpoint
from commander.live.sockets import events_socket, page_socket
from commander.metrics import metrics
from commander.nouns import NOUNS
from commander.registry.kinds import PATHS, RigKind
from commander.running import metrics_of
from commander.services import Services
from commander.web import public
from commander.web.assets import asset_file
from commander.web.body_gate import FORM_LIMITS
from commander.web.openapi import OpenApiDocument, openapi_config, openapi_json, write_document
from commander.web.shell import set_navigation

HANDLERS: list[ControllerRouterHandler] = [
    *inbox_endpoint.HANDLERS,
    *history_api.HANDLERS,
    public.healthz,
    public.ca_pem,
    metrics,
    openapi_json,
    page_socket,
    events_socket,
    asset_file,
]


def make_routes(services: Services, lifespan: Callable[[Litestar], AbstractAsyncContextManager[None]]) -> Litestar:
    """Pages and APIs. A handler that neither stands here nor in a noun is not reached."""
    set_navigation([section for noun in NOUNS for section in noun.sections])
    dependencies = {
        "settings": services.settings,
        "database": services.database,
        "channels": services.channels,
        "lives": services.lives,
        "tokens": services.tokens,
        "account_actions": services.account_actions,
        "site_token_actions": services.site_token_actions,
        "adoption_actions": services.adoption_actions,
        "playbook_sync": services.playbook_sync,
        "playbook_actions": services.playbook_actions,
        "all_rig_actions": services.rig_actions,
        "live_views": services.live_views,
        "collect_metrics": partial(metrics_of, services),
        "check_queue": services.check_queue,
        **{name: part for noun in services.nouns for name, part in noun.dependencies.items()},
        **_of_kind(services, RigKind.CPU_GPU),
    }

    @cache
    def openapi() -> OpenApiDocument:
        return write_document(made)

    made = Litestar(
        route_handlers=[*HANDLERS, *(each for noun in NOUNS for each in noun.handlers), *_of_both_kinds(services)],
        dependencies=_provided(dependencies)
        | {"openapi": Provide(openapi, sync_to_thread=False)}
        | {"certificate": Provide(lambda: services.certificate.facts, sync_to_thread=False)},
        middleware=[DefineMiddleware(Authentication, account_actions=services.account_actions)],
        exception_handlers=exception_handlers,
        lifespan=[lifespan],
        request_max_body_size=None,  # `BodyGate` has limits for each kind of body
        multipart_form_part_limit=FORM_LIMITS.fields,
        openapi_config=openapi_config(),
        logging_config=None,
    )
    return made


def methods_of(site: Litestar) -> dict[str, list[str]]:
    """Returns the methods of each path template."""
    return {route.path_format: sorted(route.methods) for route in site.routes if isinstance(route, HTTPRoute)}


def _of_both_kinds(services: Services) -> list[Router]:
    """Handlers that ask for `live`, `rig_actions` and `views` get those of the kind whose router they stand in."""
    asics = _provided(_of_kind(services, RigKind.ASIC))
    pages = [each for noun in NOUNS for each in noun.rig_handlers]
    return [
        Router(PATHS[RigKind.CPU_GPU], route_handlers=pages),
        Router(PATHS[RigKind.ASIC], route_handlers=pages, dependencies=asics),
    ]


def _of_kind(services: Services, kind: RigKind) -> dict[str, object]:
    own = {name: parts[kind] for noun in services.nouns for name, parts in noun.of_kind.items()}
    return {"live": services.lives[kind], "rig_actions": services.rig_actions[kind], **own}


def _provided(dependencies: Mapping[str, object]) -> dict[str, Provide]:
    return {name: Provide(_always(value), sync_to_thread=False) for name, value in dependencies.items()}


def _always(value: object) -> Callable[[], object]:
    return lambda: value
