"""Secrets at rest that the commander must read again, such as those of channels.

They are encrypted by AES-GCM with a key of this farm, in a file that only its owner may read. The file lies beside the
certificate authority, so that backups have both and commanders that share the one share the other. It is made
when the first secret is stored.
"""

import secrets
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from filelock import FileLock

from commander.private_files import SECRETS_KEY, write_private
from commander.problems import CommanderError, ErrorKind
from commander.settings import Settings

_NONCE_BYTES = 12  # NIST SP 800-38D, 8.2
_KEY_BYTES = 32
CHANNELS = b"minewarden notification channel 1"


class SecretsUnreadable(CommanderError):
    """The key that sealed the secrets is not here."""

    kind = ErrorKind(409, "secrets_unreadable", "Secrets unreadable")


class Sealer:
    """Seals secrets before they are stored, and reads them.

    What was sealed for one `purpose` can't be read for another. `what` begins the sentence of an error.
    """

    def __init__(self, settings: Settings, purpose: bytes = CHANNELS, what: str = "The channel's secrets") -> None:
        self._purpose, self._what = purpose, what
        self._folder = settings.ca_dir or settings.data_dir / "tls"
        self._is_shared = settings.ca_dir is not None

    def prepare(self) -> None:
        """Makes the key at the start where commanders share a folder, so that a copied folder has it."""
        if self._is_shared:
            self._key()

    def seal(self, values: dict[str, str]) -> bytes:
        """Returns the secrets by name, sealed; nothing for none."""
        if not values:
            return b""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + AESGCM(self._key()).encrypt(nonce, msgspec.json.encode(values), self._purpose)

    def unseal(self, sealed: bytes) -> dict[str, str]:
        """Returns the secrets by name. Raises `SecretsUnreadable`."""
        if not sealed:
            return {}
        try:
            key = self._path.read_bytes()
            opened = AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], self._purpose)
            return msgspec.json.decode(opened, type=dict[str, str])
        except (OSError, ValueError, InvalidTag, msgspec.DecodeError) as error:
            raise SecretsUnreadable(
                f"{self._what} can't be read: {self._path} is not the key that encrypted them. Put the right "
                "file there, or enter the secrets again."
            ) from error

    @property
    def _path(self) -> Path:
        return self._folder / SECRETS_KEY

    def _key(self) -> bytes:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(self._folder / "secrets.lock", timeout=10, mode=0o600):
            if not self._path.exists():
                write_private(self._path, secrets.token_bytes(_KEY_BYTES))
            return self._path.read_bytes()
