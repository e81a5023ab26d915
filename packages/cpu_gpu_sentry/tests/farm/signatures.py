"""A signature guard on a store in memory, and a key that signs as a commander does, for tests of the inbox."""

import sqlite3
from collections.abc import Callable
from typing import TypeVar

import msgspec
from cpu_gpu_sentry.enrolment import SCHEMA
from cpu_gpu_sentry.signing.guard import SignatureGuard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from protocol.inbox_messages import InboxItem
from protocol.item_signature import ItemSignature, digest_of, key_id_of, signed_bytes

T = TypeVar("T")
RIG_ID = 7


_stores: list[sqlite3.Connection] = []


def store_in_memory() -> sqlite3.Connection:
    """The test's module closes it: its fixture calls `close_stores`."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.executescript(SCHEMA)
    _stores.append(db)
    return db


def close_stores() -> None:
    while _stores:
        _stores.pop().close()


def guard_of(db: sqlite3.Connection | None = None) -> SignatureGuard:
    """A guard without a key takes everything."""

    async def on_disk(function: Callable[[], T], /) -> T:
        return function()

    return SignatureGuard(db or store_in_memory(), on_disk, changed=lambda: None)


class SigningKey:
    """A commander's key."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()

    @property
    def public_key(self) -> bytes:
        return self._key.public_key().public_bytes_raw()

    def item(self, number: int, *, rig_id: int = RIG_ID, kind: str = "playbooks", body: bytes = b"{}") -> InboxItem:
        key_id = key_id_of(self.public_key)
        signature = self._key.sign(signed_bytes(kind, key_id, rig_id, number, digest_of(body))).hex()
        signed = ItemSignature(key_id=key_id, rig_id=rig_id, number=number, signature=signature)
        return InboxItem(kind=kind, version=f"v{number}", body=msgspec.Raw(body), signature=signed)
