"""The commander's key that signs what sentries run: an Ed25519 key in a file that only its owner may read.

The file is not in the database: a stolen database can't make rigs run anything. It lies beside the certificate
authority, so that backups have both and commanders that share the one share the other.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from filelock import FileLock
from protocol.inbox_messages import InboxItem
from protocol.item_signature import ItemSignature, SignedItem, bytes_of, digest_of, key_id_of, signed_bytes

from commander.private_files import PLAYBOOK_KEY, write_private
from commander.problems import CommandProblem
from commander.settings import Settings

log = logging.getLogger(__name__)

UNSIGNED = (
    "Playbooks and commands are not signed: a thief of the database can choose what rigs run. Set "
    "COMMANDER_CA_DIR on all web nodes, to one folder that they share or that has the same files; see docs/scaling.md."
)


class SigningProblem(CommandProblem):
    """The key can't be used; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs inbox items. `now_ms` is the clock from which numbers are made. `is_new`: the key was made just now."""

    key: Ed25519PrivateKey
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    is_new: bool = False

    @property
    def public_key(self) -> bytes:
        return self.key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)

    @property
    def key_id(self) -> str:
        return key_id_of(self.public_key)

    def signed(self, item: InboxItem, rig_id: int, newest: SignedItem | None) -> InboxItem:
        """Returns the item with a signature for this rig. `newest` is the newest one that its sentry has taken.

        The number is the time in milliseconds. After a restored backup or a corrected clock the sentry may have a
        higher number: then it is one more than that, if this key has signed it for this rig. So no sentry refuses for
        ever, and no stolen token makes the commander sign a number of the far future.
        """
        number, key_id = self.now_ms(), self.key_id
        if newest is not None and newest.signature.number >= number and self._is_ours(newest, rig_id):
            number = newest.signature.number + 1
        message = signed_bytes(item.kind, key_id, rig_id, number, digest_of(bytes(item.body)))
        signature = ItemSignature(key_id=key_id, rig_id=rig_id, number=number, signature=self.key.sign(message).hex())
        return InboxItem(kind=item.kind, version=item.version, body=item.body, signature=signature)

    def _is_ours(self, item: SignedItem, rig_id: int) -> bool:
        try:
            self.key.public_key().verify(bytes.fromhex(item.signature.signature), bytes_of(item))
        except InvalidSignature:
            return False
        return item.signature.rig_id == rig_id


def open_signer(settings: Settings) -> Signer | None:
    """Returns the signer, with a new key if there is none yet. Raises `SigningProblem`.

    Returns None if `unsigned_text` says why.
    """
    if unsigned_text(settings):
        return None
    folder = settings.ca_dir or settings.data_dir / "tls"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / PLAYBOOK_KEY
    with FileLock(folder / "playbook.lock", timeout=10, mode=0o600):
        is_new = not path.exists()
        if is_new:
            write_private(path, _pem(Ed25519PrivateKey.generate()))
            log.info("A key that signs playbooks was made: %s", path)
        return Signer(_read(path), is_new=is_new)


def unsigned_text(settings: Settings) -> str:
    """Returns what the log and pages say where nothing is signed; else an empty text.

    One of several commanders that share no folder signs nothing: each would sign with another key.
    """
    return UNSIGNED if settings.nats_url and settings.ca_dir is None else ""


def _pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _read(path: Path) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise SigningProblem(
            f"{path}, the key that signs playbooks, is damaged. Put it back from a backup; or remove it, and every "
            "CPU/GPU rig must be enrolled again."
        )
    return key
