"""Decides which commander a sentry trusts: by the authority that its token names, or else by the system's roots.

Verification is never skipped for a request with data. Only `fetch_ca` is sent before there is an authority to verify
with. It carries no token, and its answer is trusted only if it fits the pin.
"""

import asyncio
import functools
import hashlib
import ipaddress
import ssl
from urllib.parse import urlsplit

import httpx

from sentry_kit.certificates import REPLACE_IT, Fault, fault_of, verification_error, wrong_form
from sentry_kit.errors import EnrolmentError, SentryError

_CA_LIMIT_BYTES = 64 * 1024
_TIMEOUT_S = 10


class Distrusted(SentryError):
    """The commander's certificate can't be trusted."""


def check_url(text: str) -> str:
    """Returns the commander's base URL in its usual form. Plain HTTP is allowed on the same machine only."""
    url = text.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme not in ("http", "https") or parts.username is not None or parts.query:
        raise EnrolmentError("url", "The URL looks like https://commander.lan:8443; copy it from the commander.")
    if parts.scheme == "http" and not is_loopback(host):
        raise EnrolmentError(
            "url",
            "Plain http:// would show the miners' data to the network; use the commander's https:// URL.",
        )
    authority = f"[{host}]" if ":" in host else host
    base = f"{parts.scheme}://{authority}{f':{port}' if port else ''}"
    if parts.path or parts.fragment:
        raise EnrolmentError("url", f"The commander's URL must end after its name and port; use {base} alone.")
    return base


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


@functools.lru_cache(maxsize=1)
def tls_context(ca_pem: str | None) -> ssl.SSLContext:
    """Returns a context that trusts `ca_pem` alone, or the system's roots. It always checks the host's name.

    It is kept for the next client: the system's roots take 5 MB.
    """
    if ca_pem is None:
        return ssl.create_default_context()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # starts with no roots, CERT_REQUIRED and check_hostname
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cadata=ca_pem)
    return context


def plain_context() -> ssl.SSLContext:
    """Returns a context for plain HTTP. It trusts no certificate, and saves the 5 MB of the usual roots."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


async def fetch_ca(url: str, pin: str) -> str:
    """Returns the commander's own authority as PEM, from `GET /ca.pem`. It is trusted only because its public key has
    this pin.

    There is nothing yet to verify the connection with, so this request is made without verification. It carries no
    token and no data. A wrong server can only return the certificate that the token already names, or is refused.
    """
    for certificate in await _served_certificates(url):
        if public_key_sha256(certificate) == pin:
            return ssl.DER_cert_to_PEM_cert(certificate)
    raise EnrolmentError(
        "url",
        "This is not the commander that the token was made by; check the URL, and copy both together.",
    )


async def fetch_any_ca(url: str) -> str | None:
    """Returns the authority that the server hands out. It shows that this is a commander, and is not trusted."""
    certificates = await _served_certificates(url)
    return ssl.DER_cert_to_PEM_cert(certificates[0]) if certificates else None


async def _served_certificates(url: str) -> list[bytes]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    async with (
        asyncio.timeout(_TIMEOUT_S),
        httpx.AsyncClient(verify=context, trust_env=False, timeout=_TIMEOUT_S) as http,
    ):
        return _certificates(await _get_bounded(http, f"{url}/ca.pem"))


async def fetch_renewed_ca(url: str, ca_pem: str) -> str | None:
    """Returns the commander's authority in another certificate than `ca_pem`, with the same key; None if there is none.

    The token's pin is of the key, so any certificate with that key is as good as the first one.
    """
    try:
        pin = public_key_sha256(ssl.PEM_cert_to_DER_cert(ca_pem))
        certificates = await fetch_ca(url, pin) if pin else ca_pem
    except (SentryError, httpx.HTTPError, httpx.InvalidURL, OSError, ValueError):
        return None
    return certificates if certificates.split() != ca_pem.split() else None


async def _get_bounded(http: httpx.AsyncClient, url: str) -> str:
    body = b""
    async with http.stream("GET", url) as response:
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > _CA_LIMIT_BYTES:
                break
    return body.decode("ascii", "replace") if response.status_code == 200 else ""


def _certificates(pem: str) -> list[bytes]:
    """Returns every certificate in `pem` as DER. Anything else is skipped."""
    certificates = []
    for part in pem.split("-----BEGIN CERTIFICATE-----")[1:]:
        text = "-----BEGIN CERTIFICATE-----" + part.partition("-----END CERTIFICATE-----")[0]
        try:
            certificates.append(ssl.PEM_cert_to_DER_cert(text.rstrip() + "\n-----END CERTIFICATE-----\n"))
        except ValueError:
            continue
    return certificates


def public_key_sha256(certificate: bytes) -> str | None:
    """Returns the SHA-256, in hex, of the SubjectPublicKeyInfo of a DER certificate; None if it is no certificate.

    RFC 5280: Certificate { TBSCertificate { [0] version?, serial, signature, issuer, validity, subject, key, … } … }.
    Reading these eight elements here saves the 10 MB of memory that `cryptography` would take.
    """
    try:
        at, _ = _content(certificate, 0)
        at, _ = _content(certificate, at)
        if certificate[at] == 0xA0:
            _, at = _content(certificate, at)
        for _field in ("serial", "signature", "issuer", "validity", "subject"):
            _, at = _content(certificate, at)
        _, end = _content(certificate, at)
    except IndexError:
        return None
    return hashlib.sha256(certificate[at:end]).hexdigest()


def _content(der: bytes, at: int) -> tuple[int, int]:
    """Returns the start and the end of the content of the DER element at `at`. Raises `IndexError` if it is cut off."""
    start, length = at + 2, der[at + 1]
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[at + 2 : start], "big")
    if start + length > len(der):
        raise IndexError(at)
    return start, start + length


def distrust(error: BaseException, url: str) -> Distrusted | None:
    """Returns the error for a certificate that failed verification among the causes of `error`; None if there is
    none."""
    cause = verification_error(error)
    return None if cause is None else Distrusted(_sentence(cause, urlsplit(url).hostname or url))


def is_unknown_authority(error: BaseException) -> bool:
    """Returns whether the only fault of the certificate is its unknown authority. A token will name it."""
    cause = verification_error(error)
    return cause is not None and fault_of(cause) is Fault.UNKNOWN_AUTHORITY


def is_out_of_date(error: BaseException) -> bool:
    """Returns whether the signature is right and only the dates, of the certificate or its authority, are wrong."""
    cause = verification_error(error)
    return cause is not None and fault_of(cause) in (Fault.NOT_YET_VALID, Fault.EXPIRED)


def _sentence(error: ssl.SSLCertVerificationError, host: str) -> str:
    fault = fault_of(error)
    if fault is Fault.OTHER_NAME:
        return (
            f"The commander's certificate is not for “{host}”; use the name that it is known by, or set "
            "COMMANDER_PUBLIC_URL on the commander to this address."
        )
    if fault is Fault.EXPIRED:
        return "The commander's certificate has expired; renew it, or set this machine's clock if that is wrong."
    if fault is Fault.NOT_YET_VALID:
        return "The commander's certificate is not valid yet; set this machine's clock or the commander's."
    if fault is Fault.FORM:
        return f"The certificate that the commander shows, or its CA's, {wrong_form(error)}; {REPLACE_IT}."
    return (
        "The commander's certificate is not from the authority that this sentry trusts, so nothing was sent; "
        "if the commander was set up again, enroll again with a new token."
    )
