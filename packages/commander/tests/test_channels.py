"""`/api/v1/events`: scripts get the channels' messages as JSON, over a real WebSocket of the application."""

import json

import pytest
from commander.live.channels import MESSAGES_WAITING, ChannelEvent, Channels, is_channel
from commander_farm import ASICS, RIGS, S19_PRO, Farm, a_log, an_asic_log
from websockets import ConnectionClosed


@pytest.fixture
def farm(served_farm: Farm) -> Farm:
    return served_farm


INDEX = "cpu-gpu-mining-rig-index"
EVENTS = "/api/v1/events"


async def test_a_script_hears_what_happens_to_a_rig(farm: Farm) -> None:
    first = await farm.add("rig-01")
    names = f"{INDEX},cpu-gpu-mining-rig:{first.id},cpu-gpu-mining-rig-operation-stats:{first.id}"
    async with farm.socket(f"{EVENTS}?channels={names}", **farm.auth) as socket:
        second = await farm.add("rig-02")
        await farm.report(first, a_log())
        await farm.client.patch(f"{RIGS}/{first.id}", json={"name": "rig-one"}, headers=farm.auth)
        await farm.client.delete(f"{RIGS}/{first.id}", headers=farm.auth)
        heard = [json.loads(await socket.recv()) for _ in range(6)]
    assert [(message["channel"], message["event"], message["data"].get("id")) for message in heard] == [
        (INDEX, "created", second.id),
        (f"cpu-gpu-mining-rig-operation-stats:{first.id}", "created", None),
        (f"cpu-gpu-mining-rig:{first.id}", "updated", first.id),
        (INDEX, "updated", first.id),
        (f"cpu-gpu-mining-rig:{first.id}", "deleted", first.id),
        (INDEX, "deleted", first.id),
    ]
    assert heard[1]["data"]["cpu"]["temperature_c"] == 61.0
    assert heard[3]["data"]["name"] == "rig-one"


async def test_a_script_hears_what_happens_to_an_asic(farm: Farm) -> None:
    first, index = await farm.add_asic("asic-01"), "asic-mining-rig-index"
    names = f"{index},asic-mining-rig:{first.id},asic-mining-rig-operation-stats:{first.id},{INDEX}"
    async with farm.socket(f"{EVENTS}?channels={names}", **farm.auth) as socket:
        second = await farm.add_asic("asic-02")
        await farm.report_asic(first, an_asic_log(), specs=S19_PRO)
        await farm.client.patch(f"{ASICS}/{first.id}", json={"name": "asic-one"}, headers=farm.auth)
        await farm.client.delete(f"{ASICS}/{first.id}", headers=farm.auth)
        heard = [json.loads(await socket.recv()) for _ in range(7)]
    assert [(message["channel"], message["event"], message["data"].get("id")) for message in heard] == [
        (index, "created", second.id),
        (f"asic-mining-rig:{first.id}", "updated", first.id),
        (f"asic-mining-rig-operation-stats:{first.id}", "created", None),
        (f"asic-mining-rig:{first.id}", "updated", first.id),
        (index, "updated", first.id),
        (f"asic-mining-rig:{first.id}", "deleted", first.id),
        (index, "deleted", first.id),
    ]
    assert heard[1]["data"]["specs"]["model"] == "S19 Pro"
    assert heard[2]["data"]["boards"][2]["chips"] == 114
    assert heard[4]["data"]["name"] == "asic-one"


async def test_the_asics_figures_come_with_their_totals_and_faults(farm: Farm) -> None:
    asic = await farm.add_asic()
    channel = "asic-mining-rig-index-operation-stats"
    async with farm.socket(f"{EVENTS}?channels={channel}", **farm.auth) as socket:
        await farm.report_asic(asic, an_asic_log(faults=["fan"]))
        figures: dict[str, object] = {}
        while not figures:
            message = json.loads(await socket.recv())
            figures = next((one for one in message["data"]["rigs"] if one["power_w"]), {})
    assert message["data"]["totals"]["coins"][0]["hashrate_hs"] == 110e12
    assert (figures["power_w"], figures["fan_rpm"], figures["faults"]) == (3250.0, 6000.0, ["Fan fault"])


async def test_the_farms_figures_come_with_its_totals(farm: Farm) -> None:
    rig = await farm.add()
    channel = f"{INDEX}-operation-stats"
    async with farm.socket(f"{EVENTS}?channels={channel}", **farm.auth) as socket:
        await farm.report(rig, a_log(hashrate_hs=5.0))
        figures: dict[str, object] = {}
        while not figures:
            message = json.loads(await socket.recv())
            figures = next((one for one in message["data"]["rigs"] if one["power_w"]), {})
    assert message["data"]["totals"]["coins"][0]["hashrate_hs"] == 5.0
    assert figures["power_w"] == 200.0


@pytest.mark.parametrize(("channel", "key", "code"), [("nonsense", True, 4404), (INDEX, False, 4401)])
async def test_a_wrong_channel_or_no_key_is_hung_up(farm: Farm, channel: str, key: bool, code: int) -> None:
    headers = farm.auth if key else {}
    async with farm.socket(f"{EVENTS}?channels={channel}", **headers) as socket:
        with pytest.raises(ConnectionClosed) as hung_up:
            await socket.recv()
    assert hung_up.value.rcvd
    assert hung_up.value.rcvd.code == code


def test_the_eight_channels_have_their_names() -> None:
    for kind in ("cpu-gpu", "asic"):
        for name in ("index", "index-operation-stats"):
            assert is_channel(f"{kind}-mining-rig-{name}")
        assert is_channel(f"{kind}-mining-rig:7")
        assert is_channel(f"{kind}-mining-rig-operation-stats:7")
    for name in ("", "cpu-gpu-mining-rig", "cpu-gpu-mining-rig:", "cpu-gpu-mining-rig:x", "gpu-mining-rig-index"):
        assert not is_channel(name)


async def test_a_listener_who_does_not_read_is_hung_up_and_the_others_hear_on() -> None:
    channels = Channels()
    with channels.subscribed([INDEX]) as slow, channels.subscribed([INDEX]) as quick:
        for number in range(MESSAGES_WAITING + 1):
            channels.publish(INDEX, ChannelEvent.UPDATED, str(number).encode())
            assert json.loads(await quick.messages.get() or "")["data"] == number
        last = [slow.messages.get_nowait() for _ in range(slow.messages.qsize())][-1]
    assert last is None
    assert not channels.has_listeners(INDEX)
