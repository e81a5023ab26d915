"""The door for the logs of ASICs: many in one request, each by its own token."""

import gzip
import json
import time

import pytest
from commander.db import connect_sqlite, sqlite_path
from commander_farm import ASIC_LOGS, ASICS, LOGS, S19_PRO, Farm, Rig, a_log, an_asic_log, on_sqlite
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from protocol.tokens import TokenKind, new_token

WELCOME = "/api/v1/sentry"


def item(asic: Rig, *logs: object, **more: object) -> dict[str, object]:
    return {"token": asic.token, "logs": logs, **more}


async def test_what_is_wrong_with_one_asic_harms_no_other(farm: Farm) -> None:
    good, removed, late = [await farm.add_asic(f"asic-{number}") for number in range(3)]
    rig = await farm.add("rig-01")
    await farm.client.delete(f"{ASICS}/{removed.id}", headers=farm.auth)
    old = an_asic_log(31 * 86_400)
    answer = await farm.report_asics(
        item(removed, an_asic_log()),
        item(good, an_asic_log(1), an_asic_log(2)),
        {"token": "nonsense", "logs": [an_asic_log()]},
        item(rig, an_asic_log()),
        item(late, old, 5, an_asic_log(-3600), an_asic_log()),
        {"token": str(new_token(TokenKind.ASIC, pin=None)), "logs": [an_asic_log()]},
        item(good),
    )
    results = answer.json()["results"]
    assert [(each["stored"], each["duplicates"], each["error"]) for each in results] == [
        (0, 0, "rig_removed"),
        (2, 0, None),
        (0, 0, "invalid_token"),
        (0, 0, "invalid_token"),
        (1, 0, None),
        (0, 0, "invalid_token"),
        (0, 0, None),
    ]
    assert [rejected["index"] for rejected in results[4]["rejected"]] == [0, 1, 2]
    assert "older than 30 days" in results[4]["rejected"][0]["reason"]


async def test_the_same_log_again_is_a_duplicate(farm: Farm) -> None:
    asic, log = await farm.add_asic(), an_asic_log()
    assert (await farm.report_asic(asic, log))["stored"] == 1
    again = await farm.report_asics(item(asic, log), item(asic, log, an_asic_log(5)))
    assert [(each["stored"], each["duplicates"]) for each in again.json()["results"]] == [(0, 1), (1, 1)]
    assert len((await farm.get(f"{ASICS}/{asic.id}/logs")).json()["logs"]) == 2


async def test_a_replaced_token_is_dead_at_once(farm: Farm) -> None:
    asic = await farm.add_asic()
    await farm.report_asic(asic, an_asic_log(1))
    fresh = (await farm.client.post(f"{ASICS}/{asic.id}/token", headers=farm.auth)).json()["token"]
    assert (await farm.report_asic(asic, an_asic_log()))["error"] == "invalid_token"
    asic.token = fresh
    assert (await farm.report_asic(asic, an_asic_log()))["stored"] == 1


async def test_each_door_refuses_the_tokens_of_the_other_and_says_why(farm: Farm) -> None:
    rig, asic, site = await farm.add(), await farm.add_asic(), await farm.site_token()
    answer = await farm.report(asic, a_log())
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
    assert "kind asic" in answer.json()["detail"]
    assert (await farm.client.post(LOGS, json={"logs": []}, headers=site)).status_code == 401
    assert (await farm.report_asic(rig, an_asic_log()))["error"] == "invalid_token"
    adopting = await farm.client.post("/api/v1/sentry/asic-rigs", json={"rigs": []}, headers=asic.auth)
    assert (adopting.status_code, "kind asic" in adopting.json()["detail"]) == (401, True)


async def test_a_sentry_is_told_whose_token_it_has(farm: Farm) -> None:
    asic, site = await farm.add_asic("asic-07"), await farm.site_token()
    told = (await farm.client.get(WELCOME, headers=asic.auth)).json()
    assert (told["kind"], told["rig"]) == ("asic", {"id": asic.id, "name": "asic-07"})
    told = (await farm.client.get(WELCOME, headers=site)).json()
    assert (told["kind"], told["rig"], told["report_every_s"]) == ("site", None, 10)
    await farm.client.delete(f"{ASICS}/{asic.id}", headers=farm.auth)
    assert (await farm.client.get(WELCOME, headers=asic.auth)).json()["code"] == "rig_removed"


async def test_specs_that_cant_be_read_are_rejected_and_the_logs_are_stored(farm: Farm) -> None:
    asic = await farm.add_asic()
    result = await farm.report_asic(asic, an_asic_log(), specs={"model": 5})
    assert (result["stored"], result["rejected"]) == (
        1,
        [{"index": -1, "reason": "specs: model must be a text, not a whole number"}],
    )
    assert (await farm.get(f"{ASICS}/{asic.id}")).json()["specs"] is None


