"""The people's API: rigs, figures, logs, health, OpenAPI."""

from datetime import UTC, datetime

import pytest
from commander.db import open_database
from commander.registry import store
from commander.registry.kinds import RigKind
from commander.settings import Settings
from commander_farm import ASICS, RIGS, Farm, a_log, running


async def test_without_a_key_nobody_comes_in(farm: Farm) -> None:
    for path in (RIGS, f"{RIGS}/1", "/api/v1/cpu-gpu-stats", "/schema/openapi.json"):
        answer = await farm.client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")
        assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_health_is_open_to_all(farm: Farm) -> None:
    assert (await farm.client.get("/healthz")).text == "ok"


async def test_a_rig_comes_with_its_token_and_the_command_to_type(farm: Farm) -> None:
    answer = await farm.client.post(RIGS, json={"name": "  rig-01 "}, headers=farm.auth)
    rig = answer.json()
    assert (answer.status_code, rig["name"]) == (201, "rig-01")
    assert rig["enroll_command"] == f"cpu-gpu-sentry enroll --url {rig['commander_url']} --token {rig['token']}"
    assert rig["token"] not in (await farm.get(f"{RIGS}/{rig['id']}")).text


async def test_a_bad_name_is_refused_beside_its_field(farm: Farm) -> None:
    for name in ("", "   ", "x" * 65, "x" * 60 + " " * 5, "x" * 1000, "<script>", "a\nb", "-rf", "a;b", "\u202eabc"):
        answer = await farm.client.post(RIGS, json={"name": name}, headers=farm.auth)
        assert answer.status_code == 422, name
        assert answer.json()["errors"][0]["field"] == "name"


@pytest.mark.parametrize("path", [RIGS, ASICS, "/api/v1/site-tokens"])
async def test_spaces_around_a_name_count_for_its_length_as_the_description_says(farm: Farm, path: str) -> None:
    document = (await farm.get("/schema/openapi.json")).json()
    body = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    named = document["components"]["schemas"][body["$ref"].rpartition("/")[2]]["properties"]["name"]
    assert named["maxLength"] == 64
    for spaces, status in ((4, 201), (5, 422)):
        answer = await farm.client.post(path, json={"name": "x" * 60 + " " * spaces}, headers=farm.auth)
        assert answer.status_code == status, answer.text


async def test_two_rigs_cant_have_one_name_however_it_is_written(farm: Farm) -> None:
    rig = await farm.add("Rig-01")
    other = await farm.add("rig-02")
    taken = await farm.client.post(RIGS, json={"name": "rig-01"}, headers=farm.auth)
    assert (taken.status_code, taken.json()["code"]) == (409, "name_taken")
    renamed = await farm.client.patch(f"{RIGS}/{other.id}", json={"name": "RIG-01"}, headers=farm.auth)
    assert renamed.status_code == 409
    itself = await farm.client.patch(f"{RIGS}/{rig.id}", json={"name": "rig-01"}, headers=farm.auth)
    assert (itself.status_code, itself.json()["name"]) == (200, "rig-01")


async def test_what_is_not_there_is_not_found(farm: Farm) -> None:
    for answer in (
        await farm.get(f"{RIGS}/7"),
        await farm.get(f"{RIGS}/7/logs"),
        await farm.client.patch(f"{RIGS}/7", json={"name": "x"}, headers=farm.auth),
        await farm.client.delete(f"{RIGS}/7", headers=farm.auth),
        await farm.client.post(f"{RIGS}/7/token", headers=farm.auth),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "rig_not_found")


async def test_the_totals_follow_each_log_and_each_removal(farm: Farm) -> None:
    first, second = await farm.add("rig-01"), await farm.add("rig-02")
    await farm.add("rig-03")
    await farm.report(first, a_log(hashrate_hs=1000.0, power_w=100.0))
    await farm.report(second, a_log(hashrate_hs=None, power_w=None))
    stats = (await farm.get("/api/v1/cpu-gpu-stats")).json()
    assert (stats["rigs_alive"], stats["rigs_total"], stats["power_w"]) == (2, 3, 100.0)
    assert stats["coins"] == [{"coin": "Monero", "algorithm": "rx/0", "hashrate_hs": 1000.0, "rigs": 1}]
    await farm.client.delete(f"{RIGS}/{first.id}", headers=farm.auth)
    stats = (await farm.get("/api/v1/cpu-gpu-stats")).json()
    assert stats == {"rigs_alive": 1, "rigs_total": 2, "power_w": None, "power_rigs": 0, "coins": []}


