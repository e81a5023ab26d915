"""Archives from outside: ordinary ones come out whole, and nothing that one can hold gets out of its folder."""

import gzip
import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cpu_gpu_sentry.playbooks.errors import Refused
from cpu_gpu_sentry.playbooks.unpack import Limits, unpack
from hypothesis import given
from hypothesis import strategies as st
from protocol.playbook_messages import Archive

from tests.playbook_software import archive, tar

TARS = [Archive.TAR_GZ, Archive.TAR_XZ, Archive.TAR_BZ2]
FILES = {"miner-1/miner": b"\x7fELF" + b"x" * 100_000, "miner-1/lib/a.so": b"lib", "miner-1/README": b""}
SMALL = Limits(archive_bytes=10**6, unpacked_bytes=300_000, files=50, ratio=100, small_bytes=300_000)


def unpacked(tmp_path: Path, kind: Archive, body: bytes, executable: str = "miner-1/miner") -> Path:
    """The folder; everything around it is watched by `untouched`."""
    into, packed = tmp_path / "data" / "new", tmp_path / "data" / "packed"
    into.mkdir(parents=True, exist_ok=True)
    packed.write_bytes(body)
    unpack(packed, kind, executable, into, SMALL, lambda: None)
    return into


@pytest.fixture(autouse=True)
def untouched(tmp_path: Path) -> Iterator[None]:
    """Nothing outside the folder changes, whatever a test does."""
    (tmp_path / "data").mkdir()
    victim = tmp_path / "victim"
    victim.write_text("as it was")
    yield
    assert victim.read_text() == "as it was"
    assert victim.stat().st_mode & 0o777 == 0o644
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "victim"]
    assert {path.name for path in (tmp_path / "data").iterdir()} <= {"new", "packed"}


@pytest.mark.parametrize("kind", [*TARS, Archive.ZIP])
def test_an_ordinary_archive_comes_out_whole(tmp_path: Path, kind: Archive) -> None:
    into = unpacked(tmp_path, kind, archive(kind, FILES))
    found = {str(path.relative_to(into)): path.read_bytes() for path in into.rglob("*") if path.is_file()}
    assert found == FILES
    assert (into / "miner-1/miner").stat().st_mode & 0o777 == 0o755
    assert (into / "miner-1/README").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("kind", [Archive.TAR_GZ, Archive.ZIP])
def test_no_file_comes_out_with_the_rights_of_its_owner_or_open_to_all(tmp_path: Path, kind: Archive) -> None:
    packed, mode = io.BytesIO(), 0o6777
    if kind is Archive.ZIP:
        with zipfile.ZipFile(packed, "w") as zipped:
            for name, body in FILES.items():
                about = zipfile.ZipInfo(name)
                about.create_system, about.external_attr = 3, mode << 16
                zipped.writestr(about, body)
    else:
        with tarfile.open(fileobj=packed, mode="w:gz") as taped:
            for name, body in FILES.items():
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(body), mode
                taped.addfile(entry, io.BytesIO(body))
    into = unpacked(tmp_path, kind, packed.getvalue())
    assert {(into / name).stat().st_mode & 0o7777 for name in FILES} == {0o755}


def test_what_is_no_archive_is_the_executable_itself(tmp_path: Path) -> None:
    into = unpacked(tmp_path, Archive.NONE, b"\x7fELF", "bin/miner")
    assert (into / "bin/miner").read_bytes() == b"\x7fELF"
    assert (into / "bin/miner").stat().st_mode & 0o111


def test_several_streams_in_one_xz_are_one_archive(tmp_path: Path) -> None:
    import lzma

    whole = tar(FILES)
    packed = b"".join(lzma.compress(whole[at : at + 20_000]) for at in range(0, len(whole), 20_000))
    assert (unpacked(tmp_path, Archive.TAR_XZ, packed + b"\0" * 8) / "miner-1/miner").is_file()


def test_backslashes_of_old_windows_programs_are_folders(tmp_path: Path) -> None:
    into = unpacked(tmp_path, Archive.ZIP, archive(Archive.ZIP, {"miner-1\\miner": b"x"}))
    assert (into / "miner-1/miner").read_bytes() == b"x"


def test_a_missing_executable_is_told_with_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"no file xmrig; it has miner-1/README, miner-1/lib/a.so, miner-1/miner"):
        unpacked(tmp_path, Archive.TAR_GZ, archive(Archive.TAR_GZ, FILES), "xmrig")


BAD_NAMES = ["../victim", "/victim", "a/../../victim", "..", "a\\..\\b/../../../victim", "miner-1/../../victim"]


