"""Braiins OS over HTTP: what other servers answer, and what an answer may lack."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from asic_sentry.dialects.braiins_errors import errors_of
from asic_sentry.dialects.registry import BY_NAME
from asic_sentry.failures import BadReply, FailureKind
from asic_sentry.scan import is_unclear
from protocol.asic_messages import PoolState
from right_answers import right_answers

GRAPHQL = BY_NAME["braiins_graphql"]
ABOUT = {"data": {"bos": {"hostname": "s19", "info": {"version": {"full": "24.09"}}}}}
UNKNOWN_FIELD = {"errors": [{"message": "Cannot query field “bos” on type “Query”."}]}


def encoded(answer: object) -> bytes:
    return json.dumps(answer).encode()


@pytest.mark.parametrize("answer", [UNKNOWN_FIELD, {**UNKNOWN_FIELD, "data": None}, {"data": {}}, {"data": {"bos": 1}}])
def test_another_server_with_graphql_is_not_listed_as_an_asic(answer: Any) -> None:
    with pytest.raises(BadReply) as refused:
        GRAPHQL.recognise(encoded(answer))
    assert refused.value.kind is FailureKind.BAD_RESPONSE
    assert not is_unclear(refused.value.failure)


@pytest.mark.parametrize("model", [UNKNOWN_FIELD, {"data": None}, {"data": {"bosminer": None}}, {}])
def test_a_version_that_does_not_report_its_model_is_identified(model: Any) -> None:
    GRAPHQL.recognise(encoded(ABOUT))
    about = GRAPHQL.parse_specs([encoded(ABOUT), encoded(model)])
    assert (about.model, about.software_version, about.hostname) == (None, "24.09", "s19")


def test_a_window_belongs_to_a_hashrate_that_is_known() -> None:
    figures = json.loads(right_answers(GRAPHQL)[0])
    del figures["data"]["bosminer"]["info"]["workSolver"]["realHashrate"]["mhs5S"]
    found = GRAPHQL.parse([encoded(figures), b""], None)
    assert (found.hashrate_hs, found.hashrate_window_s, found.uptime_s) == (None, None, 50_000)


@pytest.mark.parametrize(
    ("status", "active", "state"),
    [
        ("ALIVE", True, PoolState.CONNECTED),
        ("ALIVE", False, PoolState.STANDBY),
        ("ALIVE", None, None),
        ("DEAD", None, PoolState.DISCONNECTED),
        (None, True, None),
    ],
)
def test_the_state_of_a_pool(status: object, active: object, state: PoolState | None) -> None:
    figures = json.loads(right_answers(GRAPHQL)[0])
    pools = figures["data"]["bosminer"]["info"]["poolGroups"][0]["pools"]
    pools[0] |= {"status": status, "active": active}
    assert GRAPHQL.parse([encoded(figures), b""], None).pools[0].state is state


@pytest.mark.parametrize(
    ("appeals", "faults"),
    [
        ({"data": {"events": {"appeals": [{"__typename": "PsuOverheatAppeal"}, {"__typename": "TunerV2"}]}}},
         ["psu overheat", "tuner v 2"]),
        ({"data": {"events": {"appeals": [{"__typename": "FanAppeal"}] * 20}}}, ["fan"]),
        ({"data": {"events": {"appeals": [None, 7, {"__typename": None}]}}}, []),
        (UNKNOWN_FIELD, []),  # an older version
        ({"data": None}, []),
    ],
)  # fmt: skip
def test_the_open_appeals_of_graphql_are_faults(appeals: Any, faults: list[str]) -> None:
    figures = right_answers(GRAPHQL)[0]
    assert GRAPHQL.parse([figures, encoded(appeals)], None).faults == faults


NOON = datetime(2026, 3, 22, 12, 0, tzinfo=UTC)
CODES = [{"code": "V2", "reason": "Overcurrent protection triggered", "hint": "Replace the board."}]


FAULT = "V2 Overcurrent protection triggered"


def error(time: object, codes: object = CODES, message: object = "Tuner error") -> Any:
    return {"components": [], "error_codes": codes, "message": message, "timestamp": time}


@pytest.mark.parametrize(
    ("errors", "faults"),
    [
        ([error("2026-03-22T11:43:43.268950Z")], [FAULT]),
        ([error("2026-03-22T11:43:43Z"), error("2026-03-22T11:44:14.317114Z")], [FAULT]),
        ([error("2026-03-22T11:50:00Z", [*CODES, {"code": "F1"}, {"reason": "r" * 99}])], [FAULT, "F1", "r" * 64]),
        ([error("2026-03-22T11:50:00Z", codes, message)
          for message in ("Failed to resolve (“pool.example”, 3336)", "No pool is known yet")
          for codes in ([], None, [{"code": None}, 7])], []),  # messages
        ([error("2026-03-22T10:59:59Z")], []),  # old
        ([error("2026-03-22T11:20:00Z")], []),  # of the run before this one
        ([error("2015-01-01T00:00:37.638808Z")], []),  # the clock was not set: when it was is unknown
        ([error("2031-01-01T00:00:00Z")], []),
        ([error(None), error(7), error("soon"), None], []),
        ([error("2026-03-22T11:50:00Z", message=None)], [FAULT]),
    ],
)  # fmt: skip
def test_the_errors_of_the_last_hour_and_of_this_run_are_faults(errors: Any, faults: list[str]) -> None:
    assert errors_of(encoded({"errors": errors}), 1800, NOON) == faults


def test_without_an_uptime_the_errors_of_the_last_hour_are_faults() -> None:
    reply = encoded({"errors": [error("2026-03-22T11:01:00"), error("2026-03-22T10:59:00Z", [{"code": "older"}])]})
    assert errors_of(reply, None, NOON) == [FAULT]
    assert errors_of(b"", None, NOON) == []


@pytest.mark.parametrize("reply", [b"[]", b"{}", b"<html>"])
def test_an_answer_without_errors_is_not_read_as_none(reply: bytes) -> None:
    with pytest.raises(BadReply):
        errors_of(reply, None, NOON)
