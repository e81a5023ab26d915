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
from commander.addresses import api as address_api
from commander.addresses import pages as address_pages
from commander.error_handlers import exception_handlers
from commander.history import api as history_api
from commander.intake import asic_sentry_api, sentry_api
from commander.live import inbox_endpoint
from commander.live.sockets import events_socket, page_socket
from commander.metrics import metrics
from commander.playbooks import api as playbook_api
from commander.playbooks import form_pages as playbook_form_pages
from commander.playbooks import pages as playbook_pages
from commander.playbooks import sentry_api as playbook_sentry_api
from commander.registry.kinds import PATHS, RigKind
from commander.rig_pages import log_pages
from commander.rig_pages import pages as rig_pages
from commander.rig_pages.live_views import view_from_query
from commander.rigs import asic_api
from commander.rigs import cpu_gpu_api as rig_api
from commander.services import Services
from commander.settings_pages import pages as account_pages
from commander.settings_pages import site_tokens as site_pages
from commander.settings_pages import site_tokens_api as account_api
from commander.software import api as software_api
from commander.software import pages as software_pages
from commander.tags import api as tags_api
from commander.web import public
from commander.web.assets import asset_file
from commander.web.body_gate import FORM_LIMITS
from commander.web.openapi import OpenApiDocument, openapi_config, openapi_json, write_document

HANDLERS: list[ControllerRouterHandler] = [
    *rig_api.HANDLERS,
    *sentry_api.HANDLERS,
    *asic_sentry_api.HANDLERS,
    *account_api.HANDLERS,
    *inbox_endpoint.HANDLERS,
    *playbook_sentry_api.HANDLERS,
    *address_api.HANDLERS,
    *software_api.HANDLERS,
    *playbook_api.HANDLERS,
    *history_api.HANDLERS,
    *tags_api.HANDLERS,
    rig_pages.root,
    *account_pages.HANDLERS,
    *address_pages.HANDLERS,
    *software_pages.HANDLERS,
    *playbook_pages.HANDLERS,
    *playbook_form_pages.HANDLERS,
    *site_pages.HANDLERS,
    public.healthz,
    public.ca_pem,
    metrics,
    openapi_json,
    page_socket,
    events_socket,
    asset_file,
]


def make_routes(services: Services, lifespan: Callable[[Litestar], AbstractAsyncContextManager[None]]) -> Litestar:
    """Pages and APIs. A handler that is not listed here is not reached."""
    provided = {
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
        "address_actions": services.address_actions,
        "software_actions": services.software_actions,
        "view_from_query": partial(view_from_query, services.views.values()),
        "collect_metrics": services.metrics,
        "check_queue": services.check_queue,
        **_of_kind(services, RigKind.CPU_GPU),
    }

    @cache
    def openapi() -> OpenApiDocument:
        return write_document(made)

    made = Litestar(
        route_handlers=[*HANDLERS, *_of_both_kinds(services)],
        dependencies=_provided(provided)
        | {"openapi": Provide(openapi, sync_to_thread=False)}
        | {"certificate": Provide(lambda: services.certificate, sync_to_thread=False)},
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
    pages = [*rig_pages.HANDLERS, *log_pages.HANDLERS]
    return [
        Router(PATHS[RigKind.CPU_GPU], route_handlers=pages),
        Router(PATHS[RigKind.ASIC], route_handlers=pages, dependencies=asics),
        Router("/", route_handlers=asic_api.HANDLERS, dependencies=asics),
    ]


def _of_kind(services: Services, kind: RigKind) -> dict[str, object]:
    return {"live": services.lives[kind], "rig_actions": services.rig_actions[kind], "views": services.views[kind]}


def _provided(given: Mapping[str, object]) -> dict[str, Provide]:
    return {name: Provide(_always(part), sync_to_thread=False) for name, part in given.items()}


def _always(part: object) -> Callable[[], object]:
    return lambda: part
