"""The second factor: six digits that an app makes from a secret and the time (RFC 6238), and recovery codes."""

import hashlib
import io
import secrets
from datetime import datetime

import pyotp
import segno

STEP_S = 30
STEPS_OFF = 1  # a phone's clock may be that many steps off, in both directions
RECOVERY_CODES = 10
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # without letters that look like digits
_RECOVERY_LENGTH = 16  # 79 bits: a fast hash is enough


def new_secret() -> str:
    """Returns a secret in Base32, as an app expects it."""
    return pyotp.random_base32()


def in_groups(text: str) -> str:
    """Returns the text with a space after each fourth character, for people who type it."""
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def address_for_app(secret: str, *, access: str, commander: str) -> str:
    """Returns the `otpauth://` address that a QR code carries."""
    return pyotp.TOTP(secret).provisioning_uri(name=access, issuer_name=f"Minewarden {commander}")


def qr_svg(text: str) -> str:
    """Returns a QR code as an SVG element, dark on light in both themes."""
    out = io.BytesIO()
    code = segno.make(text, error="m", micro=False)
    code.save(out, kind="svg", xmldecl=False, scale=5, border=3, light="#fff", dark="#000", title="QR code")
    return out.getvalue().decode()


def is_secret(text: str) -> bool:
    """Returns whether an app could use this secret: Base32 of 160 bits."""
    return len(text) == 32 and set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")


def matching_step(secret: str, code: str, *, now: datetime) -> int | None:
    """Returns the time step whose code this is, or None. The caller must refuse a step that was used before."""
    digits = "".join(code.split())
    if len(digits) != 6 or not digits.isascii() or not digits.isdecimal():
        return None
    current = int(now.timestamp()) // STEP_S
    steps = range(current - STEPS_OFF, current + STEPS_OFF + 1)
    totp = pyotp.TOTP(secret)
    return next((step for step in steps if secrets.compare_digest(totp.generate_otp(step), digits)), None)


def new_recovery_codes() -> list[str]:
    """Returns codes that each work once, for those who have lost the app."""
    texts = ("".join(secrets.choice(_ALPHABET) for _ in range(_RECOVERY_LENGTH)) for _ in range(RECOVERY_CODES))
    return ["-".join(text[at : at + 4] for at in range(0, _RECOVERY_LENGTH, 4)) for text in texts]


def recovery_hash(code: str) -> bytes:
    """Returns what is stored of a recovery code, however it was typed."""
    plain = "".join(letter for letter in code.lower() if letter.isalnum())
    return hashlib.sha256(plain.encode()).digest()
