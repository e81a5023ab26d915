"""Sentries of the last release go on working: their recorded requests, sent to the commander of today."""

from datetime import UTC, datetime

import httpx
import msgspec
import pytest
from commander_farm import ASICS, RIGS, Farm
from last_release import Exchange, exchanges, filled, missing
from playbook_farm import PLAYBOOKS, Playbooks


async def send(farm: Farm, exchange: Exchange, token: str, **values: str) -> httpx.Response:
    """Sends a recorded request. Its answer has everything that the recorded one has."""
    headers = exchange.headers | ({"Authorization": f"Bearer {token}"} if exchange.token else {})
    body = {} if exchange.body is None else {"json": filled(exchange.body, **values)}
    answer = await farm.client.request(exchange.method, exchange.path, headers=headers, **body)
    assert answer.status_code == exchange.status, (exchange.name, answer.text)
    for name in exchange.answer_headers:
        assert name in answer.headers, exchange.name
    assert missing(exchange.answer, answer.json() if answer.content else None) == [], exchange.name
    return answer


async def test_a_cpu_gpu_sentry_s_requests_are_answered_as_before(farm: Farm) -> None:
    rig, playbooks, etag = await farm.add("rig-07"), Playbooks(farm), ""
    added = None
    for exchange in exchanges("cpu_gpu_sentry"):
        if "if-none-match" in exchange.headers:
            added = await playbooks.add(rig)
            exchange.headers["if-none-match"] = etag
        answer = await send(farm, exchange, rig.token)
        etag = answer.headers.get("etag", etag)
    assert added is not None
    assert (await playbooks.get(f"{PLAYBOOKS}/{added['id']}"))["status"]["state"] == "mining"
    assert (await playbooks.printed(rig))[1:] == [
        "21:05:47 accepted (1/0) stand-in",
        "21:05:47 accepted (2/0) stand-in",
    ]
    shown = (await farm.get(f"{RIGS}/{rig.id}")).json()
    assert shown["specs"]["cpu"]["cores"] == 2
    assert shown["latest"]["miners"][0]["algorithms"][0]["coin"] == "Alpha"


async def test_a_sentry_that_has_the_playbooks_gets_304(farm: Farm) -> None:
    rig = await farm.add()
    question = exchanges("cpu_gpu_sentry")[1]
    etag = (await send(farm, question, rig.token)).headers["etag"]
    known = msgspec.structs.replace(
        question, headers={"if-none-match": etag}, status=304, answer=None, answer_headers={}
    )
    assert (await send(farm, known, rig.token)).content == b""


async def test_a_removed_rig_s_sentry_is_told_as_before(farm: Farm) -> None:
    rig = await farm.add()
    await farm.client.delete(f"{RIGS}/{rig.id}", headers=farm.auth)
    for exchange in exchanges("removed_rig"):
        assert exchange.answer is not None
        assert (await send(farm, exchange, rig.token)).json()["code"] == exchange.answer["code"]


async def test_an_asic_sentry_s_requests_are_answered_as_before(farm: Farm) -> None:
    site = await farm.client.post("/api/v1/site-tokens", json={"name": "hall"}, headers=farm.auth)
    asic = ""
    for exchange in exchanges("asic_sentry"):
        answer = await send(farm, exchange, site.json()["token"], asic=asic)
        if exchange.name == "adoption":
            asic = answer.json()["rigs"][0]["token"]
    rigs = {each["name"]: each for each in (await farm.get(ASICS)).json()}
    assert rigs["KS5L-192.168.1.1"]["specs"]["model"] == "KS5L"
    assert rigs["KS5L-192.168.1.1"]["latest"]["hashrate_hs"] > 1e12


@pytest.mark.parametrize(
    ("recorded", "now", "places"),
    [
        ({"a": 1, "b": None}, {"a": 2.5, "c": "added"}, []),
        ({"a": {"b": "text"}}, {"a": {}}, [".a.b: None in place of 'text'"]),
        ([1, 2], [1], [": 1 in place of 2"]),
        ({"a": [{"b": True}]}, {"a": [{"b": "true"}]}, [".a[0].b: 'true' in place of True"]),
    ],
)
def test_what_an_answer_lacks_is_found(recorded: object, now: object, places: list[str]) -> None:
    assert missing(recorded, now) == places


def test_a_recorded_time_is_filled_with_the_present() -> None:
    taken_at = datetime.fromisoformat(filled({"taken_at": "{now}"})["taken_at"])
    assert abs((datetime.now(UTC) - taken_at).total_seconds()) < 60