@pytest.mark.parametrize("kind", [*TARS, Archive.ZIP])
@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_path_out_of_the_folder_is_refused(tmp_path: Path, kind: Archive, name: str) -> None:
    with pytest.raises(Refused, match="no path inside"):
        unpacked(tmp_path, kind, archive(kind, {**FILES, name: b"evil"}))


def entry(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.devmajor, made.devminor = kind, target, 1, 8
    return made


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (entry("link", tarfile.SYMTYPE, "/etc"), "a link"),
        (entry("link", tarfile.SYMTYPE, "miner-1/miner"), "a link"),
        (entry("link", tarfile.LNKTYPE, "../../victim"), "a link"),
        (entry("link", tarfile.LNKTYPE, "miner-1/miner"), "a link"),
        (entry("sda", tarfile.BLKTYPE), "a device"),
        (entry("tty", tarfile.CHRTYPE), "a device"),
        (entry("pipe", tarfile.FIFOTYPE), "a device or a pipe"),
        (entry("sparse", tarfile.GNUTYPE_SPARSE), "no plain file"),
        (entry("what", b"Z"), "no plain file"),
    ],
)  # fmt: skip
def test_links_and_devices_are_refused(tmp_path: Path, bad: tarfile.TarInfo, words: str) -> None:
    with pytest.raises(Refused, match=words):
        unpacked(tmp_path, Archive.TAR_GZ, gzip.compress(tar(FILES, bad)))


@pytest.mark.parametrize(("mode", "words"), [(0o120777, "a link"), (0o060644, "a device"), (0o010644, "a pipe")])
def test_a_zip_s_links_and_devices_are_refused(tmp_path: Path, mode: int, words: str) -> None:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as writer:
        bad = zipfile.ZipInfo("bad")
        bad.external_attr = mode << 16
        writer.writestr(bad, "/etc/passwd")
    with pytest.raises(Refused, match=words):
        unpacked(tmp_path, Archive.ZIP, body.getvalue(), "bad")


def test_a_link_can_t_be_written_through(tmp_path: Path) -> None:
    """The classic: a link to a folder outside, then a file below it."""
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w:gz") as writer:
        writer.addfile(entry("out", tarfile.SYMTYPE, str(tmp_path)))
        evil = tarfile.TarInfo("out/victim")
        evil.size = 4
        writer.addfile(evil, io.BytesIO(b"evil"))
    with pytest.raises(Refused, match="a link"):
        unpacked(tmp_path, Archive.TAR_GZ, body.getvalue())


@pytest.mark.parametrize("kind", [Archive.TAR_GZ, Archive.ZIP])
def test_the_same_name_twice_is_refused(tmp_path: Path, kind: Archive) -> None:
    body = archive(kind, {"miner-1/miner": b"1", "miner-1/miner/x": b"2", "miner-1/a": b"3"})
    with pytest.raises(Refused, match="twice"):
        unpacked(tmp_path, kind, body)


def ten_gigabytes_of_zeros() -> bytes:
    """A tar of one file of 10 GB, as 10 MB of gzip; its size stands in its header."""
    header = tarfile.TarInfo("zeros")
    header.size = 10 * 10**9
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    megabyte = packer.compress(header.tobuf()) + packer.compress(bytes(10**6)) + packer.flush(zlib.Z_FULL_FLUSH)
    return megabyte


def many(count: int) -> bytes:
    return archive(Archive.TAR_GZ, {f"f{number}": b"" for number in range(count)})


def lying_zip() -> bytes:
    """Its directory says 10 bytes and holds 200,000."""
    body = bytearray(archive(Archive.ZIP, {"a": b"\0" * 200_000}))
    for signature, at in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        struct.pack_into("<L", body, body.index(signature) + at, 10)
    return bytes(body)


@pytest.mark.parametrize(
    ("kind", "make", "words"),
    [
        (Archive.TAR_GZ, ten_gigabytes_of_zeros, "more than 0 MB"),
        (Archive.TAR_GZ, lambda: archive(Archive.TAR_GZ, {f"f{n}": bytes(90_000) for n in range(5)}), "more than 0 MB"),
        (Archive.TAR_XZ, lambda: archive(Archive.TAR_XZ, {"f": bytes(400_000)}), "more than 0 MB"),
        (Archive.TAR_BZ2, lambda: archive(Archive.TAR_BZ2, {"f": bytes(400_000)}), "more than 0 MB"),
        (Archive.ZIP, lambda: archive(Archive.ZIP, {f"f{n}": bytes(90_000) for n in range(5)}), "more than 0 MB"),
        (Archive.TAR_GZ, lambda: many(60), "more than 50 files"),
        (Archive.ZIP, lambda: archive(Archive.ZIP, {f"f{n}": b"" for n in range(60)}), "more than 50 files"),
        (Archive.ZIP, lying_zip, "no readable zip|cut off"),
        (Archive.TAR_GZ, lambda: gzip.compress(_long_name()), "more than 1 MB"),
    ],
)
def test_a_bomb_is_refused_before_it_goes_off(
    tmp_path: Path, kind: Archive, make: Callable[[], bytes], words: str
) -> None:
    with pytest.raises(Refused, match=words):
        unpacked(tmp_path, kind, make())
    assert sum(path.stat().st_size for path in (tmp_path / "data" / "new").rglob("*")) <= 310_000


