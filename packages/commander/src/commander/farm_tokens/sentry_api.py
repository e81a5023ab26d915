"""The enrolment of sentries that come by themselves."""

from typing import Annotated

from litestar import Request, post
from litestar.di import NamedDependency
from litestar.params import Body
from protocol.enrolment_messages import Enrolled, Identity
from protocol.tokens import TokenKind

from commander.accounts.auth import OPEN
from commander.farm_tokens.enrolment import Enrolments
from commander.registry.tokens import InvalidToken, Tokens, bearer_token, credentials_of
from commander.web.api_docs import BEARER, problems

ABOUT = {
    403: "The farm token has expired, is used up, or was revoked.",
    404: "The rig was removed meanwhile.",
    409: "The identity is that of a rig on another machine, or too many copies of a rig wait for approval.",
    503: "It is not clear yet whether there are two machines, or the commander is overloaded; come back.",
}


@post(
    "/api/v1/sentry/enrol",
    opt={OPEN: True},
    responses=problems(400, 401, 403, 404, 409, 410, 413, 415, 422, about=ABOUT),
    tags=["sentries"],
    security=BEARER,
)
async def enrol(
    request: Request,  # type: ignore[type-arg]
    data: Annotated[Identity, Body()],
    tokens: NamedDependency[Tokens],
    enrolments: NamedDependency[Enrolments],
) -> Enrolled:
    """A rig for this sentry, and a token for it: with a farm token, or with the token of the rig whose copy it is.

    The same identity again gets the same rig with another token.
    """
    sender = credentials_of(request.scope)
    token = bearer_token(sender.authorization)
    if token.kind not in (TokenKind.FARM, TokenKind.RIG):
        raise InvalidToken(f"A rig enrolls with a farm token, mw_farm_…; this is one of kind {token.kind}.")
    return await enrolments.enrol(token, await tokens.holder_of(token, sender), data)


HANDLERS = [enrol]
