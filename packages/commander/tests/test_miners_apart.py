"""Several miners on one rig have different names on its page and in history, and no total counts a proxy."""

import re

import httpx
import msgspec
from commander.readings.series import cpu_gpu_readings
from commander_farm import RIGS, Farm, a_log


def miner(port: int | None, rate: float, *, software: str = "trex", accepted: int = 10) -> dict[str, object]:
    work = {"algorithm": "kawpow", "coin": "Ravencoin", "hashrate_hs": rate, "accepted": accepted, "rejected": 0}
    card = {"device": "gpu0", "hashrates_hs": [rate], "temperature_c": rate / 1e6, "power_w": 100.0}
    told: dict[str, object] = {"software": software, "state": "mining", "algorithms": [work], "devices": [card]}
    return told if port is None else told | {"api_port": port}


def readings_of(*miners: dict[str, object]) -> dict[tuple[str, str | None], float]:
    body = msgspec.json.encode(a_log() | {"gpus": [], "cpu": None, "miners": list(miners)})
    return {(figure, device): value for (figure, device, _, _), value in cpu_gpu_readings(body).items()}


def test_one_miner_keeps_its_names_in_history() -> None:
    readings = readings_of(miner(4067, 60e6))
    assert readings["temperature_c", "gpu0"] == 60
    assert readings["accepted", "*trex"] == 10


def test_two_of_one_software_have_cards_and_counters_of_their_own() -> None:
    readings = readings_of(miner(4067, 60e6, accepted=10), miner(4068, 40e6, accepted=7))
    assert readings["temperature_c", "gpu0 of trex:4067"] == 60
    assert readings["temperature_c", "gpu0 of trex:4068"] == 40
    assert (readings["power_w", None], readings["hashrate_hs", None]) == (200, 100e6)
    assert (readings["accepted", "*trex:4067"], readings["accepted", "*trex:4068"]) == (10, 7)
    silent = {"software": "trex", "state": "api_silent", "api_port": 4067}
    assert readings_of(silent, miner(4068, 40e6, accepted=7))["accepted", "*trex:4068"] == 7


def test_cards_of_two_programs_that_name_no_place_are_two() -> None:
    readings = readings_of(miner(4067, 60e6), miner(4028, 40e6, software="teamredminer"), miner(1, 5e6, software="x"))
    assert [device for figure, device in readings if figure == "temperature_c" and device] == [
        "gpu0 of trex", "gpu0 of teamredminer", "gpu0 of x",
    ]  # fmt: skip


async def test_two_miners_cards_stand_apart_on_the_rig_s_page(person: httpx.AsyncClient, farm: Farm) -> None:
    rig = await farm.add()
    await farm.report(rig, a_log() | {"gpus": [], "miners": [miner(4067, 60e6), miner(4068, 40e6)]})
    html = (await person.get(f"/cpu-gpu/{rig.id}")).text
    for words in ("gpu0 of trex:4067", "gpu0 of trex:4068", "trex on port 4067", "60.0 MH/s", "40.0 MH/s"):
        assert words in html, words
    assert re.search(r'data-figure="power" title="[^"]+">200 W<', html)


async def test_a_proxy_is_shown_and_no_total_counts_it(person: httpx.AsyncClient, farm: Farm) -> None:
    rig, behind = await farm.add("proxy"), await farm.add("behind")
    work = {"algorithm": "rx/0", "coin": "Monero", "hashrate_hs": 52_250.0, "accepted": 9, "rejected": 0}
    proxy = {"software": "xmrig-proxy", "state": "mining", "api_port": 8181, "algorithms": [work]}
    await farm.report(rig, a_log() | {"miners": [proxy]})
    await farm.report(behind, a_log(hashrate_hs=17_000.0))
    html = (await person.get(f"/cpu-gpu/{rig.id}")).text
    assert "52.2 kH/s" in html or "52.3 kH/s" in html
    assert "no total counts it" in html
    (coin,) = (await farm.get("/api/v1/cpu-gpu-stats")).json()["coins"]
    assert (coin["coin"], coin["hashrate_hs"], coin["rigs"]) == ("Monero", 17_000.0, 1)
    history = (await farm.get(f"{RIGS}/{rig.id}/history?figures=hashrate_hs,accepted")).json()
    assert history["series"] == []
