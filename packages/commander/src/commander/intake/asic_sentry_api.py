"""The ASIC sentry's part of the sentries' API: its logs (`asic_intake.py`), and the ASICs that it registers."""

from typing import Annotated

import msgspec
from litestar import Request, post
from litestar.di import NamedDependency
from litestar.params import Body
from protocol.asic_messages import Adoption, AdoptionAnswer, AsicLog, AsicReceipt, AsicSpecs
from protocol.messages import Message, Text

from commander.accounts.auth import OPEN
from commander.intake import asic as asic_intake
from commander.registry.tokens import Tokens, credentials_of
from commander.rigs.adoption_actions import AdoptionActions
from commander.web.api_docs import BEARER, problems


class AsicItem(Message, frozen=True, kw_only=True, gc=False):
    """The report of one ASIC. A part that can't be read is rejected by itself, specs with the index -1."""

    token: Text
    specs: AsicSpecs | None = None
    logs: list[AsicLog] = msgspec.field(default_factory=list)


class AsicItems(Message, frozen=True, kw_only=True, gc=False):
    """Body of `POST /api/v1/sentry/asic-logs`: many ASICs in one request, 5,000 at most."""

    items: list[AsicItem]


@post(
    asic_intake.PATH,
    opt={OPEN: True},
    status_code=200,
    responses=problems(400, 413, 415, 422, 503),
    tags=["sentries"],
)
async def post_asic_logs(data: Annotated[AsicItems, Body()]) -> AsicReceipt:
    """Store logs of many ASICs, each with its own token: one result for each item, in order, when all is committed."""
    raise NotImplementedError("described here, and answered by asic_intake.AsicIntake before it comes this far")


@post(
    "/api/v1/sentry/asic-rigs",
    opt={OPEN: True},
    responses=problems(400, 401, 409, 413, 415, 422),
    tags=["sentries"],
    security=BEARER,
)
async def adopt(
    request: Request,  # type: ignore[type-arg]
    data: Annotated[Adoption, Body()],
    tokens: NamedDependency[Tokens],
    adoption_actions: NamedDependency[AdoptionActions],
) -> AdoptionAnswer:
    """Register ASICs that a site's sentry has found; the same key again is the same ASIC, with a fresh token."""
    return await adoption_actions.adopt(await tokens.site_of(credentials_of(request.scope)), data)


HANDLERS = [post_asic_logs, adopt]
