"""The store of wheels: its index, its files, the lines and the scripts that install from it."""

import asyncio
import base64
import hashlib
import re
import shutil
import subprocess
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from commander import VERSION
from commander.settings import Settings, load_settings
from commander.tls import prepare_tls
from commander.wheels import own
from commander.wheels.fetching import fetch_locked
from commander.wheels.line import Installing, linux_line, windows_line
from commander.wheels.lock_file import Locked, needed, read_lock
from commander.wheels.own import PROJECTS, own_wheels, required_by
from commander.wheels.problems import CannotFetch
from commander.wheels.scripts import ASIC, CPU_GPU, Sentry, shell_script
from commander.wheels.store import WheelStore
from commander.wheels.targets import PYTHONS, SYSTEMS, TARGETS, WheelTarget, fits
from commander_farm import on_sqlite, post_form, running
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tests.terminal import in_a_terminal

ROOT = Path(__file__).parents[3]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
LINUX, ARM, WINDOWS = SYSTEMS
URL = "https://commander.lan:8443"
SHELL_FUNCTIONS = ("add_found", "find_python")


def a_wheel(folder: Path, name: str, version: str = "1.0", tag: str = "py3-none-any") -> Path:
    """Makes a wheel that pip accepts, without any code in it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-{tag}.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
        wheel.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture
async def stranger(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client without log-in."""
    async with running(settings) as client:
        yield client


def filled(data_dir: Path) -> WheelStore:
    folder = data_dir / "packages"
    for name in ("pip", "httpx"):
        a_wheel(folder, name)
    for project in PROJECTS:
        a_wheel(folder, project.replace("-", "_"), VERSION)
    return WheelStore(folder)


