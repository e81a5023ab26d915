"""`GET /api/v1/sentry/playbooks`, for sentries of earlier versions, which do not know the inbox.

A bare ASGI handler, because thousands of sentries wait in it.
"""

from litestar.exceptions import MethodNotAllowedException
from litestar.types import Receive, Scope, Send

from commander.accounts.known_senders import sender_is_known
from commander.live.long_poll import wait_of
from commander.playbooks.sync import PlaybookSync
from commander.registry.tokens import Tokens, credentials_of
from commander.web.bodies import header, method_of, send_json
from commander.web.errors import send_problem
from commander.web.methods import allowed

PATH = "/api/v1/sentry/playbooks"


class PlaybooksEndpoint:
    """Answers with the playbooks of a rig, or 304 to a sentry that has them. With `Prefer: wait=50` it waits so long
    for a change."""

    def __init__(self, tokens: Tokens, playbook_sync: PlaybookSync) -> None:
        self._tokens = tokens
        self._sync = playbook_sync

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if method_of(scope) != "GET":
                raise MethodNotAllowedException(
                    "Playbooks are asked for with GET.", headers={"Allow": allowed(["GET"])}
                )
            await self._answer(scope, send)
        except Exception as error:  # noqa: BLE001 - one table turns every error into its answer
            await send_problem(error, scope, send)

    async def _answer(self, scope: Scope, send: Send) -> None:
        sender = credentials_of(scope)
        known_etags, wait_s = etags(header(scope, b"if-none-match")), wait_of(header(scope, b"prefer"))
        rig_id = await self._tokens.rig_of(sender)
        sender_is_known(scope)
        await self._sync.earlier_sentry_asks(rig_id)
        wire = await self._sync.wire(rig_id)
        if wait_s and wire.etag in known_etags:
            await self._sync.long_poll.wait(rig_id, wait_s)
            rig_id = await self._tokens.rig_of(sender)  # the rig may have been removed meanwhile
            wire = await self._sync.wire(rig_id)
        headers = [(b"etag", wire.etag.encode()), (b"cache-control", b"no-store")]
        if wait_s:
            headers.append((b"preference-applied", b"wait"))
        if wire.etag in known_etags:
            await send_json(send, 304, b"", headers=headers)
        else:
            length = (b"content-length", str(len(wire.body)).encode())
            await send_json(send, 200, wire.body, headers=[(b"content-type", b"application/json"), length, *headers])


def etags(if_none_match: str | None) -> set[str]:
    return {each.strip().removeprefix("W/") for each in (if_none_match or "").split(",")}
