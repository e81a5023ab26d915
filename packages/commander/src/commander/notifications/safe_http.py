"""HTTP for messages: to allowed addresses only, without redirects to other hosts, with limits of time and size."""

import asyncio
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

import httpx

from commander import VERSION
from commander.notifications.failures import DeliveryFailure
from commander.notifications.safe_addresses import allowed_addresses

TIMEOUT_S = 15.0  # for everything that one request needs
_STEP_TIMEOUT_S = 10.0
_ANSWER_MAX_BYTES = 256 * 1024
_SHOWN_CHARACTERS = 200
_REDIRECTS_AT_MOST = 3
_HEADERS = {"User-Agent": f"Minewarden/{VERSION}", "Accept-Encoding": "identity"}
_KEEPS_METHOD = {307, 308}  # others turn a POST into a GET
_FINAL = {401, 403, 404, 410}
_TRY_AGAIN = {408, 425, 429}  # of 400 to 499
_PORTS = {"http": 80, "https": 443}
_ASKS_TO_WAIT = {429, 503}
_LONGEST_WAIT_S = 24 * 3600.0


class HttpAnswer(NamedTuple):
    """An answer with its body, cut after 256 KiB."""

    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


class CheckedTransport(httpx.AsyncBaseTransport):
    """Connects to an address that it has checked itself; the certificate must be that of the name.

    A connection is used once: the next request for the same address may be for another name.
    """

    def __init__(self, context: ssl.SSLContext, *, loopback: bool) -> None:
        limits = httpx.Limits(max_connections=100, max_keepalive_connections=0)
        self._inner = httpx.AsyncHTTPTransport(verify=context, trust_env=False, limits=limits)
        self._loopback = loopback

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host, url = request.url.host, request.url
        addresses = await allowed_addresses(host, _port(url), loopback=self._loopback)
        request.extensions = {**request.extensions, "sni_hostname": host}
        for address in addresses[:-1]:
            try:
                return await self._send_to(address, request, url)
            except httpx.ConnectError:
                continue  # such as an IPv6 address that this network can't reach
        return await self._send_to(addresses[-1], request, url)

    async def _send_to(self, address: str, request: httpx.Request, url: httpx.URL) -> httpx.Response:
        request.url = url.copy_with(host=address)  # the header Host still has the name
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


class SafeHttp:
    """Sends requests. Certificates are verified by the system's roots, or by those of `context`."""

    def __init__(self, *, loopback: bool, context: ssl.SSLContext | None = None) -> None:
        self._loopback, self._context = loopback, context

    async def post(
        self, url: str, *, body: bytes, headers: Mapping[str, str], timeout_s: float = TIMEOUT_S
    ) -> HttpAnswer:
        """Returns the answer, with any status. Raises `DeliveryFailure` if there is none."""
        return await self._ask("POST", url, body, headers, timeout_s)

    async def get(self, url: str) -> HttpAnswer:
        """Returns the answer, with any status. Raises `DeliveryFailure` if there is none."""
        return await self._ask("GET", url, b"", {}, TIMEOUT_S)

    async def _ask(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str], timeout_s: float
    ) -> HttpAnswer:
        host = urlsplit(url).hostname or ""
        try:
            async with asyncio.timeout(timeout_s):
                for _ in range(_REDIRECTS_AT_MOST + 1):
                    answer = await self._once(method, url, body, headers, timeout_s)
                    if answer.status not in _KEEPS_METHOD and not (method == "GET" and 300 <= answer.status < 304):
                        return answer
                    url = _next_address(url, answer)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise DeliveryFailure(f"{host} did not answer within {timeout_s:g} s.") from error
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError, ValueError) as error:
            raise DeliveryFailure(f"{host} can't be reached: {_why(error)}.") from error
        raise DeliveryFailure(
            f"{host} redirects more than {_REDIRECTS_AT_MOST} times. Enter the address at which it ends."
        )

    async def _once(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str], timeout_s: float
    ) -> HttpAnswer:
        step = httpx.Timeout(min(_STEP_TIMEOUT_S, timeout_s), read=timeout_s)
        transport = CheckedTransport(self._context or _system_roots(), loopback=self._loopback)
        async with (
            httpx.AsyncClient(transport=transport, trust_env=False, headers=_HEADERS, timeout=step) as client,
            client.stream(method, url, content=body or None, headers=headers) as response,
        ):
            read = b""
            async for chunk in response.aiter_raw():
                read += chunk
                if len(read) > _ANSWER_MAX_BYTES:
                    break
            return HttpAnswer(response.status_code, response.headers, read[:_ANSWER_MAX_BYTES])


@cache
def _system_roots() -> ssl.SSLContext:
    return ssl.create_default_context()


def check(answer: HttpAnswer, service: str, *, now: datetime | None = None) -> None:
    """Raises `DeliveryFailure` unless the service accepted the message. `service` is its name for people."""
    if answer.is_success:
        return
    if 300 <= answer.status < 400:
        raise DeliveryFailure(f"{service} redirects (status {answer.status}): enter the address that it leads to.")
    text = f"{service} refused the message (status {answer.status})"
    if shown := excerpt(answer.body):
        text += f": {shown}"
    wait_s = retry_after_s(answer, now=now or datetime.now(UTC)) if answer.status in _ASKS_TO_WAIT else None
    is_final = answer.status in _FINAL
    is_refusal = 400 <= answer.status < 500 and not is_final and answer.status not in _TRY_AGAIN
    raise DeliveryFailure(f"{text.rstrip('.')}.", is_final=is_final, is_refusal=is_refusal, retry_after_s=wait_s)


def retry_after_s(answer: HttpAnswer, *, now: datetime) -> float | None:
    """Returns the wait that the header asks for, in seconds, a day at most; None without one. RFC 9110, 10.2.3."""
    text = answer.headers.get("Retry-After", "").strip()
    try:
        wait_s = (
            float(text) if text.replace(".", "", 1).isdigit() else (parsedate_to_datetime(text) - now).total_seconds()
        )
    except (TypeError, ValueError):
        return None
    return max(0.0, min(wait_s, _LONGEST_WAIT_S))


def excerpt(body: bytes) -> str:
    """Returns the beginning of an answer as one line of text."""
    text = " ".join(body[: 4 * _SHOWN_CHARACTERS].decode("utf-8", "replace").split())
    printable = "".join(character for character in text if character.isprintable())
    return printable[:_SHOWN_CHARACTERS]


def _next_address(url: str, answer: HttpAnswer) -> str:
    """Returns where a redirect leads. Raises `DeliveryFailure` if it is another host, or without encryption."""
    target = urljoin(url, str(answer.headers.get("Location", "")))
    here, there = httpx.URL(url), httpx.URL(target)
    if there.host != here.host or there.scheme not in _PORTS:
        raise DeliveryFailure(
            f"{here.host} redirects to another host, {there.host[:100]}. That is not followed: enter the right address."
        )
    if _port(there) != _port(here) and (_port(here), _port(there)) != (_PORTS["http"], _PORTS["https"]):
        raise DeliveryFailure(f"{here.host} redirects to another port. That is not followed: enter the right address.")
    if here.scheme == "https" and there.scheme == "http":
        raise DeliveryFailure(
            f"{here.host} redirects from https:// to http://. That is not followed: enter the right address."
        )
    return target


def _port(url: httpx.URL) -> int:
    return url.port or _PORTS[url.scheme]


def _why(error: Exception) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not valid ({cause.verify_message})"
        cause = cause.__cause__ or cause.__context__
    return (str(error) or type(error).__name__).rstrip(".")
