"""Makes the application from the settings."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial

from litestar import Litestar
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from commander.accounts.known_senders import KNOWN
from commander.accounts.proxy_users import ProxyHeaders
from commander.error_handlers import refuse
from commander.intake import asic as asic_intake
from commander.intake import cpu_gpu as intake
from commander.live import inbox_endpoint
from commander.live.long_poll import LongPoll
from commander.migrations import migrate
from commander.playbooks import endpoint as playbooks_endpoint
from commander.routes import Routes
from commander.running import restore, store, taking_logs, working
from commander.services import Services
from commander.settings import Settings, TlsMode, listed, networks_of
from commander.settings_pages.login_gate import LoginGate
from commander.signing import Signer, open_signer
from commander.tls import TlsFiles, prepare_tls, server_names
from commander.web.bodies import method_of
from commander.web.body_gate import BodyGate
from commander.web.compression import Compressed
from commander.web.connections import Connections
from commander.web.methods import TruthfulAllow, WithHead
from commander.web.paths import OnePath
from commander.web.proxies import BehindProxy
from commander.web.role_filter import RoleFilter
from commander.web.security import Guarded, KnownHosts


def create_app(
    settings: Settings,
    *,
    tls: TlsFiles | None = None,
    on_renewal: Callable[[], None] = lambda: None,
    on_password: Callable[[str], None] = lambda made: None,
    long_poll: LongPoll | None = None,
    signer: Signer | None = None,
    connections: Connections | None = None,
) -> ASGIApp:
    """The commander as an ASGI application.

    `on_renewal` is called when the certificate's files have changed, `on_password` with the password that was made at
    the very first start. Close `long_poll` before the server ends: sentries wait there most of the time.
    """
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    tls = tls or prepare_tls(settings, now=datetime.now(UTC))
    long_poll = long_poll or LongPoll()
    services = Services(settings, tls.facts if tls else None, long_poll, signer or open_signer(settings))

    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncIterator[None]:
        await asyncio.to_thread(migrate, services.database.url)
        if made := await services.account_actions.settle_password(settings.password):
            on_password(made)
        await restore(services)
        if connections:
            for session in await services.account_actions.sessions():
                connections.know(session.address)
        async with taking_logs(services), working(services, on_renewal):
            try:
                yield
            finally:
                long_poll.close()
        await store(services)

    life = Litestar(lifespan=[lifespan], openapi_config=None, logging_config=None)
    routes = Routes(services)
    gated = BodyGate(TruthfulAllow(RoleFilter(routes), routes.methods()), services.bodies, services.tokens.check)
    guarded = LoginGate(
        Compressed(Guarded(gated, refuse, _hosts(settings, tls), is_strict=settings.tls is TlsMode.FILES)),
        services.account_actions,
        services.access_actions,
    )

    endpoints: dict[str, ASGIApp] = {
        intake.PATH: services.intake,
        asic_intake.PATH: services.asic_intake,
        playbooks_endpoint.PATH: services.playbooks_endpoint,
        inbox_endpoint.PATH: services.inbox_endpoint,
    }

    # Reports come most often: they go straight to their endpoint, if their path has its usual spelling.
    site = OnePath(WithHead(_endpoints_first(endpoints, guarded)))
    requests = _behind_proxy(_endpoints_first(endpoints, site), settings)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        is_request = scope["type"] in (ScopeType.HTTP, ScopeType.WEBSOCKET)
        if is_request and connections and (client := scope.get("client")):
            scope.setdefault("state", {})[KNOWN] = partial(connections.is_known, (client[0], client[1]))
        await (requests if is_request else life)(scope, receive, send)

    return app


def _endpoints_first(endpoints: Mapping[str, ASGIApp], app: ASGIApp) -> ASGIApp:
    """Answers the paths of the endpoints by them, and all others by `app`."""

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = endpoints.get(scope["path"]) if method_of(scope) not in (None, "OPTIONS", "HEAD") else None
        await (endpoint or app)(scope, receive, send)

    return dispatch


def _hosts(settings: Settings, tls: TlsFiles | None) -> KnownHosts:
    of_certificate = tls.facts.names if tls else []
    return KnownHosts([*server_names(settings), *of_certificate, *listed(settings.hosts)])


def _behind_proxy(app: ASGIApp, settings: Settings) -> ASGIApp:
    proxies = networks_of(settings.trusted_proxies)
    if not proxies:
        return app
    users = ProxyHeaders(settings.user_header, settings.role_header)
    return BehindProxy(app, proxies, users=users, only_proxies=settings.tls is TlsMode.OFF, refuse=refuse)
