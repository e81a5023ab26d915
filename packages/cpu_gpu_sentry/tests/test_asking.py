"""Miners that answer over TCP as real servers on the loopback, well and in trouble; and what is told once, as drift."""

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from cpu_gpu_sentry.miners import poll as polling
from cpu_gpu_sentry.miners.drift import Drift
from cpu_gpu_sentry.miners.poll import poll
from cpu_gpu_sentry.miners.registry import SOFTWARE
from cpu_gpu_sentry.watches import Watch
from protocol.messages import MinerReading, MinerState, MinerTrouble

ANSWERS = Path(__file__).parent / "answers"
DEVS, POOLS = ((ANSWERS / f"teamredminer__{name}.json").read_bytes() for name in ("devs", "pools"))
GETSTAT1 = (ANSWERS / "claymore__getstat1.json").read_bytes().replace(b"\n", b"")
PATIENCE_S = 60.0
IN_TIME_S = PATIENCE_S / 2  # who waits for the time limit of a poll is late
Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a busy machine read all that is answered."""
    monkeypatch.setattr(polling, "_TIMEOUT_S", PATIENCE_S)
    monkeypatch.setattr(polling, "_OPTIONAL_TIMEOUT_S", 30)
    monkeypatch.setattr(polling, "_DRIFT", Drift())


@pytest.fixture
def brief(patient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes an optional question that is not answered cost little time."""
    monkeypatch.setattr(polling, "_OPTIONAL_TIMEOUT_S", 1.0)


@asynccontextmanager
async def api(behaves: Behaviour) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await behaves(reader, writer)
        except ConnectionError:
            pass  # the sentry has heard enough
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


