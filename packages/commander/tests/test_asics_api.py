"""ASICs in the people's API: added, renamed, removed; figures, logs, health."""

from datetime import UTC, datetime

import httpx
from commander.settings import Settings
from commander_farm import ASICS, RIGS, S19_PRO, Farm, an_asic_log, running

STATS = "/api/v1/asic-stats"


async def test_an_asic_comes_with_its_token_and_the_commands_to_type(farm: Farm) -> None:
    answer = await farm.client.post(ASICS, json={"name": " asic-01 "}, headers=farm.auth)
    asic = answer.json()
    assert (answer.status_code, asic["name"]) == (201, "asic-01")
    assert asic["token"].startswith("mw_asic_")
    assert asic["connect_command"] == f"asic-sentry connect --url {asic['commander_url']}"
    assert asic["enroll_command"] == f"asic-sentry add --ip ASIC_IP --token {asic['token']}"
    assert asic["token"] not in (await farm.get(f"{ASICS}/{asic['id']}")).text


async def test_a_waiting_asic_becomes_online_with_specs_and_figures(farm: Farm) -> None:
    asic = await farm.add_asic()
    before = (await farm.get(f"{ASICS}/{asic.id}")).json()
    assert (before["health"], before["specs"], before["latest"]) == ("waiting", None, None)
    await farm.report_asic(asic, an_asic_log(), specs=S19_PRO)
    after = (await farm.get(f"{ASICS}/{asic.id}")).json()
    assert (after["health"], after["specs"]["model"], after["latest"]["hashrate_hs"]) == ("online", "S19 Pro", 110e12)
    assert after["specs"]["hostname"] is None


async def test_a_cpu_gpu_rig_and_an_asic_may_have_one_name_and_two_asics_may_not(farm: Farm) -> None:
    await farm.add("rig-01")
    asic, other = await farm.add_asic("rig-01"), await farm.add_asic("rig-02")
    taken = await farm.client.post(ASICS, json={"name": "RIG-01"}, headers=farm.auth)
    assert (taken.status_code, taken.json()["code"]) == (409, "name_taken")
    renamed = await farm.client.patch(f"{ASICS}/{other.id}", json={"name": "rig-01"}, headers=farm.auth)
    assert renamed.status_code == 409
    itself = await farm.client.patch(f"{ASICS}/{asic.id}", json={"name": "Rig-01"}, headers=farm.auth)
    assert (itself.status_code, itself.json()["name"]) == (200, "Rig-01")
    assert [each["name"] for each in (await farm.get(ASICS)).json()] == ["Rig-01", "rig-02"]


async def test_what_is_not_there_is_not_found(farm: Farm) -> None:
    await farm.add("rig-01")  # its id is no ASIC's
    answers = [await farm.get(f"{ASICS}/1"), await farm.get(f"{ASICS}/1/logs")]
    for ask, path in ((farm.client.delete, ""), (farm.client.post, "/token")):
        answers.append(await ask(f"{ASICS}/1{path}", headers=farm.auth))
    answers.append(await farm.client.patch(f"{ASICS}/1", json={"name": "x"}, headers=farm.auth))
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(404, "rig_not_found")] * 5
    assert len((await farm.get(RIGS)).json()) == 1


async def test_without_a_key_nobody_comes_in(farm: Farm) -> None:
    for path in (ASICS, f"{ASICS}/1", STATS, "/api/v1/site-tokens"):
        answer = await farm.client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")


