"""A recording of a miner gives the same values when a test replays it, and nothing of its owner."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fake_miner
import fake_miner_lines
import httpx
import msgspec
import pytest
from cpu_gpu_sentry.cli import command_line
from cpu_gpu_sentry.miners.poll import poll
from cpu_gpu_sentry.miners.record import record, replayed
from cpu_gpu_sentry.watches import Watch
from protocol.messages import MinerReading, MinerState
from sentry_kit.recording import read_recording, write_recording


@contextmanager
def mining(software: str, access_token: str | None = None) -> Iterator[int]:
    """Runs a fake miner on a free port."""
    miner = fake_miner.Miner(software, 2, None, access_token)
    kind = fake_miner.LineServer if software in fake_miner_lines.SOFTWARE else fake_miner.HttpServer
    server = kind(("127.0.0.1", 0), miner)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        miner.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()


def figures(reading: MinerReading) -> object:
    """Without what moves from one answer to the next."""
    return [(each.algorithm, each.coin, each.hashrate_hs is not None) for each in reading.algorithms], [
        (each.device, each.temperature_c is not None) for each in reading.devices
    ]


@pytest.mark.parametrize("software", sorted(fake_miner.SOFTWARE))
async def test_a_recording_of_each_software_can_be_replayed(software: str, tmp_path: Path) -> None:
    with mining(software) as port:
        watch = Watch(software, port)
        async with httpx.AsyncClient(trust_env=False) as http:
            live = await poll(http, watch)
        recording = await record(watch, "tests")
    assert live.state is not MinerState.API_SILENT
    write_recording(tmp_path / "miner.json", recording)
    found = replayed(read_recording(tmp_path / "miner.json"))
    assert figures(found) == figures(live)
    text = msgspec.json.encode(recording).decode()
    users = {each.user for each in live.algorithms if each.user} - {"x"}
    assert not [user for user in users if user in text]


def test_the_command_writes_a_file_and_needs_a_miner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CPU_GPU_SENTRY_DATA_DIR", str(tmp_path / "data"))
    token, file = tmp_path / "token", tmp_path / "xmrig.json"
    token.write_text("s3cret\n")
    with mining("xmrig", "s3cret") as port:
        arguments = ["record", "xmrig", str(file), "--port", str(port)]
        assert command_line().run(arguments) == 1
        assert "wants a token" in capsys.readouterr().err
        assert command_line().run([*arguments, "--access-token-file", str(token)]) == 0
    assert "s3cret" not in file.read_text()
    assert read_recording(file).speaks == "xmrig"
