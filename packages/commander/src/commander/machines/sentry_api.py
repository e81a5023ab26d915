"""The identities that sentries send at their start."""

from typing import Annotated

from litestar import Request, put
from litestar.di import NamedDependency
from litestar.params import Body
from protocol.enrolment_messages import Identity

from commander.accounts.auth import OPEN
from commander.machines.actions import Machines
from commander.registry.tokens import credentials_of
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
    machines: NamedDependency[Machines],
) -> None:
    """The machine on which the rig's sentry has started. 409 `clone` if it is a copy of a rig that is alive.

    If the header `Sentry-Key` has the key of the identity, the rig's token counts only with this header from then on.
    """
    await machines.take(credentials_of(request.scope), data)


HANDLERS = [put_identity]
