"""Tokens of the shape `mw_<kind>_<secret>[_<pin>]`.

The secret is 256 random bits in hex. The pin is the SHA-256, in hex, of the DER SubjectPublicKeyInfo of the
commander's own CA: a sentry with the token can tell the right commander from any other.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from enum import StrEnum

_SHAPE = re.compile(r"mw_(rig|asic|site|farm)_([0-9a-f]{64})(?:_([0-9a-f]{64}))?", re.ASCII)


class BadToken(ValueError):
    """The text does not have the form of a token."""


class TokenKind(StrEnum):
    RIG = "rig"
    ASIC = "asic"
    SITE = "site"
    FARM = "farm"


@dataclass(frozen=True, slots=True)
class Token:
    kind: TokenKind
    secret: str
    pin: str | None = None

    def __str__(self) -> str:
        """The token as it is handed out."""
        text = f"mw_{self.kind}_{self.secret}"
        return f"{text}_{self.pin}" if self.pin else text

    def __repr__(self) -> str:
        """Masked: this is what reaches logs."""
        return f"mw_{self.kind}_{self.secret[:4]}…"

    def hash(self) -> bytes:
        """The hash that a commander stores. It has no pin, so a token stays good when the certificate changes."""
        return _hash(f"{self.kind}_{self.secret}")


def _hash(kind_and_secret: str) -> bytes:
    return hashlib.sha256(kind_and_secret.encode()).digest()


def hash_of(text: str, kind: TokenKind) -> bytes | None:
    """Returns `Token.hash` without making a `Token`, for large reports; None if it is no token of that kind."""
    match = _SHAPE.fullmatch(text)
    return _hash(text[3 : match.end(2)]) if match and match[1] == kind else None


def new_token(kind: TokenKind, *, pin: str | None) -> Token:
    return Token(kind, secrets.token_hex(32), pin)


def parse_token(text: str) -> Token:
    match = _SHAPE.fullmatch(text.strip())
    if match is None:
        raise BadToken("A token looks like mw_rig_ and 64 hexadecimal digits; copy it again from the commander.")
    return Token(TokenKind(match[1]), match[2], match[3])
