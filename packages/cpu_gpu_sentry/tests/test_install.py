"""Installing from a real HTTPS server of the test's own CA: resumed, proven, pinned, and refused with the reason."""

import asyncio
import errno
import os
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cpu_gpu_sentry.playbooks import download as downloading
from cpu_gpu_sentry.playbooks import folders as disk
from cpu_gpu_sentry.playbooks import install as installing
from cpu_gpu_sentry.playbooks.errors import Interrupted, Refused, Trouble, failure_text, next_try_text
from cpu_gpu_sentry.playbooks.folders import Folders
from cpu_gpu_sentry.playbooks.install import Pins, install
from cpu_gpu_sentry.playbooks.packages import package_key
from cpu_gpu_sentry.playbooks.unpack import Limits
from protocol.playbook_messages import Archive, PlaybookState, SoftwarePackage
from sentry_kit.worker import Worker

from tests.playbook_software import EXECUTABLE, Vendor, archive, package_of, stand_in, vendor

BODY = stand_in(filler=os.urandom(1_500_000))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vendor]:
    with vendor(tmp_path_factory.mktemp("vendor")) as serving:
        yield serving


@dataclass
class Rig:
    folders: Folders
    shop: Vendor
    disk: Worker
    pinned: dict[str, str] = field(default_factory=dict)
    progress: list[tuple[PlaybookState, float | None]] = field(default_factory=list)
    has_begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def install(self, package: SoftwarePackage, **limits: int) -> Path:
        async def get(url: str) -> str | None:
            return self.pinned.get(url)

        async def put(url: str, sha256: str) -> None:
            self.pinned[url] = sha256

        def progress(state: PlaybookState, percent: float | None) -> None:
            self.progress.append((state, percent))
            if percent is not None:
                self.has_begun.set()

        await install(
            package, self.folders, self.disk, Pins(get, put), progress, Limits(**limits), key=package_key(package)
        )
        return self.folders.software / package_key(package)

    def leftovers(self) -> list[str]:
        return [path.name for folder in (self.folders.software, self.folders.downloads) for path in folder.glob("*")]


