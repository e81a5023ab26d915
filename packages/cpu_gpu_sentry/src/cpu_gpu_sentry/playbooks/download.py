"""Downloads an archive: resumed where it broke off, bounded, and over HTTPS, or with a hash to prove it by."""

import asyncio
import hashlib
import re
import shutil
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx
import msgspec
from protocol.reasons import reason
from sentry_kit.certificates import REPLACE_IT, Fault, fault_of, verification_error, wrong_form
from sentry_kit.worker import Worker

from cpu_gpu_sentry.playbooks.errors import Interrupted, Refused, Trouble
from cpu_gpu_sentry.playbooks.packages import check_url

_REDIRECTS = 8
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "minewarden-cpu-gpu-sentry"}
_CHUNK = 256 * 1024
_CONNECT_S, _READ_S = 15, 60
_LONGEST_S = 6 * 3600
_DISK_S = 120
_RANGE = re.compile(r"bytes (\d+)-\d+/(?:\d+|\*)", re.ASCII)


class _Begun(msgspec.Struct, frozen=True):
    """A part of a file. Its validator tells the server whether the rest still belongs to it."""

    url: str
    validator: str | None


@dataclass(frozen=True, slots=True)
class DownloadSpec:
    url: str
    sha256: str | None
    limit_bytes: int


@dataclass(frozen=True, slots=True)
class Fetched:
    sha256: str
    is_continued: bool


def download_context() -> ssl.SSLContext:
    """The system's roots, or those that SSL_CERT_FILE and SSL_CERT_DIR name: OpenSSL reads both."""
    return ssl.create_default_context()


async def download(spec: DownloadSpec, part: Path, disk: Worker, progress: Callable[[float | None], None]) -> Fetched:
    """Brings all of it into `part`; raises `Refused` or `Trouble`.

    A part that is there already, from this address, is continued.
    """
    check_url(spec.url, has_hash=spec.sha256 is not None)
    file = await disk.call(lambda: _Part(part, spec), timeout_s=_DISK_S)
    try:
        async with asyncio.timeout(_LONGEST_S), _client() as http, _open(http, spec, file.headers()) as response:
            await _receive(response, spec, file, disk, progress)
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ssl.SSLError) as error:
        raise Interrupted(_network_sentence(error, spec.url)) from error
    finally:
        await disk.call(file.close, timeout_s=_DISK_S)
    return Fetched(file.sha256(), file.is_continued)


@asynccontextmanager
async def _client() -> AsyncIterator[httpx.AsyncClient]:
    context = await asyncio.to_thread(download_context)
    timeout = httpx.Timeout(_READ_S, connect=_CONNECT_S)
    async with httpx.AsyncClient(verify=context, trust_env=False, timeout=timeout) as http:
        yield http


@asynccontextmanager
async def _open(http: httpx.AsyncClient, spec: DownloadSpec, headers: dict[str, str]) -> AsyncIterator[httpx.Response]:
    """Follows redirects by itself: from HTTPS they may lead to HTTPS alone."""
    url = spec.url
    for _redirect in range(_REDIRECTS):
        async with http.stream("GET", url, headers={**_HEADERS, **headers}) as response:
            if not response.is_redirect:
                yield response
                return
            target = urljoin(url, response.headers.get("Location", ""))
        if urlsplit(url).scheme == "https" and urlsplit(target).scheme != "https":
            raise Refused(f"{urlsplit(url).hostname} sends on to an address without https://; give another one.")
        check_url(target, has_hash=spec.sha256 is not None)
        url = target
    raise Refused("The download address redirects too often. Enter the final address.")


async def _receive(
    response: httpx.Response, spec: DownloadSpec, file: "_Part", disk: Worker, progress: Callable[[float | None], None]
) -> None:
    file.begin(_offset(response, file), response.headers)
    length = response.headers.get("Content-Length", "")
    total = file.size + int(length) if length.isdecimal() else None
    if total is not None and total > spec.limit_bytes:
        raise Refused(_too_large(spec.limit_bytes))
    await disk.call(lambda: file.prepare(total), timeout_s=_DISK_S)
    async for chunk in response.aiter_raw(_CHUNK):
        if file.size + len(chunk) > spec.limit_bytes:
            raise Refused(_too_large(spec.limit_bytes))
        await disk.call(lambda chunk=chunk: file.write(chunk), timeout_s=_DISK_S)  # type: ignore[misc]
        progress(min(100.0, 100 * file.size / total) if total else None)


