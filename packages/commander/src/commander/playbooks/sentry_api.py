"""The calls of sentries about playbooks."""

from typing import Annotated

from litestar import get, post, put
from litestar.di import NamedDependency
from litestar.params import Body, HeaderParameter
from protocol.playbook_messages import OutputReport, Playbooks, PlaybooksStatus

from commander.accounts.auth import OPEN
from commander.playbooks import endpoint
from commander.playbooks.sync import PlaybookSync
from commander.registry.sentry_calls import report
from commander.web.api_docs import BEARER, problems


@get(endpoint.PATH, opt={OPEN: True}, responses=problems(401, 410), tags=["sentries"], security=BEARER)
async def get_playbooks(
    if_none_match: Annotated[str | None, HeaderParameter(name="If-None-Match")] = None,
    prefer: Annotated[str | None, HeaderParameter(name="Prefer")] = None,
) -> Playbooks:
    """The playbooks of the rig, with an ETag; 304 to the same `If-None-Match`. With `Prefer: wait=50` the answer waits
    up to that many seconds for a change. For sentries of earlier versions; newer ones read the inbox."""
    raise NotImplementedError("described here, and answered by endpoint.PlaybooksEndpoint before it comes this far")


@report(put, "/api/v1/sentry/playbooks/status")
async def put_status(
    data: Annotated[PlaybooksStatus, Body()],
    rig_id: NamedDependency[int],
    playbook_sync: NamedDependency[PlaybookSync],
) -> None:
    """The status of each playbook of the rig. A playbook that is not named is no longer on the rig."""
    await playbook_sync.take_status(rig_id, data)


@report(post, "/api/v1/sentry/output")
async def post_output(
    data: Annotated[OutputReport, Body()],
    rig_id: NamedDependency[int],
    playbook_sync: NamedDependency[PlaybookSync],
) -> None:
    """New lines that mining software printed. They are known by run and number, so that none counts twice."""
    await playbook_sync.take_output(rig_id, data)


HANDLERS = [get_playbooks, put_status, post_output]