def typed(shell: str, script: str, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [shell, "-s", "--", *words]  # in a session of its own: without a terminal, nothing is asked for
    return subprocess.run(
        command, input=script, capture_output=True, text=True, timeout=120, check=False, start_new_session=True
    )


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@on_sqlite
async def test_the_index_is_open_to_all_and_names_each_file_with_its_hash(
    stranger: httpx.AsyncClient, settings: Settings
) -> None:
    filled(settings.data_dir)
    index = await stranger.get("/packages/")
    assert (index.status_code, index.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert re.findall('href="/packages/([^"/]+)/"', index.text) == ["httpx", *sorted(PROJECTS), "pip"]
    listed = await stranger.get("/packages/HTTPX/")
    (link,) = re.findall('href="([^"]+)"', listed.text)
    path = settings.data_dir / "packages" / "httpx-1.0-py3-none-any.whl"
    assert link == f"/packages/files/{path.name}#sha256={sha256(path)}"
    file = await stranger.get(link.partition("#")[0])
    assert (file.status_code, file.content) == (200, path.read_bytes())
    head = await stranger.head(link.partition("#")[0])
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) == path.stat().st_size


@on_sqlite
@pytest.mark.parametrize(
    "path",
    [
        "/packages/no-such-project/",
        "/packages/files/nothing-1.0-py3-none-any.whl",
        "/packages/files/..%2Fcommander.db",
        "/packages/files/..%2f..%2f..%2fetc%2fpasswd",
        "/packages/files/%2e%2e/commander.db",
        "/packages/..%2Ftls%2Fca.key",
        "/packages/files/secret.txt",
        "/install/other.sh",
        "/install/..%2Fapi.py",
    ],
)
async def test_no_path_leads_out_of_the_store(stranger: httpx.AsyncClient, settings: Settings, path: str) -> None:
    filled(settings.data_dir)
    (settings.data_dir / "packages" / "secret.txt").write_text("secret")
    answer = await stranger.get(path, follow_redirects=False)
    assert answer.status_code in (303, 400, 404), answer.text
    assert "secret" not in answer.text


@on_sqlite
async def test_a_new_file_of_the_same_name_has_its_own_hash(stranger: httpx.AsyncClient, settings: Settings) -> None:
    store = filled(settings.data_dir)
    path = settings.data_dir / "packages" / "httpx-1.0-py3-none-any.whl"
    before = (await stranger.get("/packages/httpx/")).text
    path.write_bytes(b"another content")
    assert sha256(path) in (await stranger.get("/packages/httpx/")).text
    assert sha256(path) not in before
    a_wheel(path.parent, "httpx", "1.10")
    assert [each.version for each in store.wheels_of("httpx")] == ["1.0", "1.10"]


@on_sqlite
async def test_without_packages_the_script_says_what_to_do_and_does_nothing(
    person: httpx.AsyncClient, settings: Settings
) -> None:
    for name in ("cpu-gpu.sh", "asic.sh"):
        script = (await person.get(f"/install/{name}")).text
        done = await asyncio.to_thread(typed, "sh", script)
        assert done.returncode == 1
        assert "commander fetch-packages" in done.stderr
    assert "fetch-packages" in (await person.get("/install/cpu-gpu.ps1")).text
    card = (await post_form(person, "/cpu-gpu", name="rig-07")).text
    assert "The commander has no packages for sentries yet" in card
    filled(settings.data_dir)
    assert "has no packages" not in (await post_form(person, "/cpu-gpu", name="rig-08")).text


@on_sqlite
async def test_the_scripts_have_this_commander_s_address_and_no_place_left_open(
    stranger: httpx.AsyncClient, settings: Settings
) -> None:
    filled(settings.data_dir)
    for name in ("cpu-gpu.sh", "asic.sh", "cpu-gpu.ps1"):
        answer = await stranger.get(f"/install/{name}")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert f"'{settings.public_url}'" in answer.text or f"={settings.public_url}\n" in answer.text
        assert re.findall("@[A-Z_0-9]+@", answer.text) == []
        assert f"minewarden-{'asic' if name == 'asic.sh' else 'cpu-gpu'}-sentry" in answer.text


@pytest.mark.parametrize("sentry", [CPU_GPU, ASIC])
@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_a_script_refuses_what_it_can_t_use_in_one_sentence(sentry: Sentry, shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    store = filled(tmp_path)
    script = shell_script(sentry, URL, "", store.wheels_of("pip")[0])
    assert typed(shell, script, "--help").returncode == 0
    for words, code in (([], 1), (["mw_other_1"], 1), (["--frobnicate"], 2)):
        done = typed(shell, script, *words, *(["--dry-run"] if code == 1 else []))
        assert (done.returncode, done.stdout) == (code, ""), words
        assert done.stderr.startswith(sentry.program)
    removing = typed(shell, script, "--uninstall", "--dry-run")
    assert (removing.returncode, "nothing was changed" in removing.stdout) == (0, True)


@pytest.mark.parametrize(
    ("sentry", "token", "words"),
    [
        (CPU_GPU, "mw_rig_1", [["enroll", "--url", URL, "--token", "-"]]),
        (ASIC, "mw_site_1", [["connect", "--url", URL, "--site-token", "-"]]),
        (ASIC, "mw_asic_1", [["connect", "--url", URL], ["add", "--ip", "192.0.2.1", "--token", "-"]]),
    ],
)
def test_a_script_gives_the_token_by_a_pipe_and_not_as_an_argument(
    sentry: Sentry, token: str, words: list[list[str]], tmp_path: Path
) -> None:
    """All users of a machine can see the arguments of its programs."""
    python = tmp_path / "current" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\nprintf \'%s\\n\' "$*"\n[ "${*%-}" = "$*" ] || cat\n')
    python.chmod(0o700)
    functions = shell_script(sentry, URL, "", filled(tmp_path).wheels_of("pip")[0]).rpartition("\nmain ")[0]
    done = typed("sh", f"{functions}\nHOME_DIR={tmp_path} ACCOUNT='' TOKEN={token} ASIC_IP=192.0.2.1\nconnect\n")
    start = f"-I -m {sentry.module} "
    assert done.stdout.splitlines() == [*(start + " ".join(each) for each in words), token], done.stderr


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_a_script_without_a_token_asks_for_it_in_a_terminal_and_does_not_show_it(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    script = tmp_path / "install.sh"
    script.write_text(shell_script(CPU_GPU, URL, "", filled(tmp_path).wheels_of("pip")[0]))
    done = in_a_terminal(f"{shell} -s -- --dry-run <{script}", "mw_rig_1")
    assert (done.code, f"- connect it to {URL} with this token" in done.shown) == (0, True), done.shown
    assert "mw_rig_1" not in done.shown


def test_half_a_script_does_nothing(tmp_path: Path) -> None:
    store = filled(tmp_path)
    script = shell_script(CPU_GPU, URL, "", store.wheels_of("pip")[0])
    half = script.rpartition("\nmain ")[0]
    done = typed("sh", half, "mw_rig_1", "--dry-run")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_line_pins_the_key_of_the_served_certificate_through_renewals(tmp_path: Path) -> None:
    settings = load_settings({"COMMANDER_DATA_DIR": str(tmp_path)})
    now = datetime(2026, 11, 20, tzinfo=UTC)
    first, later = (prepare_tls(settings, now=now + timedelta(days=days)) for days in (0, 390))
    assert first
    assert later
    assert first.facts.not_after != later.facts.not_after
    served = x509.load_pem_x509_certificate(later.cert.read_bytes())
    key = served.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    pin = base64.b64encode(hashlib.sha256(key).digest()).decode()
    assert first.facts.key_pin == later.facts.key_pin == pin
    line = linux_line(Installing("https://c:8443", pin, True), "cpu-gpu", "mw_rig_1")
    assert line == (
        f"curl -fsSk --pinnedpubkey 'sha256//{pin}' https://c:8443/install/cpu-gpu.sh | sudo sh -s -- mw_rig_1"
    )
    plain = Installing("https://c:8443", None, True)
    assert linux_line(plain, "asic", "T").startswith("curl -fsS https://c:8443/install/asic.sh ")
    assert "curl.exe -fsS -o" in windows_line(plain, "cpu-gpu", "T")


def test_the_lock_names_what_the_sentries_need_and_nothing_of_the_commander() -> None:
    names = {each.name for each in needed(read_lock(LOCK), {*PROJECTS, "pip"})}
    assert {"httpx", "anyio", "msgspec", "psutil", "uvloop", "starlette", "h11", "typing-extensions", "pip"} <= names
    assert not names & {"sqlalchemy", "litestar", "alembic", "pytest", "ruff"}
    assert all(each.hashes and each.version for each in read_lock(LOCK))


def test_a_wheel_that_takes_too_long_to_build_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "_BUILD_LIMIT_S", 0.01)
    with pytest.raises(CannotFetch, match=r"protocol was not built within 0\.01 s"):
        own_wheels(tmp_path)


def test_what_our_own_wheels_require_is_in_the_lock(tmp_path: Path) -> None:
    wheels = own_wheels(tmp_path)
    assert [wheel.name.partition("-")[0].replace("_", "-") for wheel in wheels] == list(PROJECTS), "sentries are last"
    required = {name for wheel in wheels for name in required_by(wheel)}
    assert {"httpx", "nvidia-ml-py", "uvloop"} <= required
    assert "pyasic-rs" not in required, "it is an optional extra"
    names = {each.name for each in needed(read_lock(LOCK), required)}
    assert required - {*PROJECTS} <= names


@pytest.mark.parametrize(
    ("versions", "words"),
    [
        ({}, "The sentry needs Python, and this machine has none."),
        ({"python3": "3.10", "python3.11": "3.10"}, "This machine has Python 3.10. On Debian"),
        (
            {"python3": "3.10", "python3.13": "3.13"},
            "This machine has Python 3.10, 3.13 (without venv, ssl or sqlite3). On",
        ),
    ],
)
def test_a_machine_without_the_right_python_is_told_what_it_has(
    tmp_path: Path, versions: dict[str, str], words: str
) -> None:
    for name, version in versions.items():
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\ncase "$3" in *venv*) exit 1 ;; esac\necho {version}\n')
        program.chmod(0o755)
    template = (ROOT / "packages/commander/src/commander/wheels/templates/sentry.sh").read_text(encoding="utf-8")
    functions = [re.search(rf"^{name}\(\) {{.*?^}}", template, re.DOTALL | re.MULTILINE) for name in SHELL_FUNCTIONS]
    script = "\n".join([*(each[0] for each in functions if each), 'die() { echo "$*"; exit 1; }', "find_python"])
    done = subprocess.run(["/bin/sh", "-c", script], env={"PATH": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == 1
    assert words in done.stdout


def test_a_target_takes_its_own_wheels_and_its_own_requirements() -> None:
    linux, windows = WheelTarget((3, 13), LINUX), WheelTarget((3, 11), WINDOWS)
    name = "msgspec-0.22.0-cp313-cp313-manylinux2014_x86_64.manylinux_2_17_x86_64.whl"
    assert fits(name, "msgspec", "0.22.0", linux.tags())
    assert not fits(name, "msgspec", "0.22.1", linux.tags())
    for other in (WheelTarget((3, 12), LINUX), WheelTarget((3, 13), ARM), windows):
        assert not fits(name, "msgspec", "0.22.0", other.tags())
    assert fits("psutil-7.2.2-cp36-abi3-manylinux2014_x86_64.whl", "psutil", "7.2.2", linux.tags())
    assert (linux.needs("sys_platform != 'win32'"), windows.needs("sys_platform != 'win32'")) == (True, False)
    assert linux.needs(None)
    assert len(TARGETS) == len(PYTHONS) * len(SYSTEMS)


def test_what_is_missing_is_fetched_checked_and_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = a_wheel(tmp_path / "index", "good")
    a_wheel(tmp_path / "index", "bad")
    lock = [Locked(name, "1.0", None, (f"sha256:{sha256(good)}",), frozenset()) for name in ("bad", "good")]
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    said: list[str] = []
    target, store = WheelTarget((3, 12), LINUX), WheelStore(tmp_path / "packages")
    with pytest.raises(CannotFetch, match=r"bad 1\.0 can't be fetched"):
        fetch_locked(tmp_path, lock, [target], said.append)
    fetch_locked(tmp_path, lock[1:], [target], said.append)
    assert store.file_names() == [good.name]
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nothing"))  # it is there: nobody is asked again
    fetch_locked(tmp_path, lock[1:], [target], said.append)
    assert said[-1] == "Python 3.12, Linux on x86-64: complete"
    missing = Locked("absent", "1.0", None, (f"sha256:{sha256(good)}",), frozenset())
    fetch_locked(tmp_path, [missing], [target], said.append)
    assert "there is no wheel of absent 1.0" in said[-1]
    assert [path.name for path in (tmp_path / "packages").iterdir()] == [good.name]