@pytest.fixture
async def rig(tmp_path: Path, shop: Vendor, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    monkeypatch.setenv("SSL_CERT_FILE", str(shop.ca))
    shop.asked.clear()
    shop.cut_after, shop.hold, shop.has_ranges = None, None, True
    disk = Worker("test")
    yield Rig(Folders(tmp_path / "data"), shop, disk)
    assert disk.end(within_s=10)


def offered(rig: Rig, body: bytes = BODY, name: str = "miner.tar.gz", **other: Any) -> SoftwarePackage:
    return package_of(rig.shop.offer(name, body), body, **other)


async def test_it_is_downloaded_proven_and_put_in_its_place(rig: Rig) -> None:
    package = offered(rig)
    folder = await rig.install(package)
    assert (folder / EXECUTABLE).stat().st_mode & 0o111
    assert rig.leftovers() == [package_key(package)]
    states = [state for state, _ in rig.progress]
    assert states == sorted(states, key=[PlaybookState.DOWNLOADING, PlaybookState.INSTALLING].index)
    percents = [percent for _, percent in rig.progress if percent is not None]
    assert percents == sorted(percents)
    assert percents[-1] == 100
    await rig.install(package)
    assert len(rig.shop.asked) == 1


async def test_a_broken_download_goes_on_where_it_stopped(rig: Rig) -> None:
    package = offered(rig)
    rig.shop.cut_after = 600_000
    with pytest.raises(Interrupted, match="was interrupted during the download"):
        await rig.install(package)
    assert (await rig.install(package) / EXECUTABLE).is_file()
    ranges = [wanted for _, wanted in rig.shop.asked]
    assert ranges[0] is None
    assert 0 < int((ranges[1] or "").removeprefix("bytes=").removesuffix("-")) <= 600_000


async def test_a_server_without_a_name_is_said_in_words(rig: Rig) -> None:
    package = msgspec.structs.replace(offered(rig), url="https://downloads.invalid./miner.tar.gz")
    with pytest.raises(Interrupted) as failed:
        await rig.install(package)
    assert f"{failure_text(failed.value)} {next_try_text(failed.value, 30.0)}" == (
        "Could not reach downloads.invalid.: its name does not resolve. "
        "Trying again in 30 s; what was downloaded is kept."
    )


async def test_a_part_of_a_file_that_has_changed_meanwhile_is_thrown_away(rig: Rig) -> None:
    rig.shop.cut_after = 600_000
    with pytest.raises(Trouble):
        await rig.install(offered(rig, sha256=None))
    new = stand_in(filler=b"another")
    assert (await rig.install(offered(rig, new, sha256=None)) / EXECUTABLE).is_file()


async def test_a_server_without_ranges_starts_anew(rig: Rig) -> None:
    package = offered(rig)
    rig.shop.cut_after, rig.shop.has_ranges = 600_000, False
    with pytest.raises(Trouble):
        await rig.install(package)
    assert (await rig.install(package) / EXECUTABLE).is_file()


async def test_a_wrong_hash_is_refused_and_nothing_is_kept(rig: Rig) -> None:
    package = offered(rig, sha256="0" * 64)
    with pytest.raises(Refused, match=r"SHA-256 is [0-9a-f]{64}, and the software's entry says 0000"):
        await rig.install(package)
    assert rig.leftovers() == []


async def test_a_continued_download_with_a_wrong_hash_gets_a_second_chance(rig: Rig) -> None:
    package = offered(rig)
    rig.shop.cut_after = 600_000
    with pytest.raises(Trouble):
        await rig.install(package)
    part = rig.folders.downloads / f"{package_key(package)}.part"
    part.write_bytes(b"damaged" + part.read_bytes()[7:])
    with pytest.raises(Trouble, match="again"):
        await rig.install(package)
    assert (await rig.install(package) / EXECUTABLE).is_file()


async def test_without_a_hash_the_first_download_is_pinned_and_another_one_refused(rig: Rig) -> None:
    package = offered(rig, name="unhashed.tar.gz", sha256=None)
    await rig.install(package)
    first = rig.pinned[package.url]
    disk.discard_software(rig.folders, package_key(package))
    await rig.install(package)
    disk.discard_software(rig.folders, package_key(package))
    other = stand_in(filler=b"replaced")
    rig.shop.offer("unhashed.tar.gz", other)
    with pytest.raises(Refused, match=f"first downloaded from there had {first}"):
        await rig.install(package)
    assert rig.pinned[package.url] == first
    told = msgspec.structs.replace(package, sha256=package_of("", other).sha256)
    assert (await rig.install(told) / EXECUTABLE).is_file()


@pytest.mark.parametrize(
    ("change", "limits", "words"),
    [
        ({"url": "{shop}/gone.tar.gz"}, {}, "answers 404"),
        ({"url": "{shop}/loop"}, {}, "redirects too often"),
        ({"url": "{shop}/plain"}, {}, "without https"),
        ({"url": "http://127.0.0.1:1/a", "sha256": None}, {}, "SHA-256"),
        ({"url": "https://127.0.0.1:1/a"}, {}, "Could not reach 127.0.0.1: the connection was refused"),
        ({"url": "https://localhost:{port}/miner.tar.gz"}, {}, "failed"),
        ({}, {"archive_bytes": 1_000_000}, "larger than 0.001 GB"),
        ({}, {"unpacked_bytes": 1_000_000}, "more than 1 MB"),
        ({"archive": Archive.ZIP}, {}, "no readable zip"),
        ({"executable": "xmrig"}, {}, "no file xmrig"),
    ],
)
async def test_what_can_t_be_had_is_told_and_leaves_nothing_installed(
    rig: Rig, change: dict[str, Any], limits: dict[str, int], words: str
) -> None:
    rig.shop.redirects |= {"/loop": "/loop", "/plain": "http://127.0.0.1:1/a"}
    place = {"shop": f"https://127.0.0.1:{rig.shop.port}", "port": rig.shop.port}
    filled = {name: value.format(**place) if name == "url" and value else value for name, value in change.items()}
    with pytest.raises((Refused, Trouble), match=words):
        await rig.install(msgspec.structs.replace(offered(rig), **filled), **limits)
    assert disk.installed(rig.folders) == []
    assert not list(rig.folders.software.glob(".new-*"))


async def test_redirects_within_https_are_followed(rig: Rig) -> None:
    package = offered(rig)
    rig.shop.redirects["/latest"] = "/miner.tar.gz"
    moved = msgspec.structs.replace(package, url=f"https://127.0.0.1:{rig.shop.port}/latest")
    assert (await rig.install(moved) / EXECUTABLE).is_file()


async def test_a_ca_that_nobody_trusts_is_not_believed(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloading, "download_context", partial(ssl.create_default_context, cadata=_other_ca(rig)))
    with pytest.raises(Trouble, match=r"failed: this rig does not trust the CA .* SSL_CERT_FILE"):
        await rig.install(offered(rig))


async def test_a_certificate_for_another_name_is_told(rig: Rig) -> None:
    package = offered(rig)
    elsewhere = msgspec.structs.replace(package, url=f"https://localhost:{rig.shop.port}/miner.tar.gz")
    with pytest.raises(Trouble, match=r"from localhost failed: the server's certificate is for another name"):
        await rig.install(elsewhere)


async def test_a_ca_that_python_3_13_is_too_strict_for_says_which_rule_it_breaks_and_what_to_do(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def strict() -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(downloading, "download_context", strict)
    with vendor(tmp_path / "mirror", is_strict=False) as rig.shop:
        monkeypatch.setenv("SSL_CERT_FILE", str(rig.shop.ca))
        with pytest.raises(Trouble, match=r"breaks a rule of RFC 5280 .* \((Missing|CA cert) .*\); replace it"):
            await rig.install(offered(rig))


def _other_ca(rig: Rig) -> str:
    from tests.playbook_software import certificates

    return certificates(rig.folders.data_dir.parent / "other")[1].read_text()


async def test_a_full_disk_is_told_and_the_download_is_kept_for_later(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    package = offered(rig)
    with monkeypatch.context() as patched:
        patched.setattr(installing, "unpack", full)
        with pytest.raises(Trouble, match="disk is full; make room"):
            await rig.install(package)
    assert rig.leftovers() == [f"{package_key(package)}.whole"]
    assert (await rig.install(package) / EXECUTABLE).is_file()
    assert len(rig.shop.asked) == 1


async def test_too_little_room_is_told_before_it_is_filled(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloading, "_free_bytes", lambda _folder: 1_000_000)
    with pytest.raises(Trouble, match="has 1 MB left, and the download 2 MB"):
        await rig.install(offered(rig))


async def test_one_that_is_given_up_leaves_nothing_half(rig: Rig) -> None:
    package = offered(rig)
    rig.shop.hold = threading.Event()
    task = asyncio.create_task(rig.install(package))
    async with asyncio.timeout(10):
        await rig.has_begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert disk.installed(rig.folders) == []
    rig.shop.hold.set()
    rig.shop.hold = None
    assert (await rig.install(package) / EXECUTABLE).is_file()
    assert rig.shop.asked[-1][1] is not None


def test_leftovers_of_killed_installations_are_cleaned(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    for name in (".new-xmrig-1-ab", ".old-xmrig-0-cd", "xmrig-2-ef"):
        (folders.software / name / "sub").mkdir(parents=True)
    folders.downloads.mkdir()
    for name in ("xmrig-2-ef.part", "xmrig-2-ef.json", "gone-1-aa.part", "gone-1-aa.whole"):
        (folders.downloads / name).touch()
    disk.clean(folders)
    disk.discard_downloads(folders, {"xmrig-2-ef"})
    assert disk.installed(folders) == ["xmrig-2-ef"]
    assert sorted(path.name for path in folders.software.iterdir()) == ["xmrig-2-ef"]
    assert sorted(path.name for path in folders.downloads.iterdir()) == ["xmrig-2-ef.json", "xmrig-2-ef.part"]


@pytest.mark.parametrize(
    "make", [lambda: archive(Archive.TAR_GZ, {"../../victim": b"evil"}), lambda: b"no archive at all"]
)
async def test_a_bad_archive_is_refused_and_its_download_thrown_away(rig: Rig, make: Callable[[], bytes]) -> None:
    with pytest.raises(Refused):
        await rig.install(offered(rig, make()))
    assert rig.leftovers() == []
