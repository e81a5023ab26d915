"""`GET /api/v1/sentry/inbox`: a bare ASGI handler, because thousands of sentries wait in it."""

import asyncio
from typing import Annotated
from urllib.parse import parse_qsl

import msgspec
from litestar import get
from litestar.exceptions import MethodNotAllowedException
from litestar.params import HeaderParameter
from litestar.types import Receive, Scope, Send
from protocol.inbox_messages import InboxItem, InboxItems
from protocol.item_signature import SIGNED_HEADER, SignedItem, from_header

from commander.accounts.auth import OPEN
from commander.accounts.known_senders import sender_is_known
from commander.live.inbox import Inbox
from commander.live.long_poll import wait_of
from commander.registry.tokens import Credentials, Tokens, credentials_of
from commander.web.api_docs import BEARER, problems
from commander.web.bodies import header, method_of, send_json
from commander.web.errors import send_problem
from commander.web.methods import allowed

PATH = "/api/v1/sentry/inbox"


class InboxEndpoint:
    """Answers with the items that a sentry does not have. With `Prefer: wait=50` it waits so long for one."""

    def __init__(self, tokens: Tokens, inbox: Inbox) -> None:
        self._tokens = tokens
        self._inbox = inbox

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if method_of(scope) != "GET":
                raise MethodNotAllowedException("Read the inbox with GET.", headers={"Allow": allowed(["GET"])})
            await self._answer(scope, send)
        except Exception as error:  # noqa: BLE001 - one table turns every error into its answer
            await send_problem(error, scope, send)

    async def _answer(self, scope: Scope, send: Send) -> None:
        wait_s, sender = wait_of(header(scope, b"prefer")), credentials_of(scope)
        await self._tokens.rig_of(sender)
        sender_is_known(scope)
        newest = from_header(header(scope, SIGNED_HEADER.lower().encode()))
        items = await self._items(sender, versions_of(scope["query_string"]), newest, wait_s)
        body = msgspec.json.encode(InboxItems(items=items))
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            *([(b"preference-applied", b"wait")] if wait_s else []),
        ]
        await send_json(send, 200, body, headers=headers)

    async def _items(
        self, sender: Credentials, versions: dict[str, str], newest: SignedItem | None, wait_s: float
    ) -> list[InboxItem]:
        """Returns what is new, as soon as something is. The token is looked up again after each wait."""
        clock = asyncio.get_running_loop().time
        until_s = clock() + wait_s
        while True:
            rig_id = await self._tokens.rig_of(sender)
            with self._inbox.waiter(rig_id) as waiter:  # before the look, so that no change falls in between
                items = await self._inbox.news(rig_id, versions, newest)
                left_s = until_s - clock()
                if items or left_s <= 0 or not await waiter.wait(left_s):
                    return items


def versions_of(query: bytes) -> dict[str, str]:
    """Returns the versions that the sentry has, by kind."""
    return dict(parse_qsl(query.decode("latin-1")))


@get(PATH, opt={OPEN: True}, responses=problems(401, 410), tags=["sentries"], security=BEARER)
async def get_inbox(
    prefer: Annotated[str | None, HeaderParameter(name="Prefer")] = None,
    signed: Annotated[str | None, HeaderParameter(name=SIGNED_HEADER)] = None,
) -> InboxItems:
    """The items that the rig's sentry does not have yet. Each parameter of the query is a kind and the version that the
    sentry has. With `Prefer: wait=50` the answer waits up to that many seconds for an item. `Minewarden-Signed` has the
    newest signed item that the sentry has taken."""
    raise NotImplementedError("described here, and answered by InboxEndpoint before it comes this far")


HANDLERS = [get_inbox]
