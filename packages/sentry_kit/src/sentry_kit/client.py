"""The sentries' HTTP client: a few calls to the commander, and one exception for each kind of error."""

import asyncio
import gzip
import ipaddress
import secrets
import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar
from urllib.parse import urlencode

import httpx
import msgspec
from protocol.enrolment_messages import KEY_HEADER, Enrolled, Identity
from protocol.inbox_messages import InboxItem, InboxItems
from protocol.item_signature import SIGNED_HEADER, SignedItem, header_of
from protocol.messages import LogReceipt, LogReport, Problem, SentryWelcome
from protocol.playbook_messages import Playbooks
from protocol.tokens import Token

from sentry_kit.errors import SentryError
from sentry_kit.trust import distrust, plain_context, tls_context
from sentry_kit.unreachable import why_unreachable

RUN_HEADER = "Sentry-Run"
_RUN = secrets.token_hex(16)  # made at each start: by it the commander tells two sentries with one token apart
_TIMEOUT_S = 10
_CONNECT_S = 5
_FILE_S = 300
_GZIP_FROM_BYTES = 4096
_NO_HEADERS: Mapping[str, str] = {}
_LONGEST_WAIT_S = 300
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

M = TypeVar("M", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class PlaybooksAnswer:
    """The playbooks of a rig as they were sent, and the ETag that names them."""

    body: bytes
    etag: str | None


class CommanderError(SentryError):
    """The commander can't be reached, or its answer can't be used now."""


class InvalidToken(CommanderError):
    """401 `invalid_token`."""


class RigRemoved(CommanderError):
    """410 `rig_removed`."""


class TooLarge(CommanderError):
    """413."""


class Refused(CommanderError):
    """400, 415 or 422 by the commander itself: the same request will never be accepted."""


class NotFound(CommanderError):
    """404: the commander does not have this call, because it is older."""


class IsCopy(CommanderError):
    """409 `clone`: the rig of this identity is another machine."""


class FarmTokenRefused(CommanderError):
    """403: the farm token has expired, is used up, or was revoked."""


class Busy(CommanderError):
    """429 or 503."""

    def __init__(self, sentence: str, retry_after_s: float | None) -> None:
        super().__init__(sentence)
        self.retry_after_s = retry_after_s


class OverBudget(Busy):
    """429 `over_budget`: the commander takes no more logs of these devices for a while."""


_OF_ENROLMENT = {
    "clone": IsCopy,
    "too_many_copies": CommanderError,
    "farm_token_expired": FarmTokenRefused,
    "farm_token_used_up": FarmTokenRefused,
    "farm_token_revoked": FarmTokenRefused,
}


class CommanderClient:
    """Calls the commander with one token. `http` has the commander's base URL.

    `key` is that of the sentry. A commander that has bound the rig to its machine takes the token only with this key.
    """

    def __init__(
        self, http: httpx.AsyncClient, token: Token | None, *, key: str | None = None, run: str = _RUN
    ) -> None:
        self.lan_ip: str | None = None
        self.token = token
        self._http = http
        self._headers = {RUN_HEADER: run}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        if key is not None:
            self.use_key(key)

    def use_key(self, key: str) -> None:
        """Sends this key with each further request."""
        self._headers[KEY_HEADER] = key

    async def welcome(self) -> SentryWelcome:
        return _decode(await self._ask("GET", "api/v1/sentry"), SentryWelcome)

    async def check_commander(self) -> None:
        """Raises `CommanderError` unless a commander answers: only a commander has these error messages."""
        with suppress(InvalidToken):
            await self.welcome()

    async def is_healthy(self) -> bool:
        """Returns whether a commander answers, even if its database is away."""
        try:
            await self._ask("GET", "healthz")
        except Busy:
            return True
        return True

    async def send_identity(self, identity: Identity) -> None:
        """Raises `IsCopy`; `Busy` while that is not clear; `NotFound` if the commander knows no identities."""
        await self._ask("PUT", "api/v1/sentry/identity", msgspec.json.encode(identity))

    async def enrol(self, identity: Identity) -> Enrolled:
        """Returns a rig for this machine. The client has a farm token, or the token of the rig whose copy it is.

        Raises `FarmTokenRefused`, `IsCopy`, or `Busy` while that is not clear.
        """
        return await self.post("api/v1/sentry/enrol", identity, Enrolled)

    async def send_specs(self, specs: bytes) -> None:
        await self._ask("PUT", "api/v1/sentry/specs", specs)

    async def send_logs(self, logs: Sequence[bytes]) -> LogReceipt:
        body = msgspec.json.encode(LogReport(logs=[msgspec.Raw(log) for log in logs]))
        return _decode(await self._ask("POST", "api/v1/sentry/logs", body), LogReceipt)

    async def post(self, path: str, message: msgspec.Struct, answer: type[M]) -> M:
        """Makes a call that only one kind of sentry makes."""
        return _decode(await self._ask("POST", path, msgspec.json.encode(message)), answer)

    def with_token(self, token: Token) -> "CommanderClient":
        """Returns a client for another token over the same connection."""
        return CommanderClient(self._http, token, run=self._headers[RUN_HEADER])

    async def inbox(
        self, versions: Mapping[str, str], wait_s: float, newest: SignedItem | None = None
    ) -> list[InboxItem]:
        """Returns the items that differ from these versions, which are by kind. `newest` is the newest signed item.

        The commander may hold the request for `wait_s`, until there is one. Raises `NotFound` if it has no inbox.
        """
        path = f"api/v1/sentry/inbox?{urlencode(versions)}".rstrip("?")
        headers = {"Prefer": _wait(wait_s)} | ({SIGNED_HEADER: header_of(newest)} if newest else {})
        response = await self._ask("GET", path, headers=headers, patience_s=wait_s)
        return _decode(response, InboxItems).items

    async def playbooks(self, etag: str | None, wait_s: float) -> PlaybooksAnswer | None:
        """Returns the playbooks; None if they are still those of this ETag. For a commander that has no inbox.

        It may hold the request for `wait_s`, until they change.
        """
        can_name = etag is not None and etag.isascii() and etag.isprintable()  # nothing else fits into a header
        headers = {"Prefer": _wait(wait_s)} | ({"If-None-Match": etag} if etag and can_name else {})
        response = await self._ask("GET", "api/v1/sentry/playbooks", headers=headers, patience_s=wait_s)
        if response.status_code == 304:
            return None
        _decode(response, Playbooks)
        return PlaybooksAnswer(response.content, response.headers.get("ETag"))

    async def send_playbooks_status(self, status: bytes) -> None:
        await self._ask("PUT", "api/v1/sentry/playbooks/status", status)

    async def send_output(self, report: bytes) -> None:
        await self._ask("POST", "api/v1/sentry/output", report)

    async def send_commands_status(self, status: bytes) -> None:
        await self._ask("PUT", "api/v1/sentry/commands/status", status)

    async def send_ladder_events(self, events: bytes) -> None:
        await self._ask("POST", "api/v1/sentry/events", events)

    def address_of(self, path: str) -> str:
        return str(self._http.base_url.join(path))

    async def file(self, path: str, limit_bytes: int) -> bytes:
        """Returns a file of the commander; `path` may be a whole address. Raises `TooLarge` or other errors."""
        request = self._http.build_request("GET", path, headers=self._headers)
        if (request.url.scheme, request.url.netloc) != (self._http.base_url.scheme, self._http.base_url.netloc):
            raise CommanderError(f"{request.url.host} is not the commander; nothing is fetched from there.")
        try:
            async with asyncio.timeout(_FILE_S):
                response = await self._http.send(request, stream=True)
                try:
                    content = await _content(response, limit_bytes)
                finally:
                    await response.aclose()
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise _unreachable(error, str(self._http.base_url).rstrip("/")) from error
        if not response.is_success:
            raise _failure(response, content)
        return content

    async def clock_ahead_s(self) -> float | None:
        """Returns how far this machine's clock is ahead of the commander's, to a second; None if it names no time."""
        response = await self._ask("GET", "api/v1/sentry")
        try:
            return (datetime.now(UTC) - parsedate_to_datetime(response.headers.get("Date", ""))).total_seconds()
        except (ValueError, TypeError):
            return None

    async def _ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        headers: Mapping[str, str] = _NO_HEADERS,
        patience_s: float = 0,
    ) -> httpx.Response:
        sent = {**self._headers, **headers}
        if body is not None:
            sent["Content-Type"] = "application/json"
            if len(body) >= _GZIP_FROM_BYTES:
                body = await asyncio.to_thread(gzip.compress, body, 1)
                sent["Content-Encoding"] = "gzip"
        limit_s = _TIMEOUT_S + patience_s
        try:
            async with asyncio.timeout(limit_s):
                timeout = httpx.Timeout(limit_s, connect=_CONNECT_S)
                response = await self._http.request(method, path, content=body, headers=sent, timeout=timeout)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise _unreachable(error, str(self._http.base_url).rstrip("/")) from error
        self.lan_ip = _lan_ip(response)
        if not response.is_success and response.status_code != 304:
            raise _failure(response)
        return response


