"""Every page and call of the commander, and what they may ask for by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import cast

from litestar import Litestar, Router
from litestar.di import Provide
from litestar.middleware import DefineMiddleware
from litestar.routes import HTTPRoute
from litestar.types import ControllerRouterHandler, Receive, Scope, Send

from commander.accounts.actions import AccountActions
from commander.accounts.auth import Authentication
from commander.accounts.confirmations import Confirmations
from commander.accounts.route_roles import set_rights
from commander.error_handlers import exception_handlers
from commander.history import api as history_api
from commander.live import inbox_endpoint
from commander.live.sockets import events_socket, page_socket
from commander.metrics import metrics
from commander.noun import Noun
from commander.nouns import NOUNS
from commander.registry.kinds import PATHS, RigKind
from commander.running import metrics_of
from commander.services import Services
from commander.tls import CertificateFacts
from commander.web import public
from commander.web.assets import asset_file
from commander.web.body_gate import FORM_LIMITS
from commander.web.openapi import OpenApiDocument, openapi_config, openapi_json, write_document
from commander.web.shell import set_navigation, show_open_incidents
from commander.web.step_up import StepUp

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
OBJECTS = "minewarden_objects"  # their key in the state of a request's scope


@dataclass(frozen=True)
class Objects:
    """The objects of one commander that its handlers may ask for by name."""

    services: Services
    shared: Mapping[str, object]
    of_kind: Mapping[RigKind, Mapping[str, object]]


class Routes:
    """Pages and APIs, an ASGI application. A handler that neither stands above nor in a noun is not reached.

    All commanders of a process share the routes; the objects of this one travel with each request, in its scope.
    """

    def __init__(self, services: Services) -> None:
        set_navigation([section for noun in NOUNS for section in noun.sections])
        set_rights(noun.rights for noun in NOUNS)
        self._objects = Objects(services, _shared(services), {kind: _of_kind(services, kind) for kind in RigKind})
        self.site = _site(NOUNS, frozenset(self._objects.shared), frozenset(self._objects.of_kind[RigKind.CPU_GPU]))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})[OBJECTS] = self._objects
        show_open_incidents(self._objects.services.badge.count)
        await self.site(scope, receive, send)

    def methods(self) -> dict[str, list[str]]:
        """Returns the methods of each path template."""
        return {route.path_format: sorted(route.methods) for route in self.site.routes if isinstance(route, HTTPRoute)}


@cache
def _site(nouns: tuple[Noun, ...], shared: frozenset[str], of_kind: frozenset[str]) -> Litestar:
    """Makes the routes, for handlers that ask for these names. It takes a fifth of a second."""

    @cache
    def openapi() -> OpenApiDocument:
        return write_document(made)

    made = Litestar(
        route_handlers=[
            *HANDLERS,
            *(each for noun in nouns for each in noun.handlers),
            *_of_each_kind(nouns, of_kind),
        ],
        dependencies={name: _provide(name) for name in shared}
        | {name: _provide_of_kind(RigKind.CPU_GPU, name) for name in of_kind}
        | {"openapi": Provide(openapi, sync_to_thread=False)}
        | {"certificate": Provide(_certificate, sync_to_thread=False)},
        middleware=[
            DefineMiddleware(Authentication, account_actions_of=_account_actions),
            DefineMiddleware(StepUp, confirmations_of=_confirmations),
        ],
        exception_handlers=exception_handlers,
        request_max_body_size=None,  # `BodyGate` has limits for each kind of body
        multipart_form_part_limit=FORM_LIMITS.fields,
        openapi_config=openapi_config(),
        logging_config=None,
    )
    return made


def _of_each_kind(nouns: tuple[Noun, ...], of_kind: frozenset[str]) -> list[Router]:
    """Handlers that ask for `live`, `rig_actions` and `views` get those of the kind whose router they stand in."""
    asics = {name: _provide_of_kind(RigKind.ASIC, name) for name in of_kind}
    pages = [each for noun in nouns for each in noun.rig_handlers]
    return [
        Router(PATHS[RigKind.CPU_GPU], route_handlers=pages),
        Router(PATHS[RigKind.ASIC], route_handlers=pages, dependencies=asics),
    ]


def _shared(services: Services) -> dict[str, object]:
    return {
        "settings": services.settings,
        "database": services.database,
        "channels": services.channels,
        "badge": services.badge,
        "open_sockets": services.open_sockets,
        "lives": services.lives,
        "tokens": services.tokens,
        "report_budgets": services.report_budgets,
        "signer": services.signer,
        "account_actions": services.account_actions,
        "access_actions": services.access_actions,
        "second_factors": services.second_factors,
        "confirmations": services.confirmations,
        "saved_views": services.saved_views,
        "view_links": services.view_links,
        "site_token_actions": services.site_token_actions,
        "adoption_actions": services.adoption_actions,
        "playbook_sync": services.playbook_sync,
        "playbook_actions": services.playbook_actions,
        "all_rig_actions": services.rig_actions,
        "live_views": services.live_views,
        "collect_metrics": partial(metrics_of, services),
        "check_queue": services.check_queue,
        **{name: part for noun in services.nouns for name, part in noun.dependencies.items()},
    }


def _of_kind(services: Services, kind: RigKind) -> dict[str, object]:
    own = {name: parts[kind] for noun in services.nouns for name, parts in noun.of_kind.items()}
    return {"live": services.lives[kind], "rig_actions": services.rig_actions[kind], **own}


def _provide(name: str) -> Provide:
    def find(scope: Scope) -> object:
        return _objects_of(scope).shared[name]

    return Provide(find, sync_to_thread=False)


def _provide_of_kind(kind: RigKind, name: str) -> Provide:
    def find(scope: Scope) -> object:
        return _objects_of(scope).of_kind[kind][name]

    return Provide(find, sync_to_thread=False)


def _certificate(scope: Scope) -> CertificateFacts | None:
    return _objects_of(scope).services.certificate.facts


def _account_actions(scope: Scope) -> AccountActions:
    return _objects_of(scope).services.account_actions


def _confirmations(scope: Scope) -> Confirmations:
    return _objects_of(scope).services.confirmations


def _objects_of(scope: Scope) -> Objects:
    return cast(Objects, scope["state"][OBJECTS])
