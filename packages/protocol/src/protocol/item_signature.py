"""The signature of an inbox item: which bytes are signed, and the header by which a sentry names its newest number.

A signature is Ed25519 (RFC 8032) over a JSON array without spaces: a fixed text, the kind of the item, the key's id,
the rig's id, the number, and the SHA-256 of the body as it travels. So an item of one rig is of no use to another. It
does not matter which program signs, only with which key.
"""

import hashlib
from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.messages import Message, Name

SIGNED_HEADER = "Minewarden-Signed"
_PURPOSE = "minewarden inbox item 1"
_KEY_BYTES = 32
Signature = Annotated[str, Meta(pattern="^[0-9a-f]{128}$")]
Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Number = Annotated[int, Meta(ge=1, le=2**53)]


class ItemSignature(Message, frozen=True, kw_only=True, gc=False):
    """The signature of one inbox item for one rig. `key_id` names the key.

    `number` rises with each item: a sentry takes no item whose number is not above the newest that it has taken.
    """

    key_id: Name
    rig_id: int
    number: Number
    signature: Signature


class SignedItem(Message, frozen=True, kw_only=True, gc=False):
    """The newest signed item that a sentry has taken, without its body: it proves that its number was given out."""

    kind: Name
    sha256: Digest
    signature: ItemSignature


def key_id_of(public_key: bytes) -> str:
    """Returns the name of a key: the first 16 hexadecimal digits of the SHA-256 of its 32 bytes."""
    return hashlib.sha256(public_key).hexdigest()[:16]


def key_from_hex(text: str) -> bytes | None:
    """Returns the 32 bytes of a public key; None if the text is none."""
    try:
        key = bytes.fromhex(text)
    except ValueError:
        return None
    return key if len(key) == _KEY_BYTES else None


def digest_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def signed_bytes(kind: str, key_id: str, rig_id: int, number: int, sha256: str) -> bytes:
    """Returns the bytes that a signature is about."""
    return msgspec.json.encode([_PURPOSE, kind, key_id, rig_id, number, sha256])


def bytes_of(item: SignedItem) -> bytes:
    """Returns the bytes that the item's signature is about."""
    signed = item.signature
    return signed_bytes(item.kind, signed.key_id, signed.rig_id, signed.number, item.sha256)


def header_of(item: SignedItem) -> str:
    """Returns the value of the header `Minewarden-Signed`."""
    return msgspec.json.encode(item).decode("ascii", "replace")


def from_header(text: str | None) -> SignedItem | None:
    """Returns the item that the header names; None if there is none, or it can't be read."""
    try:
        return msgspec.json.decode(text, type=SignedItem) if text else None
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None