def _long_name() -> bytes:
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 4 * 10**9
    return header.tobuf(tarfile.GNU_FORMAT)


def test_what_shrinks_a_hundredfold_is_a_bomb_whatever_is_allowed_besides(tmp_path: Path) -> None:
    limits = Limits(small_bytes=1000)
    assert limits.unpacked_from(50_000) == 5_000_000
    assert limits.unpacked_from(2 * 10**9) == 8 * 10**9
    assert Limits().unpacked_from(1000) == 256 * 10**6


def test_an_encrypted_zip_and_an_unknown_packing_are_refused(tmp_path: Path) -> None:
    for offset, value, words in ((8, 1, "encrypted"), (10, 14, "ordinary zip")):
        body = bytearray(archive(Archive.ZIP, {"a": b"text"}))
        struct.pack_into("<H", body, body.index(b"PK\x01\x02") + offset, value)
        with pytest.raises(Refused, match=words):
            unpacked(tmp_path, Archive.ZIP, bytes(body), "a")


def test_a_directory_that_fills_memory_is_not_read(tmp_path: Path) -> None:
    body = bytearray(archive(Archive.ZIP, {"a": b"text"}))
    struct.pack_into("<L", body, body.index(b"PK\x05\x06") + 12, 2**31)
    with pytest.raises(Refused, match="far too many"):
        unpacked(tmp_path, Archive.ZIP, bytes(body), "a")


WHOLE = {kind: archive(kind, FILES) for kind in [*TARS, Archive.ZIP]}


@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.parametrize("part", [0, 1, 20, -1, -20])
def test_half_an_archive_is_refused(tmp_path: Path, kind: Archive, part: int) -> None:
    with pytest.raises(Refused):
        unpacked(tmp_path, kind, WHOLE[kind][:part] if part else b"")


def test_another_kind_of_archive_is_refused(tmp_path: Path) -> None:
    for kind in WHOLE:
        for other in WHOLE:
            if other is not kind:
                with pytest.raises(Refused, match="no readable"):
                    unpacked(tmp_path, kind, WHOLE[other])


def test_unpacking_can_be_given_up(tmp_path: Path) -> None:
    packed, into = tmp_path / "data" / "packed", tmp_path / "data" / "new"
    packed.write_bytes(WHOLE[Archive.TAR_GZ])
    into.mkdir()

    def give_up() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unpack(packed, Archive.TAR_GZ, "a", into, SMALL, give_up)


NAMES = st.lists(st.sampled_from(["a", "..", ".", "", "/", "b", "victim", "C:", "\\", "\0", "ü"]), max_size=5)
TYPES = st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, b"7"])


@given(st.lists(st.tuples(NAMES, TYPES, NAMES), min_size=1, max_size=6))
def test_no_combination_of_entries_gets_out(
    tmp_path_factory: pytest.TempPathFactory, entries: list[tuple[list[str], bytes, list[str]]]
) -> None:
    folder = tmp_path_factory.mktemp("x")
    (folder / "victim").write_text("as it was")
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w") as writer:
        for name, kind, target in entries:
            made = entry("/".join(name), kind, "/".join(target))
            made.size = 4 if kind == tarfile.REGTYPE else 0
            writer.addfile(made, io.BytesIO(b"evil"))
    _try(folder, Archive.TAR_GZ, gzip.compress(body.getvalue(), 1))


@given(st.sampled_from(list(WHOLE)), st.data())
def test_damaged_bytes_are_refused_or_come_out(
    tmp_path_factory: pytest.TempPathFactory, kind: Archive, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("x")
    (folder / "victim").write_text("as it was")
    body = bytearray(WHOLE[kind])
    for _byte in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    _try(folder, kind, bytes(body))


def _try(folder: Path, kind: Archive, body: bytes) -> None:
    """Refused, or done: no other error, and nothing outside."""
    try:
        into = unpacked(folder, kind, body)
    except Refused:
        into = folder / "data" / "new"
    assert (folder / "victim").read_text() == "as it was"
    assert sorted(path.name for path in folder.iterdir()) == ["data", "victim"]
    assert not [path for path in into.rglob("*") if path.is_symlink() or not (path.is_file() or path.is_dir())]
