"""The parts of an update on a rig: the index of the commander's store, the choice of wheels, and the new version."""

import hashlib
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import httpx
import pytest
from cpu_gpu_sentry.updates.build import build
from cpu_gpu_sentry.updates.fetch import Fetching
from cpu_gpu_sentry.updates.installation import Installation, UpdateFailed, this_installation
from cpu_gpu_sentry.updates.update import Updates
from cpu_gpu_sentry.updates.wheels import IndexedWheel, best, needs, project_of, read_index
from packaging.requirements import Requirement
from packaging.tags import sys_tags
from protocol.command_messages import Command, CommandArguments, WheelHash
from sentry_kit.client import CommanderClient
from sentry_kit.launcher import INSTALLED, LAUNCHER, PROOF, Proof, Trial, read_proof, read_wanted, write
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

URL = "https://commander.lan:8443/packages/msgspec/"
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
HERE = next(iter(sys_tags()))


def indexed(*names: str) -> list[IndexedWheel]:
    return [IndexedWheel(name, f"{URL}{name}", SHA256) for name in names]


def wheel(name: str, version: str, files: dict[str, str], metadata: str = "") -> bytes:
    packed, info = io.BytesIO(), f"{name}-{version}.dist-info"
    with zipfile.ZipFile(packed, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata}\n")
    return packed.getvalue()


def sentry_wheel(version: str = "9.0", text: str = "print('cpu-gpu-sentry 9.0')", **more: str) -> bytes:
    files = {"cpu_gpu_sentry/__init__.py": "", "cpu_gpu_sentry/__main__.py": text}
    entry_points = {
        f"minewarden_cpu_gpu_sentry-{version}.dist-info/entry_points.txt": "[console_scripts]\nhi = os:getpid"
    }
    return wheel("minewarden_cpu_gpu_sentry", version, files | entry_points | more)


def test_the_index_gives_wheels_with_their_hashes_and_nothing_else() -> None:
    page = f"""<!DOCTYPE html><a href="/packages/files/a-1.0-py3-none-any.whl#sha256={SHA256}">a</a>
        <a href="b-1.0-py3-none-any.whl#sha256={SHA256}">b</a>
        <a href="c-1.0-py3-none-any.whl">without a hash</a><a href="d-1.0.tar.gz#sha256={SHA256}">d</a>"""
    assert read_index(page.encode(), URL) == [
        IndexedWheel(
            "a-1.0-py3-none-any.whl", "https://commander.lan:8443/packages/files/a-1.0-py3-none-any.whl", SHA256
        ),
        IndexedWheel("b-1.0-py3-none-any.whl", f"{URL}b-1.0-py3-none-any.whl", SHA256),
    ]


@pytest.mark.parametrize(
    "link", ["https://elsewhere.lan/a.whl", "http://commander.lan:8443/a.whl", "//elsewhere.lan/a.whl"]
)
def test_a_file_on_another_server_ends_the_update(link: str) -> None:
    with pytest.raises(UpdateFailed, match="another server"):
        read_index(f'<a href="{link}#sha256={SHA256}">a</a>'.encode(), URL)


def test_the_newest_wheel_that_fits_this_machine_is_chosen() -> None:
    here = f"msgspec-0.20.0-{HERE}.whl"
    store = indexed(
        "msgspec-0.19.0-py3-none-any.whl", here, "msgspec-0.20.0-py3-none-any.whl",
        "msgspec-0.21.0-cp27-cp27m-win32.whl", "msgspec-0.22.0rc1-py3-none-any.whl", "nonsense.whl",
    )  # fmt: skip
    assert best(store, Requirement("msgspec>=0.18")).file_name == here
    assert best(store, Requirement("msgspec<0.20")).file_name == "msgspec-0.19.0-py3-none-any.whl"
    with pytest.raises(UpdateFailed, match=r"no wheel of msgspec>=0.30 .* run commander fetch-packages"):
        best(store, Requirement("msgspec>=0.30"))


def test_what_a_wheel_needs_depends_on_this_machine_and_on_extras() -> None:
    metadata = (
        "Requires-Dist: msgspec>=0.20\nRequires-Dist: colorama; sys_platform == 'nowhere'\n"
        "Requires-Dist: h2>=3; extra == 'http2'"
    )
    body = wheel("a", "1.0", {}, metadata)
    assert [str(each) for each in needs(body)] == ["msgspec>=0.20"]
    assert [each.name for each in needs(body, {"http2"})] == ["msgspec", "h2"]
    assert project_of("minewarden_cpu_gpu_sentry-9.0-py3-none-any.whl") == "minewarden-cpu-gpu-sentry"


@pytest.mark.parametrize("body", [b"", b"no archive", wheel("a", "1", {}, "Requires-Dist: ???")])
def test_a_broken_wheel_is_a_sentence(body: bytes) -> None:
    with pytest.raises(UpdateFailed, match="can't be read"):
        needs(body)


