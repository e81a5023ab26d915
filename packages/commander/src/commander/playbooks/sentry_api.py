"""The calls of sentries about playbooks."""

from typing import Annotated

from litestar import Request, get, post, put
from litestar.di import NamedDependency
from litestar.params import Body, HeaderParameter
from protocol.playbook_messages import OutputReport, Playbooks, PlaybooksStatus

from commander.accounts.auth import OPEN
from commander.playbooks import endpoint
from commander.playbooks.sync import PlaybookSync
from commander.registry.tokens import Tokens
from commander.web.api_docs import BEARER, problems


@get(endpoint.PATH, opt={OPEN: True}, responses=problems(401, 410), tags=["sentries"], security=BEARER)
async def get_playbooks(
    if_none_match: Annotated[str | None, HeaderParameter(name="If-None-Match")] = None,
    prefer: Annotated[str | None, HeaderParameter(name="Prefer")] = None,
) -> Playbooks:
    """The playbooks of the rig, with an ETag; 304 to the same `If-None-Match`. With `Prefer: wait=50` the answer waits
    up to that many seconds for a change. For sentries of earlier versions; newer ones read the inbox."""
    raise NotImplementedError("described here, and answered by endpoint.PlaybooksEndpoint before it comes this far")


@put(
    "/api/v1/sentry/playbooks/status",
    opt={OPEN: True},
    status_code=204,
    responses=problems(400, 401, 410, 413, 415, 422),
    tags=["sentries"],
    security=BEARER,
)
async def put_status(
    request: Request,  # type: ignore[type-arg]
    data: Annotated[PlaybooksStatus, Body()],
    tokens: NamedDependency[Tokens],
    playbook_sync: NamedDependency[PlaybookSync],
) -> None:
    """The status of each playbook of the rig. A playbook that is not named is no longer on the rig."""
    await playbook_sync.take_status(await tokens.rig_of(request.headers.get("authorization")), data)


@post(
    "/api/v1/sentry/output",
    opt={OPEN: True},
    status_code=204,
    responses=problems(400, 401, 410, 413, 415, 422),
    tags=["sentries"],
    security=BEARER,
)
async def post_output(
    request: Request,  # type: ignore[type-arg]
    data: Annotated[OutputReport, Body()],
    tokens: NamedDependency[Tokens],
    playbook_sync: NamedDependency[PlaybookSync],
) -> None:
    """New lines that mining software printed. They are known by run and number, so that none counts twice."""
    await playbook_sync.take_output(await tokens.rig_of(request.headers.get("authorization")), data)


HANDLERS = [get_playbooks, put_status, post_output]
