"""Scripts, names and paths, for Linux and Windows alike."""

from pathlib import Path

import msgspec
import pytest
from cpu_gpu_sentry.playbooks.errors import Refused
from cpu_gpu_sentry.playbooks.packages import check_url, package_fingerprint, package_key, safe_path
from cpu_gpu_sentry.playbooks.scripts import script_body, script_command, script_name
from hypothesis import given
from hypothesis import strategies as st
from protocol.playbook_messages import Archive, Platform, Playbook, SoftwarePackage

PACKAGE = SoftwarePackage(
    software="SRBMiner/../x",
    version="3.4.6 beta",
    url="https://vendor.example/a",
    archive=Archive.ZIP,
    executable="a/b",
)


def playbook(script: str, platform: Platform) -> Playbook:
    return Playbook(id="p", name="p", revision=1, package=PACKAGE, platform=platform, script=script)


@pytest.mark.parametrize(
    ("platform", "script", "body"),
    [
        (Platform.LINUX, "xmrig --http-port={api_port}", b"#!/bin/sh\nxmrig --http-port=4321\n"),
        (Platform.LINUX, "#!/bin/bash\r\na {api_port}\r\nb {api_port}\r\n", b"#!/bin/bash\na 4321\nb 4321\n"),
        (Platform.WINDOWS, "xmrig.exe --http-port={api_port}\nexit", b"xmrig.exe --http-port=4321\r\nexit\r\n"),
        (Platform.WINDOWS, "a\r\nb\r\n", b"a\r\nb\r\n"),
        (Platform.LINUX, "echo 'ü{port}'", "#!/bin/sh\necho 'ü{port}'\n".encode()),
    ],
)
def test_the_script_is_finished_with_the_port(platform: Platform, script: str, body: bytes) -> None:
    assert script_body(playbook(script, platform), 4321) == body


def test_each_platform_runs_it_in_its_own_way() -> None:
    linux, windows = (script_name(b"x", platform) for platform in (Platform.LINUX, Platform.WINDOWS))
    assert (linux[-3:], windows[-4:]) == (".sh", ".bat")
    assert script_command(Path("/d") / linux, Platform.LINUX) == ["/bin/sh", f"/d/{linux}"]
    assert script_command(Path("d") / windows, Platform.WINDOWS)[:3] == ["cmd.exe", "/d", "/c"]
    assert script_name(b"x", Platform.LINUX) != script_name(b"y", Platform.LINUX)


def test_a_package_s_folder_is_a_plain_name_that_its_content_decides() -> None:
    key = package_key(PACKAGE)
    assert safe_path(key, for_windows=True).parts == (key,)
    for other in ({"url": "https://vendor.example/b"}, {"sha256": "0" * 64}, {"archive": Archive.TAR_GZ}):
        assert package_key(msgspec.structs.replace(PACKAGE, **other)) != key
    mended = msgspec.structs.replace(PACKAGE, executable="b/c")
    assert package_key(mended) == key
    assert package_fingerprint(mended) != package_fingerprint(PACKAGE)
    alone = [msgspec.structs.replace(each, archive=Archive.NONE) for each in (PACKAGE, mended)]
    assert package_key(alone[0]) != package_key(alone[1])


@pytest.mark.parametrize("name", ["a", "a/b", "./a/b", "a//b", "a b/ü", ".hidden", "a..b/c"])
def test_ordinary_paths_are_taken(name: str) -> None:
    safe_path(name, for_windows=True)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "/etc/passwd",
        "..",
        "../a",
        "a/../../b",
        "a/..",
        "\\a",
        "..\\a",
        "C:\\a",
        "a\nb",
        "a\x1b[31m",
        "a" * 2000,
    ],
)
@pytest.mark.parametrize("for_windows", [True, False])
def test_paths_out_of_the_folder_are_not(name: str, for_windows: bool) -> None:
    with pytest.raises(Refused):
        safe_path(name, for_windows=for_windows)


@pytest.mark.parametrize("name", ["C:a", "a:stream", "con", "a/NUL.txt", "com1", "a.", "a ", "lpt²"])
def test_windows_has_more_ways_out(name: str) -> None:
    with pytest.raises(Refused):
        safe_path(name, for_windows=True)
    safe_path(name, for_windows=False)


@given(st.text(max_size=60))
def test_whatever_is_taken_stays_below(name: str) -> None:
    try:
        path = safe_path(name)
    except Refused:
        return
    assert (Path("/data/software/x") / path).resolve().is_relative_to("/data/software/x")


@pytest.mark.parametrize(
    ("url", "has_hash", "is_taken"),
    [
        ("https://vendor.example/a.tgz", False, True),
        ("http://vendor.example/a.tgz", True, True),
        ("http://vendor.example/a.tgz", False, False),
        ("http://127.0.0.1/a.tgz", False, False),
        ("file:///etc/shadow", True, False),
        ("https:///a", True, False),
        ("https://[::1", True, False),
        ("a.tgz", True, False),
    ],
)
def test_https_or_a_hash_has_to_prove_a_download(url: str, has_hash: bool, is_taken: bool) -> None:
    if is_taken:
        check_url(url, has_hash=has_hash)
        return
    with pytest.raises(Refused):
        check_url(url, has_hash=has_hash)
