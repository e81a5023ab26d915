"""Polling fake ASICs over real sockets: figures arrive, and each fault is its own kind of failure, in its time."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

import msgspec
import pytest
from asic_payloads import KINDS
from asic_sentry.dialects.registry import DIALECTS
from asic_sentry.failures import FailureKind, PollFailure
from asic_sentry.identify import identify
from asic_sentry.poll import Identity, Sample, poll
from fake_asics import READ_ONLY, FakeAsic, Farm, make_asics, running
from protocol.asic_messages import AsicLog, PowerSource
from right_answers import DIALECT_OF, identity
from virtual_time import in_virtual_time

BASE = 20_000
WITHOUT_POWER = {
    *("antminer", "antminer-terse", "iceriver", "braiins-terse", "auradine"),
    *("hammer", "volcminer", "goldshell", "innosilicon", "antminer_web"),
}
NAMELESS = {"whatsminer-nameless", "braiins-terse"}
kinds = pytest.mark.parametrize("kind", KINDS)
T = TypeVar("T")


class Asked(NamedTuple, Generic[T]):
    asic: FakeAsic
    answer: T
    took_s: float


class Expected(NamedTuple):
    kind: FailureKind
    after_s: float
    before_s: float


FAULTS = {
    "refused": Expected(FailureKind.REFUSED, 0, 2),
    "black_hole": Expected(FailureKind.CONNECT_TIMEOUT, 2, 3),
    "silent": Expected(FailureKind.READ_TIMEOUT, 3, 4),
    "half": Expected(FailureKind.READ_TIMEOUT, 3, 4),
    "closed": Expected(FailureKind.CLOSED, 0, 2),
    "empty": Expected(FailureKind.BAD_RESPONSE, 0, 2),
    "truncated": Expected(FailureKind.BAD_RESPONSE, 0, 2),
    "reset": Expected(FailureKind.BAD_RESPONSE, 0, 2),
    "garbage": Expected(FailureKind.BAD_RESPONSE, 0, 2),
    "not_utf8": Expected(FailureKind.BAD_RESPONSE, 0, 2),
    "error_status": Expected(FailureKind.ERROR_STATUS, 0, 2),
    "huge": Expected(FailureKind.BAD_RESPONSE, 0, 2),
}


async def all_at_once(asics: Sequence[FakeAsic], asked: Callable[[FakeAsic], Awaitable[T]]) -> list[Asked[T]]:
    """Returns the result of each poll, and after how many seconds it came."""
    results: list[Asked[T]] = []

    async def one(asic: FakeAsic) -> None:
        now = asyncio.get_running_loop().time
        started = now()
        answer = await asked(asic)
        results.append(Asked(asic, answer, now() - started))

    async with asyncio.TaskGroup() as group:
        for asic in asics:
            group.create_task(one(asic))
    return results


async def poll_all(asics: Sequence[FakeAsic]) -> list[Asked[Sample | PollFailure]]:
    return await all_at_once(asics, lambda asic: poll(identity(asic)))


def farm_of_each_kind(network: str, fault: str | None = None) -> list[FakeAsic]:
    faults = [(fault, 100)] if fault else []
    return make_asics(len(KINDS), network, list(KINDS), faults, BASE)


def wide(network: str) -> str:
    """Returns a network for more than 254 ASICs, beside those of the other tests."""
    _, second, third, _ = network.split(".")
    return f"127.{210 + int(second) % 40}.{int(third) // 2 * 2}.0/23"


def farm_of_all_faults(network: str) -> list[FakeAsic]:
    """Each kind with each fault, at an address of its own."""
    asics = make_asics(len(KINDS) * len(FAULTS), wide(network), list(KINDS), port_base=BASE)
    return [asic._replace(fault=list(FAULTS)[number // len(KINDS)]) for number, asic in enumerate(asics)]


def never_wrote(farm: Farm) -> bool:
    """Nothing but what monitoring needs was sent, to whatever kind of ASIC."""
    return not farm.violations and all(each.partition(" ")[2] in READ_ONLY for each in farm.foreign)


async def test_each_kind_gives_its_figures(network: str) -> None:
    async with running(farm_of_each_kind(network)) as farm:
        results = await poll_all(farm.asics)
    assert never_wrote(farm)
    assert all(each.startswith("braiins-terse ") for each in farm.foreign)  # its version lacks some commands
    assert len(results) == len(KINDS)
    for (_, kind, *_), sample, _ in results:
        assert isinstance(sample, Sample), (kind, sample)
        log = sample.log
        assert bool(log.hashrate_hs) == (kind != "avalon-idle")
        assert log.uptime_s
        assert log.uptime_s >= 50_000
        assert (log.power_source is PowerSource.REPORTED) == (log.power_w is not None)
        assert (log.power_w is None) == (kind in WITHOUT_POWER)
        assert msgspec.json.decode(msgspec.json.encode(log), type=AsicLog) == log


async def test_a_question_is_saved_where_the_others_tell_it_all(network: str) -> None:
    async with running(make_asics(2, network, ["antminer", "antminer-terse"], port_base=BASE)) as farm:
        full, terse = (result.answer for result in sorted(await poll_all(farm.asics), key=lambda each: each.asic.kind))
    assert farm.commands == {
        **{"antminer stats": 1, "antminer pools": 1},
        **{f"antminer-terse {command}": 1 for command in ("stats", "pools", "summary")},
    }
    assert isinstance(full, Sample)
    assert isinstance(terse, Sample)
    assert None not in (terse.log.hashrate_hs, terse.log.uptime_s, terse.log.average_hashrate_hs)
    assert full.log.rejected_percent == terse.log.rejected_percent


@in_virtual_time
async def test_each_fault_is_its_kind_of_failure_within_its_time(network: str) -> None:
    async with running(farm_of_all_faults(network)) as farm:
        results = await poll_all(farm.asics)
    assert Counter(result.asic.fault for result in results) == dict.fromkeys(FAULTS, len(KINDS))
    for asic, failure, took_s in results:
        expected = FAULTS[asic.fault or ""]
        assert isinstance(failure, PollFailure), (asic, failure)
        assert failure.kind is expected.kind, (asic, failure)
        assert failure.detail
        assert expected.after_s - 0.05 <= took_s < expected.before_s, asic
    assert never_wrote(farm)


@in_virtual_time
async def test_a_whole_answer_is_a_sample_at_once_though_the_connection_stays_open(network: str) -> None:
    async with running(farm_of_each_kind(network, "left_open")) as farm:
        results = await poll_all(farm.asics)
    assert all(isinstance(answer, Sample) and took_s < 2 for _, answer, took_s in results), results


async def test_a_refusal_is_told_in_the_devices_own_words(network: str) -> None:
    async with running(make_asics(1, network, ["antminer"], [("error_status", 100)], BASE)) as farm:
        failure = await poll(identity(farm.asics[0]))
    assert failure == PollFailure(FailureKind.ERROR_STATUS, "Access denied")


@in_virtual_time
async def test_a_poll_ends_after_5_s_though_no_single_answer_is_late(network: str) -> None:
    async with running(make_asics(1, network, ["antminer"], port_base=BASE), latency_s=2.6) as farm:
        (asked,) = await poll_all(farm.asics)
    assert isinstance(asked.answer, PollFailure)
    assert asked.answer.kind is FailureKind.READ_TIMEOUT
    assert 4.9 < asked.took_s < 5.5


async def test_each_poll_tells_what_is_so_then(network: str) -> None:
    async with running(make_asics(1, network, ["iceriver"], port_base=BASE)) as farm:
        first = await poll(identity(farm.asics[0]))
        farm.ahead_s = 30
        later = await poll(identity(farm.asics[0]))
    assert isinstance(first, Sample)
    assert isinstance(later, Sample)
    assert (later.log.uptime_s or 0) >= (first.log.uptime_s or 0) + 30
    assert (later.log.hashrate_hs, later.log.boards) != (first.log.hashrate_hs, first.log.boards)


@kinds
@pytest.mark.parametrize("model_is_known", [False, True])
async def test_an_asic_is_identified_and_its_identity_can_be_kept(
    network: str, kind: str, model_is_known: bool
) -> None:
    async with running(make_asics(1, network, [kind], port_base=BASE)) as farm:
        asic = farm.asics[0]
        made = {"axeos": "bitaxe", "iceriver": "KS5L"}.get(kind, kind.partition("-")[0])
        found = await identify(asic.ip, asic.port, made if model_is_known else None)
    assert isinstance(found, Identity), found
    assert found.dialect == DIALECT_OF[kind]
    assert bool(found.specs.model) == (kind not in NAMELESS)
    assert kind == "braiins-terse" or (found.model is not None and found.model.algorithm)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Identity) == found
    assert never_wrote(farm)


@in_virtual_time
async def test_at_a_port_that_tells_nothing_every_kind_is_found_out(network: str) -> None:
    async with running([asic._replace(port=25_555) for asic in farm_of_each_kind(network)]) as farm:
        results = await all_at_once(farm.asics, lambda asic: identify(asic.ip, asic.port))
    for asic, found, took_s in results:
        assert isinstance(found, Identity), (asic, found)
        assert found.dialect == DIALECT_OF[asic.kind]
        assert took_s < (4 if asic.kind == "whatsminer-v3" else 2), asic
    assert never_wrote(farm)


@kinds
async def test_at_the_usual_ports_no_model_is_needed(network: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual ports need root in part, so the dialects are moved to where the fakes are."""
    moved = tuple(dialect._replace(port=dialect.port + BASE) for dialect in DIALECTS)
    monkeypatch.setattr("asic_sentry.identify.DIALECTS", moved)
    async with running(make_asics(1, network, [kind], port_base=BASE)) as farm:
        found = await identify(farm.asics[0].ip)
    assert isinstance(found, Identity), found
    assert found.dialect == DIALECT_OF[kind]
    assert never_wrote(farm)


@in_virtual_time
async def test_what_can_not_be_identified_fails_in_the_same_words(network: str) -> None:
    async with running(farm_of_all_faults(network)) as farm:
        results = await all_at_once(farm.asics, lambda asic: identify(asic.ip, asic.port))
    for asic, failure, took_s in results:
        assert isinstance(failure, PollFailure), (asic, failure)
        assert failure.kind is FAULTS[asic.fault or ""].kind, (asic, failure)
        assert took_s < 6, asic
    assert never_wrote(farm)


async def test_without_a_name_of_its_own_an_asic_is_what_the_operator_says(network: str) -> None:
    """A Whatsminer whose firmware does not know `devdetails`."""
    async with running(make_asics(1, network, ["whatsminer-nameless"], port_base=BASE)) as farm:
        found = await identify(farm.asics[0].ip, farm.asics[0].port, "Whatsminer M30S++")
    assert isinstance(found, Identity), found
    assert (found.specs.model, found.specs.firmware_version) == ("M30S++", "20260105.10.REL")
    assert found.model is not None
    assert found.model.nominal_hashrate_hs == 112e12
