"""The sentries' API except the door for logs (`intake.py`): who am I, what this rig is made of, how far its
installation is."""

from dataclasses import dataclass
from typing import Annotated

import msgspec
from litestar import Request, get, post, put
from litestar.di import NamedDependency
from litestar.openapi.spec import OpenAPIMediaType, Operation, Reference, RequestBody
from litestar.params import Body
from protocol.messages import CpuGpuLog, CpuGpuSpecs, LogReceipt, Message, RigName, SentryWelcome
from protocol.reading import Reader
from protocol.tokens import TokenKind

from commander import VERSION
from commander.accounts.auth import OPEN
from commander.intake import cpu_gpu as intake
from commander.live.rigs import LiveRigs, Lives
from commander.registry.sentry_calls import report
from commander.registry.tokens import RIG_KINDS, InvalidToken, Tokens, bearer_token, credentials_of
from commander.rigs.actions import RigActions
from commander.rigs.site_token_actions import SiteTokenActions
from commander.settings import Settings
from commander.signing import Signer
from commander.web.api_docs import BEARER, problems
from commander.web.openapi import REFERENCE

_specs_reader = Reader(CpuGpuSpecs, any_value=False)


@get("/api/v1/sentry", opt={OPEN: True}, responses=problems(401, 410), tags=["sentries"], security=BEARER)
async def welcome(
    request: Request,  # type: ignore[type-arg]
    tokens: NamedDependency[Tokens],
    lives: NamedDependency[Lives],
    site_token_actions: NamedDependency[SiteTokenActions],
    settings: NamedDependency[Settings],
    signer: NamedDependency[Signer | None],
) -> SentryWelcome:
    """The owner of the token, and how often to report. `kind` is that of the token; a site and a farm have no `rig`."""
    sender = credentials_of(request.scope)
    token = bearer_token(sender.authorization)
    holder = await tokens.holder_of(token, sender)
    if token.kind is TokenKind.SITE:
        await site_token_actions.used(holder)
    return SentryWelcome(
        kind=token.kind,
        rig=_rig_name(lives[RIG_KINDS[token.kind]], holder) if token.kind in RIG_KINDS else None,
        report_every_s=settings.report_every_s,
        playbooks_every_s=settings.playbooks_every_s,
        commander_version=VERSION,
        signing_key=signer.public_key.hex() if signer and token.kind is TokenKind.RIG else None,
    )


def _rig_name(live: LiveRigs, rig_id: int) -> RigName:
    rig = live.name_of(rig_id)
    if rig is None:  # removed just now
        raise InvalidToken("No rig has this token.")
    live.index.set_connected(rig_id)
    return rig


@post(
    "/api/v1/sentry/installed",
    opt={OPEN: True},
    status_code=204,
    responses=problems(401, 410),
    tags=["sentries"],
    security=BEARER,
)
async def note_installed(
    request: Request,  # type: ignore[type-arg]
    tokens: NamedDependency[Tokens],
    lives: NamedDependency[Lives],
) -> None:
    """The line with this token has installed the sentry and connects it next. The open page of the rig shows it."""
    sender = credentials_of(request.scope)
    token = bearer_token(sender.authorization)
    holder = await tokens.holder_of(token, sender)
    if token.kind in RIG_KINDS:
        lives[RIG_KINDS[token.kind]].index.set_installed(holder)


class Logs(Message, frozen=True, kw_only=True, gc=False):
    """Body of `POST /api/v1/sentry/logs`; a log that does not read like this is rejected by itself."""

    logs: list[CpuGpuLog]


@post(
    intake.PATH,
    opt={OPEN: True},
    status_code=200,
    responses=problems(400, 401, 410, 413, 415, 422, 429, 503),
    tags=["sentries"],
    security=BEARER,
)
async def post_logs(data: Annotated[Logs, Body()]) -> LogReceipt:
    """Store logs; the answer comes when they are committed. Identified by rig and `taken_at`: again is a duplicate."""
    raise NotImplementedError("described here, and answered by intake.Intake before it comes this far")


@dataclass
class _WithSpecs(Operation):
    """Describes the body for the OpenAPI schema, because the handler reads it itself."""

    def __post_init__(self) -> None:
        specs = OpenAPIMediaType(schema=Reference(ref=REFERENCE.format(name="CpuGpuSpecs")))
        self.request_body = RequestBody(content={"application/json": specs}, required=True)


@report(put, "/api/v1/sentry/specs", operation_class=_WithSpecs)
async def put_specs(
    request: Request,  # type: ignore[type-arg]
    rig_id: NamedDependency[int],
    rig_actions: NamedDependency[RigActions],
) -> None:
    """Stores what the rig consists of. Sent at the start and after a change. Impossible values are left out."""
    specs = _specs_reader.decode(await request.body())
    await rig_actions.set_specs({rig_id: msgspec.json.encode(specs)})


HANDLERS = [welcome, note_installed, post_logs, put_specs]
