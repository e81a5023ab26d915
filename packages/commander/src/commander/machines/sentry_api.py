"""The identities that sentries send at their start."""

from typing import Annotated

from litestar import Request, put
from litestar.di import NamedDependency
from litestar.params import Body
from protocol.enrolment_messages import Identity

from commander.accounts.auth import OPEN
from commander.machines.actions import Machines
from commander.registry.tokens import Tokens
from commander.web.api_docs import BEARER, problems

ABOUT = {409: "Another machine is this rig.", 503: "It is not clear yet whether there are two machines; come back."}


@put(
    "/api/v1/sentry/identity",
    opt={OPEN: True},
    status_code=204,
    responses=problems(400, 401, 409, 410, 413, 415, 422, about=ABOUT),
    tags=["sentries"],
    security=BEARER,
)
async def put_identity(
    request: Request,  # type: ignore[type-arg]
    data: Annotated[Identity, Body()],
    tokens: NamedDependency[Tokens],
    machines: NamedDependency[Machines],
) -> None:
    """The machine on which the rig's sentry has started. 409 `clone` if it is a copy of a rig that is alive."""
    rig_id = await tokens.rig_of(request.headers.get("authorization"))
    await machines.take(rig_id, data)


HANDLERS = [put_identity]
