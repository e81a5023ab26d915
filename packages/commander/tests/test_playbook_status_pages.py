"""Pages about a playbook on its rig: its state, its output and the wallet guard."""

import httpx
from commander_farm import Farm, Rig, a_log
from pages import page
from playbook_farm import MONERO, OTHER_MONERO, PLAYBOOKS, Json, Playbooks, a_status


async def told(farm: Farm, playbooks: Playbooks, **more: object) -> tuple[Rig, Json]:
    rig = await farm.add("rig-07")
    added = await playbooks.add(rig, name="Main")
    await playbooks.tell(rig, a_status(added, **more))  # type: ignore[arg-type]  # the state among them
    return rig, added


async def test_a_failed_playbook_is_seen_from_the_index_on(
    person: httpx.AsyncClient, farm: Farm, playbooks: Playbooks
) -> None:
    lines = ["no GPU found", "<b>exiting</b>"]
    rig, added = await told(farm, playbooks, state="failed", reason="exit code 1", last_lines=lines)
    index = await page(person, "/cpu-gpu")
    assert f'<a class="state bad" href="/cpu-gpu/{rig.id}/playbooks">Playbook failed: Main</a>' in index
    for path in (f"/cpu-gpu/{rig.id}", f"/cpu-gpu/{rig.id}/playbooks", f"/cpu-gpu/{rig.id}/playbooks/{added['id']}"):
        html = await page(person, path)
        assert '<span class="state bad">Failed</span>' in html, path
        assert "exit code 1" in html
    assert "no GPU found\n&lt;b&gt;exiting" in html


async def test_what_it_is_doing_is_said_in_words(person: httpx.AsyncClient, farm: Farm, playbooks: Playbooks) -> None:
    rig, added = await told(farm, playbooks, state="downloading", percent=42.4)
    assert "Downloading 42 %" in await page(person, f"/cpu-gpu/{rig.id}")
    await playbooks.tell(rig, a_status(added, "restarting", reason="0 H/s for 10 min", restarts=2))
    assert "0 H/s for 10 min" in await page(person, f"/cpu-gpu/{rig.id}/playbooks")
    await playbooks.post(f"{PLAYBOOKS}/{added['id']}/pause", None, status=200)
    html = await page(person, f"/cpu-gpu/{rig.id}/playbooks")
    assert "To be paused" in html
    assert "Change not applied yet" in html


async def test_what_the_software_prints_is_text_and_survives_a_reload(
    person: httpx.AsyncClient, farm: Farm, playbooks: Playbooks
) -> None:
    rig, added = await told(farm, playbooks, state="mining")
    await playbooks.print(rig, added["id"], [f"<i>line {number}" for number in range(150)])
    for path in (f"/cpu-gpu/{rig.id}", f"/cpu-gpu/{rig.id}/playbooks/{added['id']}"):
        html = await page(person, path)
        assert "&lt;i&gt;line 149</code>" in html
        assert "line 49\n" not in html


async def test_the_wallet_guard_speaks_up(person: httpx.AsyncClient, farm: Farm, playbooks: Playbooks) -> None:
    rig, added = await told(farm, playbooks, state="mining")
    reading = {"algorithm": "rx/0", "hashrate_hs": 1.0, "pool": "pool.example:3333", "user": f"{MONERO}.rig-07"}
    miner = {"software": "xmrig", "state": "mining", "playbook_id": str(added["id"]), "algorithms": [reading]}
    await farm.report(rig, a_log(2) | {"miners": [miner]})
    assert "does not mine what it should" not in await page(person, f"/cpu-gpu/{rig.id}")
    thief = {**miner, "algorithms": [reading | {"user": OTHER_MONERO, "pool": "evil.example:1"}]}
    await farm.report(rig, a_log() | {"miners": [thief]})
    for path in (f"/cpu-gpu/{rig.id}", f"/cpu-gpu/{rig.id}/playbooks"):
        html = await page(person, path)
        assert "Main does not mine what it should" in html
        assert OTHER_MONERO in html
        assert "evil.example:1" in html


async def test_the_wallet_guard_says_what_it_can_not_see(
    person: httpx.AsyncClient, farm: Farm, playbooks: Playbooks
) -> None:
    rig, added = await told(farm, playbooks, state="mining")
    path = f"/cpu-gpu/{rig.id}/playbooks/{added['id']}"
    miner = {"software": "xmrig", "state": "mining", "playbook_id": str(added["id"])}
    await farm.report(rig, a_log() | {"miners": [miner | {"algorithms": [{"algorithm": "rx/0", "hashrate_hs": 1.0}]}]})
    assert "Not reported by the software.</dd>" in await page(person, path)
    await playbooks.tell(rig, a_status(added, "mining", wallet_evidence="arguments"))
    html = await page(person, path)
    assert "The arguments of its process have the playbook" in html
    assert "does not mine what it should" not in html
    await playbooks.tell(rig, a_status(added, "mining", wallet_evidence="neither"))
    html = await page(person, path)
    assert "does not mine what it should" in html
    assert f'names the playbook\'s wallet <b class="wrap">{MONERO}</b>' in html
    assert (await playbooks.get(f"{PLAYBOOKS}/{added['id']}"))["status"]["wallet_evidence"] == "neither"


async def test_a_script_without_the_wallet_is_no_alarm(
    person: httpx.AsyncClient, farm: Farm, playbooks: Playbooks
) -> None:
    rig = await farm.add()
    added = await playbooks.add(rig, script="./{executable} --config mine.json --port {api_port}")
    await playbooks.tell(rig, a_status(added, "mining", wallet_evidence="neither"))
    miner = {"software": "xmrig", "state": "mining", "playbook_id": str(added["id"])}
    await farm.report(rig, a_log() | {"miners": [miner | {"algorithms": [{"algorithm": "rx/0", "hashrate_hs": 1.0}]}]})
    assert "does not mine what it should" not in await page(person, f"/cpu-gpu/{rig.id}")


async def test_a_rig_that_turns_out_to_run_windows_says_so(
    person: httpx.AsyncClient, farm: Farm, playbooks: Playbooks
) -> None:
    rig, _ = await told(farm, playbooks, state="failed")
    await farm.client.put("/api/v1/sentry/specs", json={"os": "Windows 11"}, headers=rig.auth)
    assert "this rig runs Windows" in await page(person, f"/cpu-gpu/{rig.id}/playbooks")