def test_a_version_is_an_environment_of_its_own_with_the_programs_of_its_wheels(tmp_path: Path) -> None:
    build(tmp_path, "9.0", [sentry_wheel(), wheel("more", "1.0", {"more-1.0.data/purelib/more.py": "X = 1"})])
    folder = tmp_path / "versions" / "9.0"
    assert [each.name for each in folder.parent.iterdir()] == ["9.0"]
    assert (folder / INSTALLED).exists()
    ask = "import more, sys, importlib.metadata as m; print(sys.prefix, m.version('minewarden-cpu-gpu-sentry'))"
    printed = subprocess.run([folder / "bin" / "python", "-I", "-c", ask], capture_output=True, text=True, check=True)
    assert printed.stdout.split() == [str(folder), "9.0"]
    assert os.access(folder / "bin" / "hi", os.X_OK)
    assert (folder / "bin" / "hi").read_text().startswith(f"#!{folder}/bin/python\n")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (sentry_wheel(text="raise SystemExit('it needs another Python')"), "it needs another Python"),
        (sentry_wheel(text="print('cpu-gpu-sentry 8.0')"), "contain cpu-gpu-sentry 8.0"),
        (sentry_wheel(**{"../../outside.py": ""}), "leads out of it"),
        (sentry_wheel(**{"/etc/outside.py": ""}), "leads out of it"),
        (b"no archive", "can't be unpacked"),
    ],
)
def test_a_version_that_can_not_name_itself_leaves_nothing(tmp_path: Path, body: bytes, words: str) -> None:
    with pytest.raises(UpdateFailed, match=words):
        build(tmp_path, "9.0", [body])
    assert list((tmp_path / "versions").iterdir()) == []
    assert not (tmp_path / "outside.py").exists()


def test_only_a_version_that_the_launcher_has_started_can_be_updated(tmp_path: Path) -> None:
    (tmp_path / "versions").mkdir()
    (tmp_path / "versions" / "0.1.0").symlink_to(sys.prefix)
    assert this_installation({LAUNCHER: str(tmp_path)}, "0.1.0") == Installation("0.1.0", tmp_path)
    assert this_installation({LAUNCHER: str(tmp_path)}, "0.2.0").state is None
    assert "installed by hand" in (this_installation({}, "0.1.0").why_refused or "")


def test_a_version_proves_itself_only_while_it_is_tried(tmp_path: Path) -> None:
    new = Installation("0.2.0", tmp_path)
    new.prove()
    assert not (tmp_path / PROOF).exists()
    write(tmp_path / "update-trial.json", Trial("c1", "0.1.0", "0.2.0"))
    Installation("0.1.0", tmp_path).prove()
    assert not (tmp_path / PROOF).exists()
    new.prove()
    assert read_proof(tmp_path) == Proof("0.2.0")
    assert new.is_busy
    new.ask_for("c2", "0.3.0")
    assert read_wanted(tmp_path) is not None


def a_store(*wheels: tuple[str, bytes]) -> Starlette:
    """The packages of a commander: an index page for each project, and the files."""
    files = dict(wheels)

    async def page(request: Request) -> Response:
        found = [name for name in files if project_of(name) == request.path_params["project"]]
        links = [f'<a href="../files/{name}#sha256={hashlib.sha256(files[name]).hexdigest()}"></a>' for name in found]
        return Response("".join(links))

    async def file(request: Request) -> Response:
        return Response(files[request.path_params["name"]])

    return Starlette(routes=[Route("/packages/files/{name}", file), Route("/packages/{project}/", page)])


def named(*wheels: tuple[str, bytes]) -> list[WheelHash]:
    return [WheelHash(file_name=name, sha256=hashlib.sha256(body).hexdigest()) for name, body in wheels]


async def fetched(app: Starlette, wheels: list[WheelHash], dependencies: list[WheelHash] | None) -> list[bytes]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="https://commander.lan:8443") as http:
        return await Fetching(CommanderClient(http, None), dependencies).fetch(wheels)


OWN = ("minewarden_cpu_gpu_sentry-9.0-py3-none-any.whl", wheel("a", "9.0", {}, "Requires-Dist: more>=1"))
OLDER = ("more-1.0-py3-none-any.whl", wheel("more", "1.0", {"more.py": "X = 1"}))
NEWER = ("more-2.0-py3-none-any.whl", wheel("more", "2.0", {"more.py": "X = 2"}))


async def test_a_dependency_that_the_command_does_not_name_is_not_fetched() -> None:
    store = a_store(OWN, OLDER, NEWER)
    assert await fetched(store, named(OWN), named(OLDER)) == [OWN[1], OLDER[1]]
    changed = a_store(OWN, (OLDER[0], wheel("more", "1.0", {"more.py": "X = 'a stranger'"})), NEWER)
    with pytest.raises(UpdateFailed, match=r"no wheel of more>=1"):
        await fetched(changed, named(OWN), named(OLDER))


async def test_a_commander_of_an_earlier_version_leaves_the_dependencies_to_its_index() -> None:
    assert await fetched(a_store(OWN, OLDER, NEWER), named(OWN), None) == [OWN[1], NEWER[1]]


async def test_an_update_of_a_sentry_that_was_installed_by_hand_says_so(tmp_path: Path) -> None:
    updates = Updates(Installation("0.1.0", None), lambda: pytest.fail("nothing is fetched"))
    arguments = CommandArguments(version="9.0", wheels=named(OWN))
    with pytest.raises(UpdateFailed, match="installed by hand"):
        await updates.update(Command(id="c1", action="update_sentry", valid_s=60, arguments=arguments))