def _offset(response: httpx.Response, file: "_Part") -> int:
    """Returns the position from which the server sends. Any other answer is an error."""
    status = response.status_code
    if status == 206:
        part = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if part is None or int(part[1]) != file.size:
            file.discard()
            raise Trouble("The server sends another part than requested; the download starts again.")
        return file.size
    if status == 416:
        file.discard()
        raise Trouble("The download changed on the server meanwhile; it starts again.")
    if status != 200:
        raise Trouble(f"{response.url.host} answers {status} for the download; check the software's address.")
    return 0


def _too_large(limit_bytes: int) -> str:
    return f"The download is larger than {limit_bytes / 1e9:g} GB; no mining software is."


def _network_sentence(error: Exception, url: str) -> str:
    host = urlsplit(url).hostname
    distrusted = verification_error(error)
    if distrusted is not None:
        return f"The download from {host} failed: {_distrust(distrusted)}."
    if isinstance(error, httpx.ConnectTimeout):
        return f"Could not reach {host}: it does not answer in time."
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return f"{host} does not send the download in time."
    if isinstance(error, httpx.ConnectError):
        return f"Could not reach {host}: {reason(error)}."
    if isinstance(error, httpx.InvalidURL):
        return f"{host or 'The download'} has no valid address; correct the software's download address."
    return f"The connection to {host} was interrupted during the download."


def _distrust(error: ssl.SSLCertVerificationError) -> str:
    fault = fault_of(error)
    if fault is Fault.FORM:
        return f"the server's certificate, or its CA's, {wrong_form(error)}; {REPLACE_IT}"
    if fault is Fault.UNKNOWN_AUTHORITY:
        return (
            "this rig does not trust the CA of the server's certificate; if it is your own, name its file with "
            "SSL_CERT_FILE in the sentry's environment"
        )
    if fault is Fault.OTHER_NAME:
        return "the server's certificate is for another name; check the software's address"
    if fault in (Fault.EXPIRED, Fault.NOT_YET_VALID):
        return "the server's certificate is not valid now; have it renewed, or set this rig's clock if that is wrong"
    return f"the server's certificate is refused ({error.verify_message}); replace it"


class _Part:
    """The file that is being downloaded, with the hash of what it has, and beside it where that came from."""

    def __init__(self, path: Path, spec: DownloadSpec) -> None:
        self._path, self._url = path, spec.url
        self._note = path.with_suffix(".json")
        self._has_hash = spec.sha256 is not None
        self._validator: str | None = None
        self._has_note = self._read_note()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = path.open("r+b" if self._has_note and path.exists() else "w+b")
        self._sha256 = hashlib.sha256()
        while chunk := self._file.read(1024 * 1024):
            self._sha256.update(chunk)
        self.size = self._file.tell()
        self.is_continued = self.size > 0

    def _read_note(self) -> bool:
        try:
            begun = msgspec.json.decode(self._note.read_bytes(), type=_Begun)
        except (OSError, msgspec.DecodeError):
            return False
        self._validator = begun.validator
        return begun.url == self._url and (begun.validator is not None or self._has_hash)

    def headers(self) -> dict[str, str]:
        if not self.size:
            return {}
        condition = {"If-Range": self._validator} if self._validator else {}
        return {"Range": f"bytes={self.size}-", **condition}

    def begin(self, offset: int, headers: httpx.Headers) -> None:
        """A weak tag does not promise the same bytes (RFC 9110, 13.1.5)."""
        tag = headers.get("ETag", "")
        self._validator = (tag if tag and not tag.startswith("W/") else None) or headers.get("Last-Modified")
        if offset != self.size:
            self._file.seek(0)
            self._file.truncate()
            self._sha256, self.size, self.is_continued = hashlib.sha256(), 0, False

    def prepare(self, total: int | None) -> None:
        """Notes where it comes from, and whether there is room for all of it."""
        self._note.write_bytes(msgspec.json.encode(_Begun(self._url, self._validator)))
        room = _free_bytes(self._path.parent)
        if total is not None and room is not None and total - self.size > room:
            raise Trouble(f"The disk has {room / 1e6:,.0f} MB left, and the download {total / 1e6:,.0f} MB; make room.")

    def write(self, chunk: bytes) -> None:
        self._file.write(chunk)
        self._sha256.update(chunk)
        self.size += len(chunk)

    def sha256(self) -> str:
        return self._sha256.hexdigest()

    def discard(self) -> None:
        self._note.unlink(missing_ok=True)

    def close(self) -> None:
        self._file.close()


def _free_bytes(folder: Path) -> int | None:
    """Asking never fails an installation."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None