async def test_the_totals_are_those_of_the_asics_alone(farm: Farm) -> None:
    await farm.add("rig-01")
    first, second = await farm.add_asic("asic-01"), await farm.add_asic("asic-02")
    await farm.add_asic("asic-03")
    kaspa = an_asic_log(algorithm="kHeavyHash", coin="Kaspa", hashrate_hs=15e12, power_w=None)
    await farm.report_asics(
        {"token": first.token, "logs": [an_asic_log()]},
        {"token": second.token, "logs": [kaspa]},
    )
    assert (await farm.get(STATS)).json() == {
        "rigs_alive": 2,
        "power_rigs": 1,
        "rigs_total": 3,
        "power_w": 3250.0,
        "coins": [
            {"coin": "Bitcoin", "algorithm": "SHA-256", "hashrate_hs": 110e12, "rigs": 1},
            {"coin": "Kaspa", "algorithm": "kHeavyHash", "hashrate_hs": 15e12, "rigs": 1},
        ],
    }
    assert (await farm.get("/api/v1/cpu-gpu-stats")).json()["rigs_alive"] == 0
    await farm.client.delete(f"{ASICS}/{first.id}", headers=farm.auth)
    stats = (await farm.get(STATS)).json()
    assert (stats["rigs_alive"], stats["rigs_total"], stats["power_w"]) == (1, 2, None)


async def test_logs_are_paged_newest_first(farm: Farm) -> None:
    asic = await farm.add_asic()
    logs = [an_asic_log(seconds) for seconds in (0, 700, 90_000)]
    await farm.report_asic(asic, *logs)
    first = (await farm.get(f"{ASICS}/{asic.id}/logs?limit=2")).json()
    rest = (await farm.get(f"{ASICS}/{asic.id}/logs?limit=2&cursor={first['cursor']}")).json()
    assert "cursor" not in rest
    seen = [datetime.fromisoformat(log["taken_at"]) for log in first["logs"] + rest["logs"]]
    assert seen == [datetime.fromisoformat(str(log["taken_at"])) for log in logs]
    wrong = await farm.get(f"{ASICS}/{asic.id}/logs?from=x")
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "from")


async def test_after_a_restart_everything_is_as_before(farm: Farm, settings: Settings) -> None:
    asic, waiting = await farm.add_asic("asic-01"), await farm.add_asic("asic-02")
    rig = await farm.add("rig-01")
    await farm.report_asic(asic, an_asic_log(3, faults=["fan"]), specs=S19_PRO)
    before = (await farm.get(f"{ASICS}/{asic.id}")).json()
    async with running(settings) as client:

        async def shown(path: str) -> httpx.Response:
            return await client.get(path, headers=farm.auth)

        after = (await shown(f"{ASICS}/{asic.id}")).json()
        assert (after["latest"], after["specs"]) == (before["latest"], before["specs"])
        assert after["health"] == "online"
        assert (await shown(f"{ASICS}/{waiting.id}")).json()["health"] == "waiting"
        assert (await shown(f"{RIGS}/{rig.id}")).json()["health"] == "waiting"
        assert (await shown(STATS)).json()["power_w"] == 3250.0


async def test_the_openapi_document_names_every_call(farm: Farm) -> None:
    document = (await farm.get("/schema/openapi.json")).json()
    calls = {(path, method) for path, methods in document["paths"].items() for method in methods}
    one, sites = f"{ASICS}/{{rig_id}}", "/api/v1/site-tokens"
    assert {
        *((ASICS, method) for method in ("get", "post")),
        *((one, method) for method in ("get", "patch", "delete")),
        *((f"{one}/token", "post"), (f"{one}/logs", "get"), (STATS, "get")),
        *((sites, "get"), (sites, "post"), (f"{sites}/{{site_id}}", "delete")),
        *(("/api/v1/sentry/asic-logs", "post"), ("/api/v1/sentry/asic-rigs", "post")),
    } <= calls
    assert "security" not in document["paths"]["/api/v1/sentry/asic-logs"]["post"]


async def test_a_day_in_the_far_future_is_no_log_of_today(farm: Farm) -> None:
    asic = await farm.add_asic()
    result = await farm.report_asic(asic, an_asic_log(taken_at=datetime(9999, 12, 31, tzinfo=UTC).isoformat()))
    assert (result["stored"], len((await farm.get(f"{ASICS}/{asic.id}/logs")).json()["logs"])) == (0, 0)
