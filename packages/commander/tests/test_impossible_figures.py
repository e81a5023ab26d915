"""An impossible value costs only itself: never its log, and no log costs a report."""

import copy
import json
from typing import Any

import httpx
from commander_farm import ASIC_LOGS, ASICS, LOGS, RIGS, Farm, Rig, a_log, an_asic_log, on_sqlite
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SPECS = "/api/v1/sentry/specs"
METRIC = "minewarden_figures_left_out_total"


async def latest(farm: Farm, address: str) -> dict[str, Any]:
    shown: dict[str, Any] = (await farm.get(address)).json()["latest"]
    return shown


async def test_a_processor_of_four_million_degrees_does_not_cost_the_log(farm: Farm) -> None:
    rig = await farm.add()
    log = a_log() | {"cpu": {"temperature_c": 4_294_948.3, "load_percent": 99.0}}
    assert (await farm.report(rig, log)).json()["stored"] == 1
    shown = await latest(farm, f"{RIGS}/{rig.id}")
    assert shown["cpu"].get("temperature_c") is None
    assert (shown["cpu"]["load_percent"], shown["gpus"][0]["temperature_c"]) == (99.0, 64.0)
    kept = (await farm.get(f"{RIGS}/{rig.id}/logs")).json()["logs"][0]
    assert kept["cpu"]["temperature_c"] is None
    assert f"{METRIC} 1" in (await farm.get("/metrics")).text


async def test_an_asic_s_impossible_figures_do_not_cost_its_log(farm: Farm) -> None:
    asic = await farm.add_asic()
    log = an_asic_log(temperature_c=511, fans_rpm=[65_535, 5_880.0], power_w=-1, rejected_percent=101)
    assert (await farm.report_asic(asic, log))["stored"] == 1
    shown = await latest(farm, f"{ASICS}/{asic.id}")
    assert (shown["temperature_c"], shown["power_w"], shown["rejected_percent"]) == (None, None, None)
    assert shown["fans_rpm"] == [None, 5_880.0]
    assert shown["hashrate_hs"] == 110e12


async def test_specs_keep_what_can_be(farm: Farm) -> None:
    rig = await farm.add()
    specs = {"hostname": "x" * 300, "memory_bytes": 2**60, "cpu": {"name": "Ryzen", "cores": -1, "threads": 32}}
    assert (await farm.client.put(SPECS, json=specs, headers=rig.auth)).status_code == 204
    shown = (await farm.get(f"{RIGS}/{rig.id}")).json()["specs"]
    assert (shown["hostname"], shown["memory_bytes"]) == (None, None)
    assert shown["cpu"] == {"name": "Ryzen", "cores": None, "threads": 32}


async def test_an_asic_s_specs_keep_what_can_be(farm: Farm) -> None:
    asic = await farm.add_asic()
    told = await farm.report_asic(asic, an_asic_log(), specs={"make": "Antminer", "model": "S" * 300})
    assert (told["stored"], told["rejected"]) == (1, [])
    specs = (await farm.get(f"{ASICS}/{asic.id}")).json()["specs"]
    assert (specs["make"], specs["model"]) == ("Antminer", None)


async def test_an_item_that_cant_be_read_costs_no_other(farm: Farm) -> None:
    broken, good = await farm.add_asic("broken"), await farm.add_asic("good")
    items = [{"token": broken.token, "logs": 7}, {"token": good.token, "logs": [an_asic_log()]}]
    told = (await farm.report_asics(*items)).json()["results"]
    assert [each["stored"] for each in told] == [0, 1]
    assert [each["index"] for each in told[0]["rejected"]] == [-1]
    assert told[0]["error"] is None


async def test_half_a_character_costs_neither_the_report_nor_its_log(farm: Farm) -> None:
    r"""JSON can contain half a character, `\ud800`; no text can."""
    rig = await farm.add()
    answer = await sent(farm, rig, a_log(1) | {"lan_ip": "\ud800"}, a_log(2))
    assert (answer.status_code, answer.json()["stored"]) == (200, 2)


async def sent(farm: Farm, rig: Rig, *logs: object) -> httpx.Response:
    """Encodes as JSON, also `NaN`, which JSON does not have."""
    headers = rig.auth | {"Content-Type": "application/json"}
    return await farm.client.post(LOGS, content=json.dumps({"logs": logs}), headers=headers)


async def sent_of_asic(farm: Farm, asic: Rig, log: object) -> dict[str, Any]:
    body, headers = json.dumps({"items": [{"token": asic.token, "logs": [log]}]}), {"Content-Type": "application/json"}
    result: dict[str, Any] = (await farm.client.post(ASIC_LOGS, content=body, headers=headers)).json()["results"][0]
    return result


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.just("x" * 300),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
FIELDS = sorted(a_log().keys() - {"taken_at"})
ASIC_FIELDS = sorted(an_asic_log().keys() - {"taken_at"})


def with_value(log: dict[str, Any], field: str, value: object, *, deep: bool) -> dict[str, Any]:
    """The log with another value in this field; if `deep`, in a field of the first part that stands there."""
    log = copy.deepcopy(log)
    within: Any = log
    while deep and within[field] and isinstance(within[field], dict | list):
        inner = within[field] if isinstance(within[field], dict) else within[field][0]
        if not isinstance(inner, dict):
            break
        within, field = inner, sorted(inner)[len(field) % len(inner)]
    within[field] = value
    return log


@on_sqlite
@given(field=st.sampled_from(FIELDS), deep=st.booleans(), value=JSON_VALUES)
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_value_of_one_field_costs_a_log(farm: Farm, field: str, *, deep: bool, value: object) -> None:
    rig = await farm.add(f"rig-{len((await farm.get(RIGS)).json())}")
    answer = (await sent(farm, rig, with_value(a_log(), field, value, deep=deep))).json()
    assert (answer["stored"], answer["rejected"]) == (1, [])
    for page in (f"{RIGS}/{rig.id}", f"/cpu-gpu/{rig.id}", f"/cpu-gpu/{rig.id}/log"):
        assert (await farm.get(page)).status_code == 200


@on_sqlite
@given(field=st.sampled_from(ASIC_FIELDS), deep=st.booleans(), value=JSON_VALUES)
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_value_of_one_field_costs_an_asics_log(farm: Farm, field: str, *, deep: bool, value: object) -> None:
    asic = await farm.add_asic(f"asic-{len((await farm.get(ASICS)).json())}")
    result = await sent_of_asic(farm, asic, with_value(an_asic_log(), field, value, deep=deep))
    assert (result["error"], result["stored"], result["rejected"]) == (None, 1, [])
    for page in (f"{ASICS}/{asic.id}", f"/asics/{asic.id}", f"/asics/{asic.id}/log"):
        assert (await farm.get(page)).status_code == 200
