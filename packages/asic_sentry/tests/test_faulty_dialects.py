"""A dialect that fails in an unexpected way costs nothing but itself: the other dialects are still tried."""

import logging

import pytest
from asic_sentry import identify as module
from asic_sentry.dialects.braiins import BRAIINS
from asic_sentry.dialects.dialect import Dialect
from asic_sentry.dialects.pyasic_rs import PYASIC_RS
from asic_sentry.dialects.registry import BY_NAME, DIALECTS
from asic_sentry.failures import FailureKind, PollFailure
from asic_sentry.identify import identify
from asic_sentry.poll import Identity
from fake_asics import make_asics, running

BASE = 20_000
BROKEN = PollFailure(FailureKind.BAD_RESPONSE, "The sentry can't process this ASIC's answer; see the sentry's log.")


@pytest.fixture(autouse=True)
def nothing_is_logged_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOGGED", set())


def fails(*_arguments: object) -> None:
    raise ZeroDivisionError("a fault of the dialect")


def speaking(monkeypatch: pytest.MonkeyPatch, *faulty: Dialect) -> None:
    """Replaces these dialects, and moves the ports of all."""
    named = {dialect.name: dialect for dialect in faulty}
    dialects = (named.get(dialect.name, dialect) for dialect in DIALECTS)
    monkeypatch.setattr(module, "DIALECTS", tuple(each._replace(port=each.port + BASE) for each in dialects))


def tracebacks(caplog: pytest.LogCaptureFixture) -> list[bool]:
    """Returns for each line about a faulty dialect whether it has a traceback."""
    lines = [each for each in caplog.records if each.message.startswith("dialect_broken ")]
    assert all(each.levelno == logging.ERROR for each in lines)
    return [bool(each.exc_info) for each in lines]


async def test_a_faulty_dialect_keeps_no_other_from_reading_an_asic_and_its_traceback_is_logged_once(
    network: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    speaking(monkeypatch, BRAIINS._replace(recognise=fails))
    async with running(make_asics(3, network, ["antminer"], port_base=BASE)) as farm:
        found = [await identify(asic.ip) for asic in farm.asics]
    assert [isinstance(each, Identity) and each.dialect for each in found] == ["antminer"] * 3
    assert tracebacks(caplog) == [True, False, False]


async def test_an_asic_of_a_faulty_dialect_says_so_whatever_the_others_say(
    network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    speaking(monkeypatch, BY_NAME["iceriver"]._replace(recognise=fails))
    async with running(make_asics(1, network, ["iceriver"], port_base=BASE)) as farm:
        assert await identify(farm.asics[0].ip) == BROKEN


async def test_an_asic_is_read_as_before_if_the_dialect_that_reads_more_of_it_is_faulty(
    network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    speaking(monkeypatch, BY_NAME["antminer"]._replace(better=fails))
    async with running(make_asics(1, network, ["antminer"], port_base=BASE)) as farm:
        found = await identify(farm.asics[0].ip)
    assert isinstance(found, Identity)
    assert found.dialect == "antminer"


async def test_a_fault_of_the_dialect_that_reads_more_is_logged_under_its_own_name(
    network: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    better = BY_NAME["braiins_rest"]._replace(specs_questions=(), parse_specs=fails)  # type: ignore[arg-type]
    speaking(monkeypatch, better)
    async with running(make_asics(1, network, ["braiins"], port_base=BASE)) as farm:
        found = await identify(farm.asics[0].ip)
        assert isinstance(found, Identity)
        assert found.dialect == "braiins"
        assert ["dialect=braiins_rest" in each.message for each in caplog.records] == [True]
        speaking(monkeypatch, BRAIINS._replace(recognise=fails))
        await identify(farm.asics[0].ip)
    assert tracebacks(caplog) == [True, True], "each dialect has its own first traceback"


async def test_a_dialect_without_a_probe_may_be_faulty_too(
    network: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    library = PYASIC_RS._replace(is_installed=lambda: True, specs_questions=(), parse_specs=fails)  # type: ignore[arg-type]
    speaking(monkeypatch, library)
    async with running(make_asics(1, network, ["iceriver"], [("garbage", 1)], BASE)) as farm:
        failure = await identify(farm.asics[0].ip)
    assert isinstance(failure, PollFailure)
    assert failure.kind is FailureKind.BAD_RESPONSE
    assert failure != BROKEN
    assert tracebacks(caplog) == [True]
