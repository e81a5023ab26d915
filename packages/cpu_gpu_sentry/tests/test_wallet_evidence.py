"""The sentry finds the wallet of a playbook whose software does not report one."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cpu_gpu_sentry.playbooks.folders import Folders, make
from cpu_gpu_sentry.playbooks.run_state import RunState
from cpu_gpu_sentry.playbooks.runs import RunNote, write_script
from cpu_gpu_sentry.playbooks.scripts import fingerprint, script_body
from cpu_gpu_sentry.playbooks.wallets import arguments_below, look_at_wallets, wallet_evidence
from protocol.playbook_messages import Archive, Platform, Playbook, PlaybookWork, SoftwarePackage, WalletEvidence
from sentry_kit.worker import Worker

WALLET, OTHER = "44AFFq5kSiGBoZ4NMDwYtN18obc8", "48someone5else"
WORK = PlaybookWork(algorithm="rx/0", coin="Monero", user=WALLET)


def playbook(*works: PlaybookWork, script: str = f"exec ./xmrig -u {WALLET}.rig-07\n") -> Playbook:
    package = SoftwarePackage(
        software="xmrig", version="1", url="https://x.example/x", archive=Archive.NONE, executable="xmrig"
    )
    return Playbook(
        id="p1", name="Main", revision=1, package=package, platform=Platform.LINUX, script=script, works=list(works)
    )


@pytest.mark.parametrize(
    ("works", "arguments", "script", "evidence"),
    [
        ([WORK], ["./xmrig", "-u", f"{WALLET}.rig-07"], None, WalletEvidence.ARGUMENTS),
        ([WORK], ["./xmrig", f"--user={WALLET}"], "exec ./xmrig", WalletEvidence.ARGUMENTS),
        ([WORK], ["./miner", "config.ini"], f"wallet = {WALLET}", WalletEvidence.SCRIPT),
        ([WORK], ["./xmrig", "-u", OTHER], None, WalletEvidence.NEITHER),
        ([WORK], ["./xmrig", "-u", OTHER], f"./xmrig -u {OTHER}", WalletEvidence.NEITHER),
        ([WORK, PlaybookWork(user=OTHER)], ["-u", WALLET], f"-u {WALLET} -u2 {OTHER}", WalletEvidence.SCRIPT),
        ([WORK], [], f"-u {WALLET}", None),
        ([PlaybookWork(algorithm="rx/0")], ["./xmrig", "-u", OTHER], None, None),
    ],
)
def test_what_counts_as_evidence(
    works: list[PlaybookWork], arguments: list[str], script: str | None, evidence: WalletEvidence | None
) -> None:
    assert wallet_evidence(playbook(*works), arguments, script) is evidence


async def test_a_real_process_and_the_script_on_disk_are_looked_at(tmp_path: Path) -> None:
    folders, wanted = Folders(tmp_path), playbook(WORK)
    make(folders.of("p1"))
    script = write_script(folders, wanted, 18080)
    run, disk = RunState(wanted, 18080), Worker("output")
    for given, tampered, evidence in (
        (WALLET, False, WalletEvidence.ARGUMENTS),
        (OTHER, False, WalletEvidence.SCRIPT),
        (OTHER, True, WalletEvidence.NEITHER),
    ):
        if tampered:
            script.write_text(f"exec ./xmrig -u {OTHER}\n")
        with keeper_of(given) as keeper:
            run.note = note(keeper.pid, fingerprint(write_script(Folders(tmp_path / "x"), wanted, 18080).read_bytes()))
            assert await look_at_wallets([run], folders, lambda function: disk.call(function, timeout_s=10))
            assert run.status().wallet_evidence is evidence
    assert disk.end(within_s=10)


@pytest.mark.parametrize("option", ["--http-access-token={api_token}", "--http-access-token=own"])
async def test_the_script_of_a_miner_whose_api_has_a_token_is_known_again(tmp_path: Path, option: str) -> None:
    folders, wanted = Folders(tmp_path), playbook(WORK, script=f"exec ./xmrig {{api_port}} {option} # {WALLET}\n")
    make(folders.of("p1"))
    run, disk = RunState(wanted, 1, secret=b"s"), Worker("output")
    script = write_script(folders, wanted, 1, run.api_token)
    with keeper_of(OTHER) as keeper:
        run.note = note(keeper.pid, fingerprint(script_body(wanted, 1)))
        for evidence in (WalletEvidence.SCRIPT, WalletEvidence.NEITHER):
            assert await look_at_wallets([run], folders, lambda function: disk.call(function, timeout_s=10))
            assert run.wallet_evidence is evidence
            script.write_bytes(script.read_bytes() + b"exec ./other\n")
    assert disk.end(within_s=10)


@contextmanager
def keeper_of(given: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Starts a process whose child has these arguments, and waits."""
    program = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()', *sys.argv[1:]])"
    command = [sys.executable, "-c", program, given]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as keeper:
        while given not in arguments_below(keeper.pid):
            assert keeper.poll() is None
        yield keeper
        assert keeper.stdin is not None
        keeper.stdin.close()


def note(keeper_pid: int, script: str) -> RunNote:
    return RunNote(
        playbook_id="p1", run="r", command=[], cwd="", package="x", script=script, port=1, keeper_pid=keeper_pid
    )
