"""The simulated farm: figures that can be believed, and sentries that lose nothing."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from farm_wire import BadAddress, open_commander
from protocol.asic_messages import AsicLog
from protocol.messages import CpuGpuLog, MinerState
from simulate_farm import arguments
from simulated_asics import SimulatedAsicSentry, Watched, simulated_asic
from simulated_rig import SimulatedRig, simulated_rig
from simulated_sentry import KEPT_LOGS, SimulatedSentry, Tally

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def logs_of(rig: SimulatedRig, count: int) -> list[CpuGpuLog]:
    taken = [rig.log(NOON + timedelta(seconds=10 * step)) for step in range(count)]
    return [log for log in taken if log is not None]


def test_a_rig_is_the_same_in_two_runs_with_one_seed() -> None:
    first, second = (logs_of(simulated_rig(3, seed=7), 20) for _ in range(2))
    assert first == second
    assert first != logs_of(simulated_rig(3, seed=8), 20)


@pytest.mark.parametrize("number", range(1, 30))
def test_figures_stay_within_what_hardware_does(number: int) -> None:
    logs = logs_of(simulated_rig(number, seed=1), 60)
    assert len(logs) == 60
    for gpu in (gpu for log in logs for gpu in log.gpus):
        assert gpu.temperature_c is not None
        assert gpu.power_w is not None
        assert gpu.fan_percent is not None
        assert 25 < gpu.temperature_c < 90
        assert 50 < gpu.power_w < 400
        assert 30 <= gpu.fan_percent <= 100
    assert all(miner.state is MinerState.MINING for log in logs for miner in log.miners)


def test_shares_only_grow_and_every_device_adds_to_its_algorithm() -> None:
    logs = logs_of(simulated_rig(1, seed=1, cards=6), 100)
    accepted = [log.miners[0].algorithms[0].accepted for log in logs]
    assert accepted == sorted(accepted, key=lambda each: each or 0)
    assert accepted[-1] != accepted[0]
    miner = logs[-1].miners[0]
    together = sum(device.hashrates_hs[0] or 0 for device in miner.devices)
    assert miner.algorithms[0].hashrate_hs == pytest.approx(together, rel=1e-6)


def test_in_trouble_a_rig_is_silent_or_its_miner_stalls_and_cools_down() -> None:
    rig = simulated_rig(1, seed=1, cards=2, trouble_chance=0.02)
    logs = logs_of(rig, 2_000)
    assert len(logs) < 2_000
    states = {log.miners[0].state for log in logs}
    assert states == {MinerState.MINING, MinerState.STALLED}
    stalled = [log for log in logs if log.miners[0].state is MinerState.STALLED]
    assert min(log.gpus[0].power_w or 0 for log in stalled) < 40
    assert all(log.miners[0].algorithms[0].hashrate_hs == 0 for log in stalled)


def asic_logs_of(number: int, count: int, *, trouble_chance: float = 0.0) -> list[AsicLog | None]:
    asic = simulated_asic(number, seed=1, trouble_chance=trouble_chance)
    return [asic.log(NOON + timedelta(seconds=10 * step)) for step in range(count)]


@pytest.mark.parametrize("number", range(1, 13))
def test_an_asic_does_what_its_boards_do(number: int) -> None:
    assert asic_logs_of(number, 5) == asic_logs_of(number, 5)
    for log in asic_logs_of(number, 60):
        assert log
        assert log.hashrate_hs == pytest.approx(log.expected_hashrate_hs, rel=0.03)
        assert log.hashrate_hs == pytest.approx(sum(board.hashrate_hs or 0 for board in log.boards))
        assert log.temperature_c == max(board.outlet_temperature_c or 0 for board in log.boards)
        assert 40 < log.temperature_c < 80
        assert not log.faults


def test_in_trouble_an_asic_is_silent_hot_or_loses_a_part() -> None:
    logs = asic_logs_of(1, 4_000, trouble_chance=0.02)
    heard = [log for log in logs if log]
    assert len(heard) < len(logs)
    assert {fault for log in heard for fault in log.faults} == {"temperature"}
    assert any(board.hashrate_hs == 0 for log in heard for board in log.boards)
    assert any(0 in log.fans_rpm for log in heard)


class FakeCommander:
    """Answers reports with these statuses in order, and then with the last; remembers what it was sent."""

    def __init__(self, *answers: tuple[int, str]) -> None:
        self.heard: list[list[str]] = []
        self._answers = list(answers)
        self._connections: list[asyncio.Task[object] | None] = []

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            async with asyncio.timeout(10):
                await asyncio.gather(*[each for each in self._connections if each])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.append(asyncio.current_task())
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                body = await reader.readexactly(length)
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n" if head.startswith(b"PUT") else self._answer(body))
        writer.close()
        await writer.wait_closed()

    def _answer(self, body: bytes) -> bytes:
        said = json.loads(body)
        items = said.get("items", [said])
        self.heard.append([log["taken_at"] for item in items for log in item["logs"]])
        status, headers = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        results = [_result(item) for item in items]
        receipt = json.dumps({"results": results} if "items" in said else results[0]) if status == 200 else ""
        return f"HTTP/1.1 {status} X\r\n{headers}Content-Length: {len(receipt)}\r\n\r\n{receipt}".encode()


def _result(item: dict[str, Any]) -> dict[str, object]:
    """The ASIC with the token `t2` was removed."""
    if item.get("token") == "t2":
        return {"stored": 0, "duplicates": 0, "error": "rig_removed"}
    return {"stored": len(item["logs"]), "duplicates": 0}


async def delivered(fake: FakeCommander, logs: int, tally: Tally) -> None:
    """One sentry with so many logs, until none of them waits any more."""
    async with fake.serving() as url, open_commander(url, ca=None, connections=1) as commander:
        sentry = SimulatedSentry(simulated_rig(1, seed=1), 7, "mw_rig_x", commander, tally)
        for step in range(logs):
            sentry.take(NOON + timedelta(seconds=step))
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            delivering = group.create_task(sentry.deliver(every_s=0.1))
            await tally.all_acknowledged.wait()
            delivering.cancel()


async def test_what_was_refused_for_now_is_sent_again_and_counted_once() -> None:
    fake, tally = FakeCommander((503, "Retry-After: 0\r\n"), (500, ""), (200, "")), Tally(ledger=io.StringIO())
    await delivered(fake, 3, tally)
    assert fake.heard[0] == fake.heard[1] == fake.heard[2]
    assert tally.summary() == ("acknowledged 3 logs (stored 3, duplicates 0, rejected 0), unacknowledged 0")


async def test_each_acknowledged_log_is_in_the_ledger_once() -> None:
    ledger = io.StringIO()
    await delivered(FakeCommander((500, ""), (200, "")), 250, Tally(ledger=ledger))
    lines = [json.loads(line) for line in ledger.getvalue().splitlines()]
    assert [line["rig_id"] for line in lines] == [7] * 250
    moments = [datetime.fromisoformat(line["taken_at"]) for line in lines]
    assert moments == [NOON + timedelta(seconds=step) for step in range(250)]


@pytest.mark.parametrize(("status", "why"), [(401, "token replaced"), (410, "rig removed")])
async def test_a_rig_that_is_turned_away_stops(status: int, why: str) -> None:
    fake, tally = FakeCommander((status, "")), Tally()
    await delivered(fake, 5, tally)
    assert tally.turned_away == {why: 1}
    assert (tally.stored, tally.unacknowledged) == (0, 0)
    assert len(fake.heard) == 1


async def test_what_is_kept_has_a_bound_and_the_oldest_goes_first() -> None:
    fake, tally = FakeCommander((200, "")), Tally()
    await delivered(fake, KEPT_LOGS + 10, tally)
    assert (tally.dropped, tally.stored) == (10, KEPT_LOGS)
    assert datetime.fromisoformat(fake.heard[0][0]) == NOON + timedelta(seconds=10)


async def test_an_asic_that_is_turned_away_does_not_stop_the_others() -> None:
    tally, watched = Tally(), [Watched(simulated_asic(number, seed=1), number, f"t{number}") for number in (1, 2)]
    fake = FakeCommander((500, ""), (200, ""))
    async with fake.serving() as url, open_commander(url, ca=None, connections=1) as commander:
        sentry = SimulatedAsicSentry(watched, commander, tally)
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            delivering = group.create_task(sentry.deliver(every_s=0.1))
            for step in range(3):
                sentry.take(NOON + timedelta(seconds=step))
                await tally.all_acknowledged.wait()
            delivering.cancel()
    assert [len(request) for request in fake.heard] == [2, 2, 1, 1], "sent again after an error; one was refused"
    assert (tally.stored, tally.dropped, tally.turned_away) == (3, 1, {"rig removed": 1})


@pytest.mark.parametrize("url", ["http://farm.example:8443", "ftp://127.0.0.1", "farm.example"])
async def test_a_commander_elsewhere_is_spoken_to_with_https_only(url: str) -> None:
    with pytest.raises(BadAddress):
        async with open_commander(url, ca=None, connections=1):
            pass


def test_a_prefix_that_hides_that_rigs_are_simulated_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        arguments(["--commander", "https://farm", "--api-key", "k", "--name-prefix", "rig-"])
    assert "simulated" in capsys.readouterr().err
