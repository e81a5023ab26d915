"""HTTP for messages: to allowed addresses only, without redirects to other hosts, with limits of time and size."""

import ssl
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from commander.notifications.http_answer import HttpAnswer

if TYPE_CHECKING:
    from commander.notifications.safe_requests import SafeRequests

TIMEOUT_S = 15.0  # for everything that one request needs


class SafeHttp:
    """Sends requests. Certificates are verified by the system's roots, or by those of `context`."""

    def __init__(self, *, loopback: bool, context: ssl.SSLContext | None = None) -> None:
        self._loopback, self._context = loopback, context

    async def post(
        self, url: str, *, body: bytes, headers: Mapping[str, str], timeout_s: float = TIMEOUT_S
    ) -> HttpAnswer:
        """Returns the answer, with any status. Raises `DeliveryFailure` if there is none."""
        return await self._requests.ask("POST", url, body, headers, timeout_s)

    async def get(self, url: str) -> HttpAnswer:
        """Returns the answer, with any status. Raises `DeliveryFailure` if there is none."""
        return await self._requests.ask("GET", url, b"", {}, TIMEOUT_S)

    @cached_property
    def _requests(self) -> "SafeRequests":
        from commander.notifications.safe_requests import SafeRequests  # here: who sends no message loads no HTTPX

        return SafeRequests(loopback=self._loopback, context=self._context)