@asynccontextmanager
async def commander_client(
    url: str,
    token: Token | None,
    ca_pem: str | None,
    agent: str,
    *,
    key: str | None = None,
    connections: int = 1,
) -> AsyncIterator[CommanderClient]:
    """Opens a client that verifies the commander by `ca_pem`, or by the system's roots. It keeps `connections`
    connections."""
    try:
        verify = tls_context(ca_pem) if url.startswith("https:") else plain_context()
    except (ssl.SSLError, ValueError, TypeError) as error:  # an empty text, or one that is not ASCII
        raise CommanderError("The stored certificate of the commander can't be read; enroll again.") from error
    async with httpx.AsyncClient(
        base_url=f"{url}/",
        verify=verify,
        headers={"User-Agent": agent},
        timeout=httpx.Timeout(_TIMEOUT_S, connect=_CONNECT_S),
        limits=httpx.Limits(max_keepalive_connections=connections, keepalive_expiry=120),
        trust_env=False,  # a .netrc or a proxy variable must not redirect a token
    ) as http:
        yield CommanderClient(http, token, key=key)


def _wait(wait_s: float) -> str:
    return f"wait={max(1, int(wait_s))}"


def _decode(response: httpx.Response, kind: type[M]) -> M:
    try:
        return msgspec.json.decode(response.content, type=kind)
    except _UNREADABLE as error:
        raise CommanderError(f"What answers at {response.url.host} is not a commander; check the URL.") from error


