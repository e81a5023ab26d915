"""The form of an encrypted backup: read anywhere, flat in memory, refused if it was changed."""

import io
import os
import tracemalloc
from pathlib import Path

import pytest
from commander.backup import BackupProblem
from commander.backup.archive import new_archive
from commander.backup.encryption import MAGIC, PIECE, DecryptingFile, EncryptingFile, cipher_of, new_cipher

pytestmark = pytest.mark.thorough

PASSPHRASE = "correct horse battery staple"


def encrypted(content: bytes, path: Path) -> None:
    with path.open("wb") as file:
        target = EncryptingFile(file, new_cipher(PASSPHRASE))
        for start in range(0, len(content), 300_000):
            target.write(content[start : start + 300_000])
        target.finish()


def decrypted(path: Path, passphrase: str = PASSPHRASE) -> bytes:
    with path.open("rb") as file:
        return io.BufferedReader(DecryptingFile(file, cipher_of(file, passphrase, path), path)).read()


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 2 * PIECE + 5])
def test_what_is_encrypted_is_read_again_from_anywhere(tmp_path: Path, size: int) -> None:
    content, path = os.urandom(size), tmp_path / "file"
    encrypted(content, path)
    assert decrypted(path) == content
    assert content[:200] not in path.read_bytes() or size < 16
    with path.open("rb") as file:
        reader = io.BufferedReader(DecryptingFile(file, cipher_of(file, PASSPHRASE, path), path))
        for start in (size // 2, max(0, size - 3), 0):
            reader.seek(start)
            assert reader.read(10) == content[start : start + 10]


@pytest.mark.parametrize("where", ["header", "first", "last", "cut", "piece gone", "swapped", "longer"])
def test_a_file_that_was_changed_is_refused(tmp_path: Path, where: str) -> None:
    path = tmp_path / "file"
    encrypted(os.urandom(3 * PIECE + 10), path)
    content = bytearray(path.read_bytes())
    start = content.index(b"\n", len(MAGIC)) + 1
    size = PIECE + 16
    if where == "header":
        content[start - 5] ^= 1
    elif where in ("first", "last"):
        content[start if where == "first" else -1] ^= 1
    elif where == "cut":
        del content[start + 3 * size :]
    elif where == "piece gone":
        del content[start : start + size]
    elif where == "swapped":
        first, second = content[start : start + size], content[start + size : start + 2 * size]
        content[start : start + 2 * size] = second + first
    else:
        content += b"more"
    path.write_bytes(content)
    with pytest.raises(BackupProblem):
        decrypted(path)


def test_a_wrong_passphrase_is_a_sentence(tmp_path: Path) -> None:
    encrypted(b"content", tmp_path / "file")
    with pytest.raises(BackupProblem, match="not the passphrase"):
        decrypted(tmp_path / "file", "correct horse battery stapler")


@pytest.mark.parametrize(
    "line", [b"", b"{}", b"x" * 5_000, b'{"n":1073741824,"r":8,"p":1,"salt":"","nonce":"","check":""}']
)
def test_a_second_line_that_can_not_be_meant_is_refused_before_it_costs_anything(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "file").write_bytes(MAGIC + line + b"\n" + os.urandom(100))
    with pytest.raises(BackupProblem, match="damaged"):
        decrypted(tmp_path / "file")


def test_memory_stays_flat(tmp_path: Path) -> None:
    piece = os.urandom(PIECE)
    tracemalloc.start()
    try:
        with new_archive(tmp_path / "file", PASSPHRASE) as archive:
            archive.add("database", (piece for _ in range(40)))
        assert tracemalloc.get_traced_memory()[1] < 12 * PIECE
    finally:
        tracemalloc.stop()
    assert (tmp_path / "file").stat().st_size > 40 * PIECE
