"""Explains in a sentence why a request to a commander failed: a wrong URL may lead to any program, or to none."""

import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
from protocol.reasons import reason

_NO_TLS = ("WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG")


def why_unreachable(error: BaseException, url: str) -> str:
    """Returns the sentence for the `error` of a request to `url`."""
    causes = list(_causes(error))
    if any(isinstance(cause, TimeoutError | httpx.TimeoutException) for cause in causes):
        return f"The commander at {url} does not answer in time; check that it runs and is reachable."
    if any(isinstance(cause, ssl.SSLError) and cause.reason in _NO_TLS for cause in causes):
        return f"What answers at {url} does not speak HTTPS; check the URL and its port."
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return f"What answers at {url} does not speak HTTPS as a commander does; check the URL and its port."
    if any(isinstance(cause, httpx.RemoteProtocolError) for cause in causes) and not _is_closed(causes):
        return f"What answers at {url} does not speak HTTP; check the URL and its port."
    if _is_closed(causes):
        return (
            f"What answers at {url} closed the connection during its answer; "
            "check the URL, and whether it is https:// or http://."
        )
    if any(isinstance(cause, httpx.DecodingError) for cause in causes):
        return f"What answers at {url} is not a commander; check the URL."
    return f"No commander can be reached at {url}{_why(causes, url)}; check the URL and that it runs."


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for each in error.exceptions:
                yield from _causes(each)
        error = error.__cause__ or error.__context__


def _is_closed(causes: list[BaseException]) -> bool:
    return any(
        isinstance(cause, httpx.ReadError | httpx.WriteError | ConnectionResetError | BrokenPipeError)
        or (isinstance(cause, httpx.RemoteProtocolError) and "disconnected" in str(cause))
        for cause in causes
    )


def _why(causes: list[BaseException], url: str) -> str:
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            return f": the name “{urlsplit(url).hostname}” is not known here"
        if isinstance(cause, ConnectionRefusedError):
            return ": nothing listens on that port"
        if isinstance(cause, OSError) and cause.errno is not None:
            return f": {reason(cause)}"
    return ""
