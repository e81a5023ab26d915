"""Mining software's APIs as real servers on the loopback, well and in trouble."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cpu_gpu_sentry.machine.sensors import MachineReading
from cpu_gpu_sentry.miners import poll as polling
from cpu_gpu_sentry.miners.poll import poll, poll_all
from cpu_gpu_sentry.report import make_log
from cpu_gpu_sentry.watches import Watch
from protocol.messages import MinerReading, MinerState, MinerTrouble
from sentry_kit.timestamps import Timestamps

ANSWERS = Path(__file__).parent / "answers"
SUMMARY = (ANSWERS / "xmrig__summary.json").read_bytes()
OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@asynccontextmanager
async def api(answers: dict[bytes, bytes | None]) -> AsyncIterator[int]:
    """Answers these paths; with None for one it never does. Gives the port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1]
        body = answers.get(path, b"")
        if body is None:
            await reader.read()
        elif body:
            writer.write(OK % len(body) + body)
        else:
            writer.write(NOT_FOUND)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


SILENT = MinerReading(software="xmrig", state=MinerState.API_SILENT)


async def test_a_miner_is_asked_for_all_that_its_parser_needs(http: httpx.AsyncClient) -> None:
    backends = (ANSWERS / "xmrig__backends.json").read_bytes()
    async with api({b"/2/summary": SUMMARY, b"/2/backends": backends}) as port:
        miner = await poll(http, Watch("xmrig", port, coin="Ravencoin"))
    assert [device.device for device in miner.devices] == ["0000:0a:00.0", "0000:10:00.0"]
    assert (miner.algorithms[0].coin, miner.algorithms[0].hashrate_hs) == ("Ravencoin", 61000000.5)


@pytest.mark.parametrize(("coin", "coins"), [("Bugna", ["Bugna"]), ("Ergo", ["Kaspa"]), ("Own coin", ["Own coin"])])
async def test_the_coin_of_an_algorithm_that_is_left_out_is_not_another_s(
    http: httpx.AsyncClient, coin: str, coins: list[str]
) -> None:
    told = json.loads((ANSWERS / "lolminer__dual.json").read_bytes())
    told["Algorithms"][0] |= {"Worker_Performance": [], "Total_Performance": 0}
    async with api({b"/summary": json.dumps(told).encode()}) as port:
        miner = await poll(http, Watch("lolminer", port, coin=coin))
    assert [each.coin for each in miner.algorithms] == coins


async def test_an_old_xmrig_is_asked_in_the_old_way(http: httpx.AsyncClient) -> None:
    async with api({b"/1/summary": (ANSWERS / "xmrig__v1_summary.json").read_bytes()}) as port:
        miner = await poll(http, Watch("xmrig", port))
    assert (miner.version, miner.algorithms[0].hashrate_hs) == ("2.14.6", 301.5)


def silent(port: int, trouble: MinerTrouble, reason: str) -> MinerReading:
    return MinerReading(
        software="xmrig", state=MinerState.API_SILENT, api_port=port, trouble=trouble, reason=reason
    )  # no figures


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "What answers there does not know /2/summary: is it XMRig?"),
        (b"nonsense", "It answers, but can't be read. The answer is not JSON: “nonsense”."),
        (b"[]", "It answers, but can't be read. The answer does not look like xmrig's summary."),
        (b" " * 1_100_000, "Its answer is longer than 1 MiB."),
        (SUMMARY[:100], "It answers, but can't be read. The answer does not look like xmrig's summary."),
    ],
)
async def test_a_miner_that_answers_nonsense_has_no_figures_and_is_said_to_answer(
    http: httpx.AsyncClient, body: bytes, reason: str
) -> None:
    async with api({b"/2/summary": body}) as port:
        assert await poll(http, Watch("xmrig", port)) == silent(port, MinerTrouble.UNREADABLE, reason)


async def test_a_miner_that_is_not_there_is_silent_and_its_port_is_named(http: httpx.AsyncClient) -> None:
    refused = silent(1, MinerTrouble.REFUSED, "Nothing can be reached on port 1.")
    assert await poll(http, Watch("xmrig", 1)) == refused


async def test_a_token_is_given_to_the_miner_alone_and_a_missing_or_wrong_one_is_said(http: httpx.AsyncClient) -> None:
    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        if b"authorization: bearer a-secret\r\n" in asked.lower():
            writer.write(OK % len(SUMMARY) + SUMMARY)
        else:
            code = b"403 Forbidden" if b"authorization:" in asked.lower() else b"401 Unauthorized"
            writer.write(b"HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % code)
        writer.close()

    async with await asyncio.start_server(guarded, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        without, wrong, right = await poll_all(
            http, [Watch("xmrig", port, access_token=token) for token in (None, "another", "a-secret")]
        )
    assert (without.state, without.trouble) == (MinerState.API_SILENT, MinerTrouble.ACCESS_DENIED)
    assert without.reason is not None
    assert without.reason.startswith("Its API wants a token (HTTP 401)")
    assert wrong.reason == "Its API refuses the token (HTTP 403): give it the right one."
    assert right.state is MinerState.MINING
    assert "a-secret" not in repr(Watch("xmrig", port, access_token="a-secret"))


async def test_a_miner_that_never_answers_does_not_hold_up_the_others(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "_TIMEOUT_S", 2)
    async with api({b"/2/summary": None}) as hung, api({b"/2/summary": SUMMARY}) as well:
        first, second = await poll_all(http, [Watch("xmrig", hung), Watch("xmrig", well)])
    assert first == silent(hung, MinerTrouble.NO_ANSWER, f"It does not answer on port {hung} in time.")
    assert second.state is MinerState.MINING


def test_no_two_logs_have_one_moment_even_if_the_clock_is_set_back() -> None:
    stamps = Timestamps()
    noon = datetime(2026, 11, 20, 12, tzinfo=UTC)
    moments = [noon, noon, noon + timedelta(hours=1), noon, noon + timedelta(milliseconds=1)]
    given = [stamps.next_ms(moment) for moment in moments]
    assert len(set(given)) == 5
    assert all(abs(each - moment.timestamp() * 1000) <= 3 for each, moment in zip(given, moments, strict=True))


def test_a_log_is_taken_in_utc_to_the_millisecond() -> None:
    log = make_log(1_795_176_000_123, MachineReading(uptime_s=5), [SILENT], "192.168.1.20")
    assert log.taken_at == datetime(2026, 11, 20, 12, 0, 0, 123000, tzinfo=UTC)
    assert (log.uptime_s, log.lan_ip, log.miners, log.gpus, log.cpu) == (
        5,
        "192.168.1.20",
        [SILENT],
        [],
        None,
    )
