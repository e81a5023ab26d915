"""An encrypted backup: scrypt makes the key of a passphrase (RFC 7914), AES-256-GCM encrypts piece by piece.

    MINEWARDEN BACKUP 1
    {"n":65536,"r":8,"p":1,"salt":"…","nonce":"…","check":"…"}
    1 MiB + 16 bytes, 1 MiB + 16 bytes, …, the rest + 16 bytes

A piece's nonce is the file's seven bytes, the piece's number and whether it is the last. So a piece that was changed,
left out, moved or cut off is noticed. The first two lines are authenticated with each piece (its associated data).
Only one piece at a time is in memory.
"""

import hashlib
import io
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from msgspec import Meta

from commander.backup import BackupProblem

MAGIC = b"MINEWARDEN BACKUP 1\n"
LEAST_CHARACTERS = 12
PIECE = 1 << 20
_TAG = 16
_NONCE_BYTES = 7
_LONGEST_HEADER = 1_000
Hex = Annotated[str, Meta(pattern="^([0-9a-f]{2})*$", max_length=128)]


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """The second line. 64 MiB of memory and a fifth of a second for each try of a passphrase; what is read is bounded.

    `check` tells a wrong passphrase from a damaged file.
    """

    n: Annotated[int, Meta(ge=2, le=1 << 20)] = 1 << 16
    r: Annotated[int, Meta(ge=1, le=16)] = 8
    p: Annotated[int, Meta(ge=1, le=4)] = 1
    salt: Hex
    nonce: Hex
    check: Hex = ""


@dataclass(frozen=True, slots=True)
class BackupCipher:
    """Encrypts and decrypts pieces of one file, which begins with `header`."""

    header: bytes
    key: AESGCM
    nonce: bytes

    def encrypt(self, number: int, piece: bytes, *, is_last: bool) -> bytes:
        return self.key.encrypt(self._nonce(number, is_last=is_last), piece, self.header)

    def decrypt(self, number: int, piece: bytes, *, is_last: bool) -> bytes:
        """Raises `InvalidTag`."""
        return self.key.decrypt(self._nonce(number, is_last=is_last), piece, self.header)

    def _nonce(self, number: int, *, is_last: bool) -> bytes:
        return self.nonce + number.to_bytes(4, "big") + bytes([is_last])


def new_cipher(passphrase: str) -> BackupCipher:
    parameters = Parameters(salt=secrets.token_hex(16), nonce=secrets.token_hex(_NONCE_BYTES))
    key, check = _derived(passphrase, parameters)
    parameters = msgspec.structs.replace(parameters, check=check)
    header = MAGIC + msgspec.json.encode(parameters) + b"\n"
    return BackupCipher(header, AESGCM(key), bytes.fromhex(parameters.nonce))


def cipher_of(file: IO[bytes], passphrase: str, path: Path) -> BackupCipher:
    """Returns the cipher of a file that is open at its start. Raises `BackupProblem`."""
    file.readline(len(MAGIC))
    line = file.readline(_LONGEST_HEADER)
    try:
        parameters = msgspec.json.decode(line, type=Parameters)
        key, check = _derived(passphrase, parameters)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, MemoryError) as error:
        raise BackupProblem(f"{path} is damaged: its second line can't be read.") from error
    if not secrets.compare_digest(check, parameters.check):
        raise BackupProblem(f"That is not the passphrase of {path}. Nothing was changed.")
    return BackupCipher(MAGIC + line, AESGCM(key), bytes.fromhex(parameters.nonce))


def _derived(passphrase: str, parameters: Parameters) -> tuple[bytes, str]:
    """Returns the key, and a text by which the passphrase is known again."""
    scrypt = Scrypt(bytes.fromhex(parameters.salt), length=64, n=parameters.n, r=parameters.r, p=parameters.p)
    both = scrypt.derive(passphrase.encode())
    return both[:32], hashlib.sha256(both[32:]).hexdigest()


def is_encrypted(path: Path) -> bool:
    """Raises `OSError`."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


class EncryptingFile:
    """A file that is written from its start to its end, without going back. `finish` writes its last piece."""

    def __init__(self, file: IO[bytes], cipher: BackupCipher) -> None:
        self._file, self._cipher = file, cipher
        self._waiting, self._number = bytearray(), 0
        file.write(cipher.header)

    def write(self, content: bytes) -> int:
        self._waiting += content
        while len(self._waiting) > PIECE:
            self._put(bytes(self._waiting[:PIECE]), is_last=False)
            del self._waiting[:PIECE]
        return len(content)

    def flush(self) -> None:
        """Does nothing: pieces are written when they are whole."""

    def finish(self) -> None:
        self._put(bytes(self._waiting), is_last=True)
        self._waiting.clear()

    def _put(self, piece: bytes, *, is_last: bool) -> None:
        self._file.write(self._cipher.encrypt(self._number, piece, is_last=is_last))
        self._number += 1


class DecryptingFile(io.RawIOBase):
    """Reads an encrypted file anywhere; it holds one piece. Raises `BackupProblem` if the file was changed or cut."""

    def __init__(self, file: IO[bytes], cipher: BackupCipher, path: Path) -> None:
        self._file, self._cipher, self._path = file, cipher, path
        self._start = len(cipher.header)
        encrypted = file.seek(0, io.SEEK_END) - self._start
        self._pieces = max(1, -(-encrypted // (PIECE + _TAG)))
        self._size = encrypted - self._pieces * _TAG
        self._at, self._held, self._piece = 0, -1, b""
        self._load(self._pieces - 1)  # a file that was cut off has no last piece

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("before the start of the file")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: "memoryview[int]") -> int:  # type: ignore[override]
        if self._at >= self._size:
            return 0
        number, offset = divmod(self._at, PIECE)
        self._load(number)
        part = self._piece[offset : offset + len(buffer)]
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)

    def _load(self, number: int) -> None:
        if number == self._held:
            return
        self._file.seek(self._start + number * (PIECE + _TAG))
        encrypted = self._file.read(PIECE + _TAG)
        try:
            self._piece = self._cipher.decrypt(number, encrypted, is_last=number == self._pieces - 1)
        except InvalidTag as error:
            raise BackupProblem(f"{self._path} is damaged: it is not what was written.") from error
        self._held = number