def answering(answers: dict[bytes, bytes], *, then_wait: bool = False) -> Behaviour:
    """By what the question contains; a question that is not among them is not answered."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.read(1000)
        answer = next((body for word, body in answers.items() if word in asked), None)
        if answer is not None:
            writer.write(answer)
            await writer.drain()
        if answer is None or then_wait:
            await reader.read()

    return behave


@pytest.mark.usefixtures("brief")
async def test_each_command_is_a_connection_of_its_own_until_it_ends(http: httpx.AsyncClient) -> None:
    async with api(answering({b'"devs"': DEVS, b'"pools"': POOLS + b"\0garbage"})) as port:
        miner = await poll(http, Watch("teamredminer", port))
    assert (miner.state, miner.algorithms[0].algorithm) == (MinerState.MINING, "ethash")
    assert [device.hashrates_hs for device in miner.devices] == [[30_500_500], [31_500_000]]


@pytest.mark.usefixtures("brief")
async def test_a_line_is_an_answer_though_the_connection_stays_open(http: httpx.AsyncClient) -> None:
    async with api(answering({b"miner_getstat1": GETSTAT1 + b"\n"}, then_wait=True)) as port:
        miner = await poll(http, Watch("claymore", port, coin="Ethereum"))
    assert (miner.version, miner.algorithms[0].coin) == ("12.6", "Ethereum")


async def test_a_nul_ends_a_text_answer(http: httpx.AsyncClient) -> None:
    summary, threads = ((ANSWERS / f"cpuminer__{name}.txt").read_bytes() + b"\0" for name in ("summary", "threads"))
    async with api(answering({b"summary\n": summary, b"threads\n": threads}, then_wait=True)) as port:
        miner = await poll(http, Watch("cpuminer", port))
    assert miner.devices[0].hashrates_hs == [81250.5]


async def test_what_is_optional_may_be_refused_or_missing(http: httpx.AsyncClient) -> None:
    async def only_devs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if b'"devs"' in await reader.read(1000):
            writer.write(DEVS)
            await writer.drain()

    async with api(only_devs) as port:
        miner = await poll(http, Watch("teamredminer", port))
    assert (miner.state, miner.algorithms[0].algorithm) == (MinerState.MINING, "unknown")


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for byte in DEVS:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.05)


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b" " * 65536)
        await writer.drain()


async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    return


async def cut_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(DEVS[: len(DEVS) // 2])
    await writer.drain()


async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\xff\xfe<html>not a miner</html>")
    await writer.drain()


@pytest.mark.parametrize("software", ["teamredminer", "cpuminer", "claymore"])
@pytest.mark.parametrize("behaves", [silent, slow, endless, closing, cut_off, garbage])
async def test_a_miner_in_trouble_is_silent_with_no_figures_and_in_time(
    http: httpx.AsyncClient, behaves: Behaviour, software: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if behaves in (silent, slow):
        monkeypatch.setattr(polling, "_TIMEOUT_S", 0.5)
    async with api(behaves) as port, asyncio.timeout(IN_TIME_S):
        miner = await poll(http, Watch(software, port))
    trouble, reason = miner.trouble, miner.reason
    assert reason
    if behaves is endless:
        assert (trouble, reason) == (MinerTrouble.UNREADABLE, "Its answer is longer than 1 MiB.")
    elif behaves is silent or (behaves is slow and software != "claymore"):  # its answer ends with a line
        assert (trouble, reason) == (MinerTrouble.NO_ANSWER, f"It does not answer on port {port} in time.")
    elif behaves is closing:
        assert trouble is MinerTrouble.NO_ANSWER
        assert "closes the connection" in reason
    else:  # a line that has ended is an answer; a connection that is reset may lose it on its way
        assert trouble in (MinerTrouble.UNREADABLE, MinerTrouble.NO_ANSWER)
    assert miner == MinerReading(
        software=software, state=MinerState.API_SILENT, api_port=port, trouble=trouble, reason=reason
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "a" * 200])
@pytest.mark.parametrize("software", ["teamredminer", "trex"])
async def test_a_miner_that_is_not_there_is_silent(http: httpx.AsyncClient, software: str, host: str) -> None:
    miner = await poll(http, Watch(software, 1, host=host))
    assert miner.state is MinerState.API_SILENT


@pytest.mark.parametrize("missing", [1, 800])
async def test_an_answer_over_http_that_ends_too_early_is_read_as_far_as_it_is_whole(
    http: httpx.AsyncClient, missing: int
) -> None:
    body = (ANSWERS / "gminer__dual.json").read_bytes().rstrip()

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:-missing])
        await writer.drain()

    async with api(behave) as port:
        miner = await poll(http, Watch("gminer", port))
    if missing == 1:
        assert (miner.state, miner.algorithms[0].hashrate_hs) == (MinerState.MINING, 81_500_000)
    else:
        assert (miner.state, miner.trouble) == (MinerState.API_SILENT, MinerTrouble.UNREADABLE)
        assert miner.reason is not None
        assert miner.reason.startswith("It answers, but can't be read.")


@pytest.mark.parametrize("packing", ["identity", "gzip"])
async def test_an_answer_over_http_without_end_is_given_up_in_time(http: httpx.AsyncClient, packing: str) -> None:
    part = b" " * 65_536 if packing == "identity" else gzip.compress(bytes(16 * 1024 * 1024))

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\n\r\n" % packing.encode())
        while True:
            writer.write(part)
            await writer.drain()

    async with api(behave) as port, asyncio.timeout(IN_TIME_S):
        miner = await poll(http, Watch("xmrig", port))
    assert (miner.state, miner.trouble) == (MinerState.API_SILENT, MinerTrouble.UNREADABLE)
    assert miner.reason == "Its answer is longer than 1 MiB."


async def test_miniz_is_asked_by_a_post(http: httpx.AsyncClient) -> None:
    body, asked = (ANSWERS / "miniz__getstat.json").read_bytes(), b""

    async def post(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked = await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(len('{"id":"0","method":"getstat"}'))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()

    async with api(post) as port:
        miner = await poll(http, Watch("miniz", port))
    assert miner.algorithms[0].hashrate_hs == 100.5
    assert asked.startswith(b"POST / HTTP/1.1\r\n")
    assert asked.endswith(b'\r\n\r\n{"id":"0","method":"getstat"}')


@pytest.mark.usefixtures("brief")
async def test_drift_is_logged_once_for_each_version(http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    async with api(answering({b'"devs"': DEVS})) as port:
        with caplog.at_level(logging.WARNING):
            for _ in range(2):
                await poll(http, Watch("teamredminer", port))
    assert [record.getMessage() for record in caplog.records] == [
        "miner_drift TeamRedMiner 0.10.21 tells no algorithm."
    ]


@pytest.mark.parametrize(
    ("software", "name", "before", "after", "sentence"),
    [
        ("gminer", "gminer__dual.json", b"", b"", None),
        ("gminer", "gminer__dual.json", b'"uptime"', b'"up_time"',
         "GMiner 3.44 tells no uptime; it has keys that this version of the sentry does not know: 'up_time'."),
        ("cpuminer", "cpuminer__summary.txt", b"CPUS=2", b"CPUS=2;NEW=1",
         "cpuminer-opt 26.1 has keys that this version of the sentry does not know: 'NEW'."),
        ("gminer", "gminer__old.json", b"", b"", "GMiner of an unknown version tells no algorithm, version."),
    ],
)  # fmt: skip
def test_what_is_not_as_it_was_is_a_sentence(
    software: str, name: str, before: bytes, after: bytes, sentence: str | None
) -> None:
    reply = (ANSWERS / name).read_bytes().replace(before, after)
    assert Drift().of(SOFTWARE[software].parse([reply]), [reply]) == sentence


def test_a_miner_that_makes_up_versions_does_not_fill_the_memory() -> None:
    drift, reply = Drift(), (ANSWERS / "gminer__old.json").read_bytes()
    reading = SOFTWARE["gminer"].parse([reply])
    told = [drift.of(MinerReading(software="gminer", state=reading.state, version=str(n)), [reply]) for n in range(400)]
    assert sum(1 for sentence in told if sentence) == 256


async def test_claymore_s_password_stands_in_each_question(http: httpx.AsyncClient) -> None:
    asked: list[bytes] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        writer.write(GETSTAT1 + b"\n")
        await writer.drain()

    async with api(behave) as port:
        await poll(http, Watch("claymore", port, access_token="a-secret"))
    assert asked[0] == b'{"id":0,"jsonrpc":"2.0","method":"miner_getstat1","psw":"a-secret"}\n'
