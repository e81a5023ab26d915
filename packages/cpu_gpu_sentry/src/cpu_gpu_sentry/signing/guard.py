"""Lets only those items of the inbox pass that the commander's pinned key has signed for this rig, and no old ones."""

import logging
import sqlite3
from collections.abc import Callable
from dataclasses import replace

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from protocol.inbox_messages import InboxItem, signed_part
from protocol.item_signature import SignedItem, bytes_of, key_from_hex
from protocol.messages import SentryWelcome
from protocol.tokens import Token
from sentry_kit.store import load_enrolment, transaction

from cpu_gpu_sentry.playbooks.supervisor import OnDisk
from cpu_gpu_sentry.signing.store import AT_FIRST_SIGHT, SigningPin, load_pin, save_pin

log = logging.getLogger(__name__)


def why_not(pin: SigningPin | None, item: InboxItem) -> str | None:
    """Returns why the item must not be taken; None if it may. Without a pin every item may."""
    if pin is None:
        return None
    signed = signed_part(item)
    if signed is None:
        return f"The commander's item “{item.kind}” is not signed, and this rig takes signed items only."
    signature = signed.signature
    if signature.key_id != pin.key_id:
        return (
            f"It is signed with the key {signature.key_id}, and this rig accepts the key {pin.key_id} only. If the "
            "commander's key was replaced on purpose, enroll this rig again."
        )
    if not _is_signed_by(pin.public_key, signed):
        return "Its signature is wrong: its text is not the one that the commander has signed."
    if signature.rig_id != pin.rig_id:
        return f"It was signed for the rig with the number {signature.rig_id}, and this rig is number {pin.rig_id}."
    if signature.number < pin.number or (signature.number == pin.number and signed != pin.newest):
        return f"It is old: its number is {signature.number}, and this rig has already taken number {pin.number}."
    return None


def _is_signed_by(public_key: bytes, signed: SignedItem) -> bool:
    try:
        key = Ed25519PublicKey.from_public_bytes(public_key)
        key.verify(bytes.fromhex(signed.signature.signature), bytes_of(signed))
    except (InvalidSignature, ValueError):
        return False
    return True


class SignatureGuard:
    """The pin of this sentry. `changed` is called when it refuses something else than before."""

    def __init__(self, db: sqlite3.Connection, on_disk: OnDisk, *, changed: Callable[[], None]) -> None:
        self.pin = load_pin(db)
        self._db, self._on_disk, self._changed = db, on_disk, changed

    @property
    def refused(self) -> str | None:
        """Returns why the commander's items are not taken now."""
        return self.pin.refused if self.pin else None

    @property
    def newest(self) -> SignedItem | None:
        return self.pin.newest if self.pin else None

    async def reload(self) -> None:
        """Takes over the pin in the store: another process may have enrolled the rig again."""
        self.pin = await self._on_disk(lambda: load_pin(self._db))

    async def refusal_of(self, item: InboxItem) -> str | None:
        """Returns why the item must not be taken. If it may, its number is stored first: no older one passes then.

        A refused item is asked for again: the commander may sign it with a higher number.
        """
        while True:
            pin = self.pin
            reason = why_not(pin, item)
            if pin is None or reason is not None:
                return reason
            if await self._save(pin, replace(pin, newest=signed_part(item))):
                return None

    async def note_refusal(self, reason: str | None) -> None:
        """Stores why items of the newest answer were refused; None if none was."""
        if self.refused == reason or self.pin is None:
            return
        if reason is not None:
            log.warning("inbox_item_refused %s", reason)
        while (pin := self.pin) is not None and not await self._save(pin, replace(pin, refused=reason)):
            pass  # the pin in the store was another one, and is taken over now
        self._changed()

    async def take_welcome(self, token: Token, welcome: SentryWelcome) -> None:
        """Pins the commander's key if none is known: this sentry was enrolled by an earlier version."""
        key = key_from_hex(welcome.signing_key or "")
        if self.pin is not None:
            if key is not None and key != self.pin.public_key:
                log.warning("signing_key_differs the rig still accepts the key %s only", self.pin.key_id)
            return
        if key is None or welcome.rig is None:
            return
        pin = SigningPin(key, welcome.rig.id, AT_FIRST_SIGHT)
        await self._on_disk(lambda: self._pin_once(token, pin))
        await self.reload()
        log.warning(
            "signing_key_pinned %s: the first one that the commander named; no other one is accepted now", pin.key_id
        )
        self._changed()

    def _pin_once(self, token: Token, pin: SigningPin) -> None:
        with transaction(self._db):
            enrolment = load_enrolment(self._db)
            if enrolment is not None and enrolment.token == token and load_pin(self._db) is None:
                save_pin(self._db, pin)

    async def _save(self, before: SigningPin, after: SigningPin) -> bool:
        """Returns whether the store has `after` now. If its pin was not `before`, that pin is taken over instead.

        The rig may have been enrolled again, or a write may have outlasted its time limit.
        """
        if after == before:
            return True
        self.pin = await self._on_disk(lambda: self._replaced(before, after))
        return self.pin == after

    def _replaced(self, before: SigningPin, after: SigningPin) -> SigningPin | None:
        with transaction(self._db):
            stored = load_pin(self._db)
            if stored != before:
                return stored
            save_pin(self._db, after)
            return after
