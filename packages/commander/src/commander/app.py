"""The one place that wires: settings in, an application out."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from litestar import Litestar
from litestar.types import ASGIApp, Receive, Scope, Send

from commander.error_handlers import refuse
from commander.intake import asic as asic_intake
from commander.intake import cpu_gpu as intake
from commander.live import inbox_endpoint
from commander.live.long_poll import LongPoll
from commander.migrations import migrate
from commander.playbooks import endpoint
from commander.raw_logs.dictionaries import use_newest
from commander.rigs.restore import restore_index, store_newest
from commander.routes import make_routes, methods_of
from commander.services import Services
from commander.settings import Settings
from commander.tls import TlsFiles, prepare_tls
from commander.web.bodies import method_of
from commander.web.body_gate import BodyGate
from commander.web.compression import Compressed
from commander.web.methods import TruthfulAllow, WithHead
from commander.web.paths import OnePath
from commander.web.security import Guarded


def create_app(
    settings: Settings,
    *,
    tls: TlsFiles | None = None,
    on_renewal: Callable[[], None] = lambda: None,
    on_password: Callable[[str], None] = lambda made: None,
    long_poll: LongPoll | None = None,
) -> ASGIApp:
    """The commander as an ASGI application.

    `on_renewal` is told when the certificate's files have changed, `on_password` the password that was made at the
    very first start. Whoever ends the server closes `long_poll` first: sentries wait there for most of their lives.
    """
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    tls = tls or prepare_tls(settings, now=datetime.now(UTC))
    long_poll = long_poll or LongPoll()
    services = Services(settings, tls.facts if tls else None, long_poll)

    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncIterator[None]:
        await asyncio.to_thread(migrate, services.database.url)
        if made := await services.account_actions.settle_password(settings.password):
            on_password(made)
        await use_newest(services.database, services.commit.packer)
        for kind, live in services.lives.items():
            await restore_index(services.database, kind, live.index, now=datetime.now(UTC), now_s=time.monotonic())
            await services.watches[kind].remember(services.database)
        await services.playbook_sync.remember()
        for noun in services.nouns:
            await noun.on_start()
        async with services.keeping(), services.working(on_renewal):
            try:
                yield
            finally:
                long_poll.close()
        await services.write_events()
        for kind, live in services.lives.items():
            await store_newest(services.database, kind, live.index.rigs.values())
        await services.database.dispose()

    routes = make_routes(services, lifespan)
    gated = BodyGate(TruthfulAllow(routes, methods_of(routes)), services.bodies, services.tokens.check)
    guarded = Compressed(Guarded(gated, refuse))

    doors: dict[str, ASGIApp] = {
        intake.PATH: services.intake,
        asic_intake.PATH: services.asic_intake,
        endpoint.PATH: services.playbooks_endpoint,
        inbox_endpoint.PATH: services.inbox_endpoint,
    }

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        at_the_door = doors.get(scope["path"]) if method_of(scope) not in (None, "OPTIONS") else None
        await (at_the_door or guarded)(scope, receive, send)

    return OnePath(WithHead(dispatch))
