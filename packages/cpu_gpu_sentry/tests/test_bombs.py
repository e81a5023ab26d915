"""Archives made to fill memory or time. The child process that unpacks one is measured."""

import bz2
import gzip
import io
import json
import lzma
import os
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from cpu_gpu_sentry.playbooks.errors import Refused
from cpu_gpu_sentry.playbooks.unpack import Limits, unpack
from protocol.playbook_messages import Archive

pytestmark = pytest.mark.thorough

MEGABYTE = 1024 * 1024
MEMORY_MB = 60  # beside what the interpreter and the imports take
WITHIN_S = 20
PROGRAM = """
import json, sys, time
from pathlib import Path
from cpu_gpu_sentry.playbooks.errors import Refused
from cpu_gpu_sentry.playbooks.unpack import Limits, unpack
from protocol.playbook_messages import Archive

def peak_kb():
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])

packed, into, kind = Path(sys.argv[1]), Path(sys.argv[2]), Archive(sys.argv[3])
into.mkdir()
before, started = peak_kb(), time.process_time()
try:
    unpack(packed, kind, "miner", into, Limits(unpacked_bytes=10**8, small_bytes=10**8), lambda: None)
    said = "done"
except Refused as error:
    said = str(error)
grown_mb = (peak_kb() - before) / 1024
print(json.dumps([said, grown_mb, time.process_time() - started]))
"""


class Took(NamedTuple):
    said: str
    memory_mb: float
    cpu_s: float


def unpacked(tmp_path: Path, kind: Archive, body: bytes) -> Took:
    (tmp_path / "packed").write_bytes(body)
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "packed"), str(tmp_path / "into"), kind.value]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return Took(*json.loads(done.stdout))


def header(kind: bytes, size: int, name: str = "x") -> bytes:
    made = tarfile.TarInfo(name)
    made.type, made.size = kind, size
    return made.tobuf(tarfile.GNU_FORMAT)


def repeated(first: bytes, count: int, piece: bytes) -> bytes:
    """Returns a gzip of `first` and `count` times the following piece."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return b"".join([packer.compress(first), *(packer.compress(piece) for _ in range(count)), packer.flush()])


def chain(kind: bytes, body: bytes, count: int) -> bytes:
    """Returns headers that each announce another one."""
    return repeated(b"", count, header(kind, len(body)) + body + bytes(-len(body) % 512))


def many_pax(count: int) -> bytes:
    """Returns attributes for all following files, which a reader keeps one by one."""
    body = b"".join(b"%d k%06d=%s\n" % (1013, place, b"v" * 1000) for place in range(900))
    return repeated(b"", count, header(tarfile.XGLTYPE, len(body)) + body + bytes(-len(body) % 512) + header(b"5", 0))


def sparse_chain() -> bytes:
    """Returns a sparse file's list that never ends."""
    first = bytearray(header(tarfile.GNUTYPE_SPARSE, 0))
    first[482] = 1
    first[148:156] = b"%06o\0 " % (sum(first[:148]) + 8 * 32 + sum(first[156:]))
    extension = (b"00000000001\0" * 42)[:504] + b"\x01" + bytes(7)
    return repeated(bytes(first), 200, extension * 2_000)


def zip_of_names(count: int) -> bytes:
    """Returns a zip in which all names are the same file."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as writer:
        writer.writestr(zipfile.ZipInfo("x"), b"")
    whole = packed.getvalue()
    at = whole.index(b"PK\x01\x02")
    end = bytearray(whole[-22:])
    struct.pack_into("<L", end, 12, count * (len(whole) - 22 - at))
    return whole[:at] + whole[at:-22] * count + bytes(end)


def zip_of_bz2() -> bytes:
    """Returns a zip with bzip2: 45 bytes become 900 KB, and zipfile unpacks all that it has read at once."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_BZIP2) as writer:
        writer.writestr("miner", bytes(99 * 10**6))
    return packed.getvalue()


def many_bz2() -> bytes:
    """Returns several streams in one file, as parallel compressors write them."""
    return bz2.compress(header(b"0", 9 * 10**7) + bytes(MEGABYTE)) + bz2.compress(bytes(MEGABYTE)) * 150


