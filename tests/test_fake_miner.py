"""The stand-in for mining software must answer like one: the sentry's parsers read it, and its faults are faults."""

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import fake_miner
import httpx
import pytest
from cpu_gpu_sentry.miners.poll import poll
from cpu_gpu_sentry.miners.registry import SOFTWARE
from cpu_gpu_sentry.watches import Watch
from free_ports import free_port
from protocol.messages import MinerReading, MinerState, MinerTrouble
from sentry_kit.parsing import BadReply

from tests.farm import ROOT


def reading(software: str, devices: int, up_s: float, now: float, fault: str | None = None) -> MinerReading:
    answers = fake_miner.SOFTWARE[software]
    replies = [
        fake_miner.body_of(answers[question.path](devices, up_s, now), fault)
        for question in SOFTWARE[software].questions
    ]
    return SOFTWARE[software].parse(replies)


@pytest.mark.parametrize(
    ("software", "places"), [(each, 1 if each in ("xmrig", "cpuminer") else 3) for each in fake_miner.SOFTWARE]
)
def test_it_answers_like_the_software_and_its_figures_move(software: str, places: int) -> None:
    first, later = reading(software, 3, 600, 1_000_000), reading(software, 3, 620, 1_000_020)
    assert (first.state, len(first.devices)) == (MinerState.MINING, places)
    assert "stand-in" in (first.version or "")
    assert first.algorithms[0].hashrate_hs != later.algorithms[0].hashrate_hs
    assert (first.algorithms[0].accepted or 0) <= (later.algorithms[0].accepted or 0)


@pytest.mark.parametrize("software", fake_miner.SOFTWARE)
def test_its_faults_are_faults(software: str) -> None:
    assert reading(software, 2, 600, 1_000_000, "zero").state is MinerState.STALLED
    assert reading(software, 2, 600, 1_000_000, "null").algorithms[0].hashrate_hs is None
    with pytest.raises(BadReply):
        reading(software, 2, 600, 1_000_000, "garbage")


@pytest.mark.parametrize("software", fake_miner.SOFTWARE)
def test_it_can_have_no_job_yet_and_miss_quotes(software: str) -> None:
    miner = reading(software, 2, 100, 1_000_000, "no-job")
    assert miner.state is MinerState.STARTING
    assert not any(each.hashrate_hs for each in miner.algorithms)
    assert reading(software, 2, 600, 1_000_000, "unquoted").state is MinerState.MINING


@pytest.mark.parametrize("software", fake_miner.SOFTWARE)
def test_its_truncated_answer_is_refused_or_tells_less(software: str) -> None:
    """Of a text without an end, what is there is read; of JSON nothing is."""
    try:
        half = reading(software, 2, 600, 1_000_000, "truncated")
    except BadReply:
        return
    assert software == "cpuminer"
    assert half.uptime_s is None


@pytest.mark.parametrize("software", fake_miner.SOFTWARE)
def test_its_figures_are_those_of_its_cards(software: str) -> None:
    now = time.time() if software == "nbminer" else 1_000_000.0  # nbminer says when it started, by the clock
    miner = reading(software, 2, 6000, now)
    whole = miner.algorithms[0]
    told = [device.hashrates_hs[0] or 0 for device in miner.devices]
    assert whole.hashrate_hs == pytest.approx(sum(told), rel=1e-4)
    assert whole.pool is not None
    assert "pool.example:443" in whole.pool
    assert miner.uptime_s == pytest.approx(6000, abs=60)
    if software not in ("xmrig", "cpuminer"):
        assert [device.temperature_c for device in miner.devices] == [pytest.approx(58, abs=4)] * 2


@contextmanager
def running(*options: str) -> Iterator[int]:
    port = free_port()
    command = [sys.executable, str(ROOT / "devtools" / "fake_miner.py"), "--port", str(port), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert str(port) in process.stdout.readline()
        try:
            yield port
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=60) == 0


@pytest.mark.system
def test_it_serves_and_ends_on_sigterm() -> None:
    with running("--software", "lolminer", "--devices", "2") as port:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/summary", timeout=60) as answer:
            assert json.load(answer)["Num_Workers"] == 2
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/2/summary", timeout=60)
        refused.value.close()


@pytest.mark.system
async def test_the_sentry_reads_it_over_http_and_tcp() -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        for software in ("trex", "teamredminer", "cpuminer", "phoenixminer"):
            with running("--software", software, "--devices", "2") as port:
                miner = await poll(http, Watch(software, port))
            assert (miner.software, miner.state) == (software, MinerState.MINING)
            assert "stand-in" in (miner.version or "")


@pytest.mark.system
async def test_its_api_can_want_a_token() -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        with running("--software", "xmrig", "--access-token", "a-secret") as port:
            tokens = (None, "another", "a-secret")
            miners = [await poll(http, Watch("xmrig", port, access_token=token)) for token in tokens]
    assert [miner.trouble for miner in miners] == [MinerTrouble.ACCESS_DENIED, MinerTrouble.ACCESS_DENIED, None]
    assert miners[2].state is MinerState.MINING


@pytest.mark.system
@pytest.mark.parametrize(("fault", "error"), [("silent", TimeoutError), ("refuse", urllib.error.URLError)])
def test_it_can_be_silent_or_refuse(fault: str, error: type[Exception]) -> None:
    with running("--software", "xmrig", "--fault", fault) as port, pytest.raises(error):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/2/summary", timeout=0.5)
