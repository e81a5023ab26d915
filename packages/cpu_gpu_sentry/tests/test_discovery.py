"""`watch --discover` finds miners that run already by processes and ports, and identifies them by their answers."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import fake_miner
import psutil
import pytest
from cpu_gpu_sentry.cli import command_line
from cpu_gpu_sentry.discovery import Answer, Candidate, MinerProcess, best_answer, candidates, discover
from cpu_gpu_sentry.enrolment import SCHEMA, STORE
from cpu_gpu_sentry.miners.registry import SOFTWARE
from cpu_gpu_sentry.miners.usual import USUAL
from cpu_gpu_sentry.playbooks.processes import MARK
from cpu_gpu_sentry.watches import Watch, load_watches
from free_ports import free_port
from sentry_kit.parsing import BadReply
from sentry_kit.store import open_store

ROOT = Path(__file__).parents[3]
ANSWERS = Path(__file__).parent / "answers"
RECORDED = {
    "xmrig": "xmrig__summary.json", "xmrig-proxy": "xmrig_proxy__summary.json", "lolminer": "lolminer__dual.json",
    "trex": "trex__dual.json", "gminer": "gminer__dual.json", "teamredminer": "teamredminer__devs.json",
    "srbminer": "srbminer__dual.json", "rigel": "rigel__dual.json", "nbminer": "nbminer__dual.json",
    "bzminer": "bzminer__zil.json", "onezerominer": "onezerominer__dual.json", "wildrig": "wildrig__hwmon.json",
    "miniz": "miniz__getstat.json", "cpuminer": "cpuminer__summary.txt", "ccminer": "ccminer__summary.txt",
    "claymore": "claymore__getstat1.json", "phoenixminer": "phoenixminer.json", "ethminer": "ethminer.json",
    "ttminer": "ttminer.json", "nanominer": "nanominer__stats.json", "bminer": "bminer__solver.json",
}  # fmt: skip


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("CPU_GPU_SENTRY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CPU_GPU_SENTRY_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def empty_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else on this machine counts: no process, and of each software a port that is free."""
    monkeypatch.setattr(psutil, "process_iter", lambda: iter([psutil.Process()]))
    for software, usual in USUAL.items():
        monkeypatch.setitem(USUAL, software, usual._replace(ports=(free_port(),)))


@contextmanager
def miner(*options: str, program: str = sys.executable, mark: str | None = None) -> Iterator[tuple[int, int]]:
    """Runs a fake miner. Gives its port and its process id."""
    port = free_port()
    command = [program, str(ROOT / "devtools" / "fake_miner.py"), "--port", str(port), *options]
    environment = os.environ | ({} if mark is None else {MARK: mark})
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert str(port) in process.stdout.readline()
        try:
            yield port, process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=60) == 0


def named(folder: Path, name: str) -> str:
    """Returns a Python that runs under the name of a mining software."""
    (folder / name).symlink_to(Path(sys.executable).resolve())
    return str(folder / name)


def sentry(*argv: str) -> int:
    return command_line().run(argv)


def watched(data_dir: Path) -> list[Watch]:
    with closing(open_store(data_dir / "sentry.db", SCHEMA)) as db:
        return load_watches(db)


def test_each_software_has_its_usual_names_ports_and_option() -> None:
    assert list(USUAL) == list(SOFTWARE)
    assert all(str(usual.ports[0]) in usual.option and usual.programs for usual in USUAL.values())


@pytest.mark.parametrize("software", SOFTWARE)
def test_answers_of_real_miners_identify_them(software: str) -> None:
    """Several parsers accept the same answer, such as those of the Claymore family."""
    reply = (ANSWERS / RECORDED[software]).read_bytes()
    readable = []
    for other, about in SOFTWARE.items():
        try:
            readable.append(Answer(Watch(other, 1), about.parse([reply]), [reply]))
        except BadReply:
            continue
    assert best_answer(readable).watch.software == software


@pytest.mark.system
@pytest.mark.parametrize("software", ["gminer", "rigel", "srbminer", "phoenixminer", "ethminer", "cpuminer"])
async def test_of_all_software_on_one_port_the_one_that_answers_is_found(software: str) -> None:
    assert software in fake_miner.SOFTWARE
    with miner("--software", software) as (port, _):
        found = await discover([Candidate("127.0.0.1", port, tuple(SOFTWARE))])
    assert [each.watch for each in found] == [Watch(software, port)]