async def _content(response: httpx.Response, limit_bytes: int) -> bytes:
    """Raises `TooLarge`."""
    content = bytearray()
    async for part in response.aiter_bytes():
        content += part
        if len(content) > limit_bytes:
            raise TooLarge(f"{response.url.path} of the commander has more than {limit_bytes} bytes.")
    return bytes(content)


def _failure(response: httpx.Response, content: bytes | None = None) -> CommanderError:
    """Returns the exception for an answer. Only a problem document with a code counts: a proxy's 410 must not stop a
    farm."""
    try:
        problem = msgspec.json.decode(response.content if content is None else content, type=Problem)
    except _UNREADABLE:
        problem = Problem(title="", status=response.status_code, detail="", code="")
    status = response.status_code
    if status == 401 and problem.code == "invalid_token":
        unknown = "The commander does not know this token; enroll with a new one from the rig's page."
        return InvalidToken(problem.detail if problem.errors else unknown)
    if status == 410 and problem.code == "rig_removed":
        return RigRemoved("The rig was removed from the commander; add it there again and enroll with its new token.")
    if status == 404 and problem.code:
        return NotFound(f"{response.url.host} has no {response.url.path}; check the URL, or update the commander.")
    if status in (403, 409) and problem.code in _OF_ENROLMENT:
        return _OF_ENROLMENT[problem.code](problem.detail)
    if status == 413:
        return TooLarge("The commander finds the report too large.")
    if status in (429, 503):
        return _busy(problem, _retry_after(response))
    if status in (400, 415, 422) and problem.code:
        fields = "; ".join(f"{error.field}: {error.message}" for error in problem.errors)
        return Refused(f"The commander refused a log: {fields or problem.detail or problem.title}")
    return CommanderError(f"{response.url.host} answered {status}, as a commander does not; check the URL.")


def _busy(problem: Problem, retry_after_s: float | None) -> Busy:
    if problem.code == "machine_unclear":
        return Busy(problem.detail, retry_after_s)
    if problem.code == "over_budget":
        return OverBudget(
            "The commander has received more logs than it accepts from one rig; the others wait here.", retry_after_s
        )
    return Busy("The commander is busy; the logs wait here.", retry_after_s)


def _retry_after(response: httpx.Response) -> float | None:
    text = response.headers.get("Retry-After", "")
    try:
        wait_s = float(text) if text.isdecimal() else (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return None
    return min(max(wait_s, 0.0), _LONGEST_WAIT_S)


def _unreachable(error: Exception, url: str) -> CommanderError:
    return CommanderError(str(distrust(error, url) or why_unreachable(error, url)))


def _lan_ip(response: httpx.Response) -> str | None:
    """Returns this machine's address towards the commander, or its LAN address on the commander's own machine.

    None if the server has closed the connection already, as any web server may.
    """
    stream = response.extensions.get("network_stream")
    try:
        address = stream.get_extra_info("client_addr") if stream is not None else None
    except OSError:
        return None
    if not address:
        return None
    ip = str(address[0])
    return ip if not ipaddress.ip_address(ip).is_loopback else _routed_ip()


def _routed_ip() -> str | None:
    """Returns the address of the interface with the default route. Connecting a UDP socket sends nothing
    (192.0.2.0/24: RFC 5737)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return None
