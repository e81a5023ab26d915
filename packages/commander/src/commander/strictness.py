"""Certificates that Python 3.13 and newer refuse for a rule of RFC 5280: the commander's, and those of its servers."""

import ssl
from collections.abc import Sequence

from cryptography import x509

_OF_A_CA: dict[str, type[x509.ExtensionType]] = {
    "subjectKeyIdentifier": x509.SubjectKeyIdentifier,
    "keyUsage": x509.KeyUsage,
}


def refused_by_strict(chain: Sequence[x509.Certificate]) -> str | None:
    """Returns what the server's certificate, or a CA after it in the chain, lacks; None if nothing.

    A self-signed certificate is its own CA and exempt from that rule.
    """
    server, *authorities = chain
    if server.issuer != server.subject and not _has(server, x509.AuthorityKeyIdentifier):
        return "authorityKeyIdentifier"
    lacking = [name for ca in authorities for name, kind in _OF_A_CA.items() if not _has(ca, kind)]
    return f"its CA's {lacking[0]}" if lacking else None


def _has(certificate: x509.Certificate, kind: type[x509.ExtensionType]) -> bool:
    try:
        certificate.extensions.get_extension_for_class(kind)
    except (x509.ExtensionNotFound, ValueError):  # ValueError: unreadable; OpenSSL will report that
        return False
    return True


def why_refused(error: BaseException) -> str | None:
    """Returns what is wrong with a server's certificate and what to do; None if the error is another one."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        return None
    return f"its certificate is refused ({error.verify_message}); docs/certificates.md says what it needs"