async def test_logs_are_paged_newest_first(farm: Farm) -> None:
    rig = await farm.add()
    logs = [a_log(seconds) for seconds in (0, 700, 1400, 90_000, 400_000)]
    await farm.report(rig, *logs)
    seen: list[str] = []
    cursor = ""
    for _ in range(3):
        page = (await farm.get(f"{RIGS}/{rig.id}/logs?limit=2{cursor}")).json()
        seen += [log["taken_at"] for log in page["logs"]]
        cursor = f"&cursor={page.get('cursor')}"
    assert "cursor" not in page
    assert [datetime.fromisoformat(text) for text in seen] == [
        datetime.fromisoformat(str(log["taken_at"])) for log in logs
    ]


async def test_logs_may_be_asked_for_by_time(farm: Farm) -> None:
    rig = await farm.add()
    old, new = a_log(3600), a_log(10)
    await farm.report(rig, old, new)
    middle = datetime.fromtimestamp(datetime.now(UTC).timestamp() - 60, UTC).isoformat().replace("+", "%2B")
    only_old = (await farm.get(f"{RIGS}/{rig.id}/logs?to={middle}")).json()["logs"]
    only_new = (await farm.get(f"{RIGS}/{rig.id}/logs?from={middle}")).json()["logs"]
    assert len(only_old) == len(only_new) == 1
    assert only_old != only_new
    assert (await farm.get(f"{RIGS}/{rig.id}/logs?to=2001-01-01T00:00:00Z")).json() == {"logs": []}


async def test_a_wrong_question_about_logs_names_what_is_wrong(farm: Farm) -> None:
    rig = await farm.add()
    for query, field in (("from=x", "from"), ("limit=0", "limit"), ("cursor=x", "cursor")):
        answer = await farm.get(f"{RIGS}/{rig.id}/logs?{query}")
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


async def test_after_a_restart_everything_is_as_before(farm: Farm, settings: Settings) -> None:
    rig, waiting = await farm.add("rig-01"), await farm.add("rig-02")
    await farm.report(rig, a_log(5), a_log(3))
    before = (await farm.get(f"{RIGS}/{rig.id}")).json()
    async with running(settings) as client:
        after = (await client.get(f"{RIGS}/{rig.id}", headers=farm.auth)).json()
        assert after["latest"] == before["latest"]
        assert after["health"] == "online"
        assert (await client.get(f"{RIGS}/{waiting.id}", headers=farm.auth)).json()["health"] == "waiting"
        assert (await client.get("/api/v1/cpu-gpu-stats", headers=farm.auth)).json()["power_w"] == 200.0


async def test_every_answer_forbids_what_a_page_does_not_need(farm: Farm) -> None:
    headers = (await farm.client.get("/login")).headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"


async def test_another_site_cant_make_a_browser_write(farm: Farm) -> None:
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        answer = await farm.client.post(RIGS, json={"name": "x"}, headers=farm.auth | headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_site")


async def test_the_openapi_document_names_every_call(farm: Farm) -> None:
    paths = (await farm.get("/schema/openapi.json")).json()["paths"]
    assert {"/api/v1/sentry/logs", "/api/v1/sentry", RIGS, "/api/v1/cpu-gpu-stats", "/healthz"} <= set(paths)
    assert "requestBody" in paths["/api/v1/sentry/logs"]["post"]


async def test_a_rig_whose_logs_have_all_expired_is_offline_and_not_waiting(farm: Farm, settings: Settings) -> None:
    rig = await farm.add()
    async with open_database(settings.database_url) as database, database.transaction() as db:
        await store.set_last_taken(db, RigKind.CPU_GPU, [(rig.id, datetime(2026, 1, 1, tzinfo=UTC))])
    async with running(settings) as client:
        shown = (await client.get(f"{RIGS}/{rig.id}", headers=farm.auth)).json()
        assert (shown["health"], shown["latest"]) == ("offline", None)