LONG = 200 * MEGABYTE
BOMBS: dict[str, tuple[Archive, Callable[[], bytes], str]] = {
    "long name": (Archive.TAR_GZ, lambda: repeated(header(b"L", LONG), 200, b"a" * MEGABYTE), "more than 1 MB"),
    "attributes": (Archive.TAR_GZ, lambda: repeated(header(b"x", LONG), 200, b"1" * MEGABYTE), "more than 1 MB"),
    "digits": (Archive.TAR_GZ, lambda: chain(b"x", b"1" * 1_000_000, 1), "extended header"),
    "chain of attributes": (Archive.TAR_GZ, lambda: chain(b"x", b"6 a=b\n" * 80_000, 200), "more than 1 MB"),
    "chain of names": (Archive.TAR_GZ, lambda: chain(b"L", b"a" * 900_000, 200), "more than 1 MB"),
    "attributes for all": (Archive.TAR_GZ, lambda: many_pax(200), "more than 100 MB"),
    "the folder itself, again and again": (
        Archive.TAR_GZ,
        lambda: repeated(b"", 200, header(b"5", 0, "./") * 2_000),
        "more than 100,000 files",
    ),
    "sparse list": (Archive.TAR_GZ, sparse_chain, "no plain file"),
    "bz2": (Archive.TAR_BZ2, many_bz2, "more than 100 MB"),
    "xz": (Archive.TAR_XZ, lambda: lzma.compress(header(b"0", 10**9) + bytes(10**6), preset=0), "more than 100 MB"),
    "xz with a large window": (
        Archive.TAR_XZ,
        lambda: lzma.compress(bytes(10**6), filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 2**30, "preset": 0}]),
        "no readable tar.xz",
    ),
    "zip with a long list": (Archive.ZIP, lambda: zip_of_names(300_000), "more than 100,000 files"),
    "zip of bz2": (Archive.ZIP, zip_of_bz2, "ordinary zip"),
}


@pytest.mark.skipif(sys.platform != "linux", reason="the memory of a process is measured as Linux tells it")
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_takes_neither_memory_nor_time(tmp_path: Path, name: str) -> None:
    kind, make, words = BOMBS[name]
    took = unpacked(tmp_path, kind, make())
    assert words in took.said, took
    assert took.memory_mb < MEMORY_MB, took
    assert took.cpu_s < WITHIN_S, took


def tar_of(names: list[str]) -> bytes:
    return gzip.compress(b"".join(header(b"0", 0, name) for name in names) + bytes(1024), 1)


def test_many_small_files_are_synced_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sync for each of 100,000 files took 210 s."""
    synced, fsync = list[int](), os.fsync

    def counted(file: int) -> None:
        synced.append(file)
        fsync(file)

    monkeypatch.setattr(os, "fsync", counted)
    packed, into = tmp_path / "packed", tmp_path / "into"
    packed.write_bytes(tar_of(["miner", *(f"folder/{number}" for number in range(500))]))
    into.mkdir()
    unpack(packed, Archive.TAR_GZ, "miner", into, Limits(), lambda: None)
    assert len(list(into.rglob("*"))) == 502
    assert len(synced) <= 1


@pytest.mark.parametrize("name", ["x" * 300, "folder/" + "ü" * 128, "x" * 300 + "/miner"])
def test_a_name_that_no_disk_takes_is_the_archive_s_fault(tmp_path: Path, name: str) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as writer:
        writer.addfile(tarfile.TarInfo(name))
    (tmp_path / "packed").write_bytes(packed.getvalue())
    (tmp_path / "into").mkdir()
    with pytest.raises(Refused, match="more than 255 bytes"):
        unpack(tmp_path / "packed", Archive.TAR_GZ, "miner", tmp_path / "into", Limits(), lambda: None)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_each_form_of_tar_comes_out_whole(tmp_path: Path, form: int) -> None:
    """Python's own writer makes long names, names in two parts, and other letters."""
    names = ["miner", "/".join(["folder" * 3] * 8) + "/file", "folder/ü", f"long/{'n' * 90}/{'m' * 90}"]
    if form != tarfile.USTAR_FORMAT:
        names.append(f"{'l' * 200}/{'m' * 200}")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", format=form) as writer:
        for number, name in enumerate(names):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime = 1000 * number, 0o755, 1_790_000_000.25
            writer.addfile(entry, io.BytesIO(bytes([number]) * entry.size))
    (tmp_path / "packed").write_bytes(packed.getvalue())
    (tmp_path / "into").mkdir()
    unpack(tmp_path / "packed", Archive.TAR_GZ, "miner", tmp_path / "into", Limits(), lambda: None)
    assert [(tmp_path / "into" / name).read_bytes() for name in names] == [
        bytes([number]) * 1000 * number for number in range(len(names))
    ]


def test_a_tar_of_the_system_s_own_program_comes_out_whole(tmp_path: Path) -> None:
    folder = tmp_path / "made" / ("folder" * 30)
    folder.mkdir(parents=True)
    (folder / "miner").write_bytes(b"x" * 12_345)
    (tmp_path / "into").mkdir()
    subprocess.run(["tar", "czf", tmp_path / "packed", "-C", tmp_path / "made", "."], check=True)
    unpack(tmp_path / "packed", Archive.TAR_GZ, f"{'folder' * 30}/miner", tmp_path / "into", Limits(), lambda: None)
    assert (tmp_path / "into" / ("folder" * 30) / "miner").read_bytes() == b"x" * 12_345
