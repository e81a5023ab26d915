"""The sentries' API through its door: HTTP in, answers and rows out."""

import gzip
import json

import zstandard
from commander_farm import ASICS, LOGS, RIGS, Farm, a_log, an_asic_log
from protocol.tokens import TokenKind, new_token

WELCOME = "/api/v1/sentry"
SPECS = "/api/v1/sentry/specs"


async def test_a_sentry_is_told_whose_token_it_has(farm: Farm) -> None:
    rig = await farm.add("rig-07")
    answer = await farm.client.get(WELCOME, headers=rig.auth)
    assert answer.status_code == 200
    assert answer.json()["rig"] == {"id": rig.id, "name": "rig-07"}
    assert answer.json()["kind"] == "rig"
    assert answer.json()["report_every_s"] == 10


async def test_without_a_token_nobody_comes_in(farm: Farm) -> None:
    for authorization in ("", "Bearer", "Bearer nonsense", "Basic abc", "Bearer mw_rig_00"):
        answer = await farm.client.get(WELCOME, headers={"Authorization": authorization})
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")


async def test_a_token_without_its_scheme_is_invalid_also_while_it_is_in_memory(farm: Farm) -> None:
    rig = await farm.add()
    token = rig.auth["Authorization"].removeprefix("Bearer ")
    for _ in range(2):
        for scheme in ("", "Basic ", "Bearer\t"):
            answer = await farm.client.post(LOGS, json={"logs": []}, headers={"Authorization": f"{scheme}{token}"})
            assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
        for scheme in ("Bearer", "bearer", "BEARER"):
            answer = await farm.client.post(LOGS, json={"logs": []}, headers={"Authorization": f"{scheme} {token}"})
            assert answer.status_code == 200


async def test_an_unknown_token_is_invalid_and_one_of_another_kind_too(farm: Farm) -> None:
    for kind in TokenKind:
        headers = {"Authorization": f"Bearer {new_token(kind, pin=None)}"}
        for answer in (
            await farm.client.get(WELCOME, headers=headers),
            await farm.client.post(LOGS, headers=headers),
        ):
            assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")


async def test_a_removed_rig_is_told_so_and_its_logs_are_gone(farm: Farm) -> None:
    rig = await farm.add()
    await farm.report(rig, a_log())
    assert (await farm.client.delete(f"{RIGS}/{rig.id}", headers=farm.auth)).status_code == 204
    for answer in (await farm.client.get(WELCOME, headers=rig.auth), await farm.report(rig, a_log())):
        assert (answer.status_code, answer.json()["code"]) == (410, "rig_removed")
    assert (await farm.get(f"{RIGS}/{rig.id}")).status_code == 404


async def test_a_replaced_token_is_dead_at_once(farm: Farm) -> None:
    rig = await farm.add()
    await farm.report(rig, a_log())
    fresh = (await farm.client.post(f"{RIGS}/{rig.id}/token", headers=farm.auth)).json()["token"]
    assert (await farm.report(rig, a_log())).status_code == 401
    rig.token = fresh
    assert (await farm.report(rig, a_log())).json()["stored"] == 1


async def test_the_same_log_again_is_a_duplicate_and_not_a_second_row(farm: Farm) -> None:
    rig = await farm.add()
    log, other = a_log(), a_log(5)
    assert (await farm.report(rig, log)).json() == {
        "stored": 1,
        "duplicates": 0,
        "rejected": [],
        "two_sentries": False,
        "rig": {"id": rig.id, "name": rig.name},
        "waits_for_approval": False,
    }
    assert (await farm.report(rig, log, other, other)).json()["stored"] == 1
    assert (await farm.report(rig, log, other)).json()["duplicates"] == 2
    assert len((await farm.get(f"{RIGS}/{rig.id}/logs")).json()["logs"]) == 2


async def test_a_log_that_cant_be_stored_is_rejected_by_itself(farm: Farm) -> None:
    rig = await farm.add()
    next_week, last_month, nonsense = a_log(-7 * 86_400), a_log(31 * 86_400), {"taken_at": "yesterday"}
    answer = (await farm.report(rig, next_week, a_log(1), last_month, nonsense, 5, a_log(2))).json()
    assert answer["stored"] == 2
    assert [rejected["index"] for rejected in answer["rejected"]] == [0, 2, 3, 4]
    assert "future" in answer["rejected"][0]["reason"]


async def test_a_late_log_is_stored_and_does_not_become_the_latest(farm: Farm) -> None:
    rig = await farm.add()
    await farm.report(rig, a_log(0, hashrate_hs=5.0))
    assert (await farm.report(rig, a_log(86_400, hashrate_hs=7.0))).json()["stored"] == 1
    latest = (await farm.get(f"{RIGS}/{rig.id}")).json()["latest"]
    assert latest["miners"][0]["algorithms"][0]["hashrate_hs"] == 5.0