@on_sqlite
async def test_specs_are_written_when_they_change_and_only_then(farm: Farm) -> None:
    asic = await farm.add_asic()
    with connect_sqlite(sqlite_path(farm.settings.database_url)) as connection:
        connection.execute("CREATE TABLE seen (specs)")
        connection.execute(
            "CREATE TRIGGER seeing AFTER UPDATE OF specs ON asic_rigs BEGIN INSERT INTO seen VALUES (NEW.specs); END"
        )
        for model in ("S19 Pro", "S19 Pro", "S19 Pro Hydro", "S19 Pro Hydro"):
            await farm.report_asic(asic, specs=S19_PRO | {"model": model, "from_the_future": 1})
        written = [json.loads(row[0])["model"] for row in connection.execute("SELECT specs FROM seen")]
    connection.close()
    assert written == ["S19 Pro", "S19 Pro Hydro"]
    assert (await farm.get(f"{ASICS}/{asic.id}")).json()["specs"]["model"] == "S19 Pro Hydro"


async def test_a_thousand_asics_in_one_packed_request(farm: Farm) -> None:
    site = await farm.site_token()
    rigs = [{"name": f"asic-{number}", "key": f"10.0.{number // 250}.{number % 250}"} for number in range(1000)]
    adopted = (await farm.client.post("/api/v1/sentry/asic-rigs", json={"rigs": rigs}, headers=site)).json()["rigs"]
    items = [{"token": rig["token"], "specs": S19_PRO, "logs": [an_asic_log()]} for rig in adopted]
    body = gzip.compress(json.dumps({"items": items}).encode())
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    started = time.monotonic()
    answer = await farm.client.post(ASIC_LOGS, content=body, headers=headers)
    assert time.monotonic() - started < 5, "it takes a quarter of a second where nothing else runs"
    assert [each["stored"] for each in answer.json()["results"]] == [1] * 1000
    assert (await farm.get("/api/v1/asic-stats")).json()["rigs_alive"] == 1000


async def test_too_many_items_are_too_large(farm: Farm) -> None:
    answer = await farm.report_asics(*({"token": ""} for _ in range(5_001)))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_two_sentries_with_one_token_are_shown(farm: Farm) -> None:
    asic, alone = await farm.add_asic("asic-01"), await farm.add_asic("asic-02")
    for at, run in enumerate("aba"):
        await farm.report_asic(asic, an_asic_log(9 - at), run=run)
    await farm.report_asic(alone, an_asic_log(), run="b")
    shown = [(await farm.get(f"{ASICS}/{each.id}")).json()["two_sentries"] for each in (asic, alone)]
    assert shown == [True, False]


async def test_logs_are_sent_with_post(farm: Farm) -> None:
    answer = await farm.client.get(ASIC_LOGS)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "OPTIONS, POST")


@pytest.mark.parametrize(
    ("body", "status", "field"), [(b"{}", 422, "items"), (b'{"items":[{}]}', 422, "items[0].token"), (b"{", 415, "")]
)
async def test_a_bad_body_gets_its_answer(farm: Farm, body: bytes, status: int, field: str) -> None:
    answer = await farm.client.post(ASIC_LOGS, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    assert [error["field"] for error in answer.json()["errors"]] == ([field] if field else [])


@on_sqlite
@pytest.mark.parametrize("token", [None, 5, ["mw_asic_0"], {}, "x" * 5_000])
async def test_a_token_that_is_no_text_fails_its_own_item_only(farm: Farm, token: object) -> None:
    good = await farm.add_asic()
    answer = await farm.report_asics({"token": token, "logs": [an_asic_log()]}, item(good, an_asic_log()))
    assert answer.status_code == 200, answer.text
    results = [(each["error"], each["stored"]) for each in answer.json()["results"]]
    assert results == [("invalid_token", 0), (None, 1)]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
hurt = st.dictionaries(st.sampled_from(sorted(an_asic_log())), json_values, max_size=4)


@given(logs=st.lists(hurt | json_values, max_size=4), specs=json_values)
@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_a_sentry_sends_is_answered_and_a_good_log_beside_it_is_stored(
    farm: Farm, logs: list[object], specs: object
) -> None:
    known = {each["name"] for each in (await farm.get(ASICS)).json()}
    wild, sane = [await farm.add_asic(f"{name}-{len(known)}") for name in ("wild", "sane")]
    sent = [an_asic_log() | log if isinstance(log, dict) else log for log in logs]
    answer = await farm.report_asics(item(wild, *sent, specs=specs), item(sane, an_asic_log()))
    assert answer.status_code == 200, answer.text
    told, good = answer.json()["results"]
    refused = [rejected for rejected in told["rejected"] if rejected["index"] >= 0]
    assert told["stored"] + told["duplicates"] + len(refused) == len(sent)
    assert all(isinstance(log, dict) and "taken_at" not in log for log in logs) <= (told["stored"] == len(sent))
    assert {each["index"] for each in refused} <= {
        at for at, log in enumerate(logs) if not isinstance(log, dict) or "taken_at" in log
    }
    assert (told["error"], good["stored"]) == (None, 1)
    assert (await farm.get(f"{ASICS}/{wild.id}")).status_code == 200
