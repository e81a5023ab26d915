"""Faults of a certificate, by OpenSSL's X509_V_ERR_… codes (openssl/x509_vfy.h)."""

import ssl
from enum import Enum, auto

_FORM = range(78, 95)  # breaks RFC 5280; mostly checked by `ssl.VERIFY_X509_STRICT` only
REPLACE_IT = "replace it as docs/certificates.md says"


class Fault(Enum):
    NOT_YET_VALID = auto()
    EXPIRED = auto()
    UNKNOWN_AUTHORITY = auto()
    OTHER_NAME = auto()
    FORM = auto()
    OTHER = auto()


_FAULTS = {
    9: Fault.NOT_YET_VALID,
    10: Fault.EXPIRED,
    **dict.fromkeys((18, 19, 20, 21), Fault.UNKNOWN_AUTHORITY),
    **dict.fromkeys((62, 64), Fault.OTHER_NAME),
    **dict.fromkeys(_FORM, Fault.FORM),
}


def verification_error(error: BaseException) -> ssl.SSLCertVerificationError | None:
    """Returns the failed verification among the causes of `error`; None if the error is another one."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLCertVerificationError):
        cause = cause.__cause__ or cause.__context__
    return cause


def fault_of(error: ssl.SSLCertVerificationError) -> Fault:
    return _FAULTS.get(error.verify_code, Fault.OTHER)


def wrong_form(error: ssl.SSLCertVerificationError) -> str:
    """Returns the rule that the certificate breaks (`Fault.FORM`). Python 3.13 and newer insist on it."""
    return f"breaks a rule of RFC 5280 that Python 3.13 and newer insist on ({error.verify_message})"