async def test_bodies_may_be_packed(farm: Farm) -> None:
    rig = await farm.add()
    plain = json.dumps({"logs": [a_log(1)]}).encode(), json.dumps({"logs": [a_log(2)]}).encode()
    packed = {"gzip": gzip.compress(plain[0]), "zstd": zstandard.compress(plain[1])}
    for encoding, body in packed.items():
        headers = rig.auth | {"Content-Encoding": encoding, "Content-Type": "application/json"}
        assert (await farm.client.post(LOGS, content=body, headers=headers)).json()["stored"] == 1


BAD_BODIES: list[tuple[bytes, dict[str, str], int, str]] = [
    (b'{"logs": [', {}, 415, "not_json"),
    (b"\xff\xfe", {}, 415, "not_json"),
    (b"", {}, 415, "not_json"),
    (b'{"logs": 5}', {}, 422, "wrong_field"),
    (b"{}", {}, 422, "wrong_field"),
    (b"logs", {"Content-Type": "text/plain"}, 415, "not_json"),
    (b"{}", {"Content-Encoding": "br"}, 415, "not_json"),
    (b"no gzip", {"Content-Encoding": "gzip"}, 400, "bad_body"),
    (gzip.compress(b"{}", mtime=0)[:-4], {"Content-Encoding": "gzip"}, 400, "bad_body"),
    (b"no zstd", {"Content-Encoding": "zstd"}, 400, "bad_body"),
    (b" " * (4 * 1024 * 1024 + 1), {}, 413, "too_large"),
    (gzip.compress(b" " * 50_000_000, mtime=0), {"Content-Encoding": "gzip"}, 413, "too_large"),
    (zstandard.compress(b" " * 50_000_000), {"Content-Encoding": "zstd"}, 413, "too_large"),
]


async def test_a_bad_body_gets_its_answer(farm: Farm) -> None:
    rig = await farm.add()
    for body, headers, status, code in BAD_BODIES:
        said = rig.auth | {"Content-Type": "application/json"} | headers
        answer = await farm.client.post(LOGS, content=body, headers=said)
        assert (answer.status_code, answer.json()["code"]) == (status, code), body[:20]
        assert answer.headers["Content-Type"] == "application/problem+json"


async def test_a_wrong_field_is_named(farm: Farm) -> None:
    rig = await farm.add()
    answer = await farm.client.put(SPECS, json={"cpu": {"cores": "many"}}, headers=rig.auth)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "cpu.cores", "message": "must be a whole number, not a text"}]


async def test_specs_are_shown_and_unknown_fields_of_a_newer_sentry_are_ignored(farm: Farm) -> None:
    rig = await farm.add()
    specs = {"hostname": "rig", "cpu": {"name": "Ryzen", "cores": 16}, "from_the_future": 1}
    assert (await farm.client.put(SPECS, json=specs, headers=rig.auth)).status_code == 204
    shown = (await farm.get(f"{RIGS}/{rig.id}")).json()["specs"]
    assert (shown["hostname"], shown["cpu"]["cores"], shown["motherboard"]) == ("rig", 16, None)


async def test_logs_are_sent_with_post(farm: Farm) -> None:
    answer = await farm.client.get(LOGS)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "OPTIONS, POST")


async def test_a_renamed_rig_s_sentry_hears_the_name_with_its_next_report(farm: Farm) -> None:
    rig = await farm.add()
    await farm.client.patch(f"{RIGS}/{rig.id}", json={"name": "rig-99"}, headers=farm.auth)
    assert (await farm.report(rig, a_log())).json()["rig"] == {"id": rig.id, "name": "rig-99"}
    asic = await farm.add_asic()
    await farm.client.patch(f"{ASICS}/{asic.id}", json={"name": "s19-99"}, headers=farm.auth)
    assert (await farm.report_asic(asic, an_asic_log()))["rig"] == {"id": asic.id, "name": "s19-99"}


async def test_two_sentries_with_one_token_are_told_and_shown(farm: Farm) -> None:
    rig = await farm.add()
    told = [(await farm.report(rig, a_log(9 - n), run=run)).json()["two_sentries"] for n, run in enumerate("aababbab")]
    assert told == [False, False, False, True, True, True, True, True]
    assert (await farm.get(f"{RIGS}/{rig.id}")).json()["two_sentries"] is True


async def test_a_restarted_sentry_is_not_two(farm: Farm) -> None:
    rig = await farm.add()
    told = [(await farm.report(rig, a_log(9 - n), run=run)).json()["two_sentries"] for n, run in enumerate("aabbcc")]
    assert not any(told)