@pytest.mark.system
def test_a_process_is_found_at_any_port_and_watched(
    tmp_path: Path, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with miner("--software", "xmrig", program=named(tmp_path, "xmrig")) as (port, pid):
        assert sentry("watch", "--discover", "--dry-run") == 0
        dry = capsys.readouterr().out
        assert f"Found XMRig on port {port} (process {pid}), version 6.22.2 stand-in: Mining, rx/0 4." in dry
        assert "Nothing was changed." in dry
        assert watched(data_dir) == []
        assert sentry("watch", "--discover") == 0
        assert "unwatch --port PORT" in capsys.readouterr().out
        assert Watch("xmrig", port) in watched(data_dir)
        assert sentry("watch", "--discover") == 0
        assert f"XMRig on port {port} is watched already." in capsys.readouterr().out
        assert sentry("unwatch", "--port", str(port)) == 0


@pytest.mark.system
def test_a_miner_that_wants_a_token_is_named_and_watched_with_it(
    tmp_path: Path, data_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("a-secret\n")
    with miner("--software", "xmrig", "--access-token", "a-secret", program=named(tmp_path, "xmrig")) as (port, pid):
        monkeypatch.setattr(psutil, "process_iter", lambda: iter([psutil.Process(pid)]))
        assert sentry("watch", "--discover") == 1
        said = capsys.readouterr()
        assert f"cpu-gpu-sentry watch xmrig --port {port} --access-token-file FILE" in said.out
        assert sentry("watch", "--discover", "--access-token-file", str(tmp_path / "token")) == 0
        assert "a-secret" not in capsys.readouterr().out
        assert Watch("xmrig", port, access_token="a-secret") in watched(data_dir)


@pytest.mark.system
def test_miners_of_playbooks_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with miner("--software", "xmrig", program=named(tmp_path, "xmrig"), mark="sentry:p1:r1") as (port, pid):
        monkeypatch.setattr(psutil, "process_iter", lambda: iter([psutil.Process(pid)]))
        sentry("watch", "--discover", "--dry-run")
        assert str(port) not in capsys.readouterr().out


@pytest.mark.system
def test_a_process_without_an_api_is_named_with_what_to_do(
    tmp_path: Path, empty_machine: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    program = named(tmp_path, "t-rex")
    with miner("--software", "trex", "--fault", "refuse", program=program) as (_, pid):
        monkeypatch.setattr(psutil, "process_iter", lambda: iter([psutil.Process(pid)]))
        assert sentry("watch", "--discover") == 1
    said = capsys.readouterr()
    assert f"Process {pid} (t-rex) looks like T-Rex, but its API does not answer. Start it with --api-bind" in said.out
    assert said.err == "No miner's API answers: start the miners as the lines above say, then type this again.\n"


def test_nothing_found_prints_what_to_do(empty_machine: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert sentry("watch", "--discover") == 1
    said = capsys.readouterr()
    assert all(about.title in said.out for about in SOFTWARE.values())
    assert said.err.startswith("No miner was found on this machine")
    assert said.err.count("\n") == 1


def test_the_store_can_be_written_while_miners_are_looked_for(
    data_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[bool] = []

    def looked_for() -> Iterator[psutil.Process]:
        with closing(sqlite3.connect(data_dir / STORE, timeout=0)) as running_sentry:
            running_sentry.execute("UPDATE status SET last_error = 'the disk is full'")
            running_sentry.commit()
        written.append(True)
        return iter(())

    monkeypatch.setattr(psutil, "process_iter", looked_for)
    sentry("watch", "--discover")
    capsys.readouterr()
    assert written


def test_only_loopback_addresses_are_asked() -> None:
    """A port that the sentry has already is not asked."""
    process = MinerProcess(7, "xmrig", ("xmrig",), (("127.0.0.1", 5000), ("127.0.0.1", 18080)))
    asked = candidates([process], {18080})
    assert {each.host for each in asked} == {"127.0.0.1"}
    assert asked[0] == Candidate("127.0.0.1", 5000, ("xmrig",), process)
    assert all(each.port != 18080 for each in asked)


@pytest.mark.parametrize(
    "argv", [("watch",), ("watch", "xmrig", "--dry-run", "--port", "1"), ("watch", "xmrig", "--discover")]
)
def test_wrong_use_is_one_sentence(argv: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert sentry(*argv) == 2
    assert capsys.readouterr().err.count("\n") == 1
