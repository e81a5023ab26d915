"""Braiins OS over HTTP: what other servers answer, and what an answer may lack."""

import json
from typing import Any

import pytest
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
    found = GRAPHQL.parse([encoded(figures)], None)
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
    assert GRAPHQL.parse([encoded(figures)], None).pools[0].state is state
