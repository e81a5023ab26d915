"""Each alert rule fires for its trouble and not for a near one, and unknown values neither fire nor clear."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from commander.alert_rules.view import Usual
from commander.db import Database
from commander.incidents.domain import Phase
from commander.live.playbooks import PlaybookNow
from commander.readings.faults import Fault
from commander.readings.severity import Severity
from commander.registry.kinds import RigKind
from commander.watchdog.domain import GivenUp
from commander_farm import a_log, on_sqlite
from engine_farm import ASIC, CPU_GPU, EngineFarm
from playbook_farm import MONERO, OTHER_MONERO
from protocol.playbook_messages import (
    Archive,
    Platform,
    Playbook,
    PlaybookState,
    PlaybookStatus,
    PlaybookWork,
    SoftwarePackage,
)

pytestmark = on_sqlite
Log = Mapping[str, Any]
BOARD: dict[str, Any] = {
    "slot": 1,
    "hashrate_hs": 36.7e12,
    "chip_temperature_c": 66.0,
    "chips": 114,
    "expected_chips": 114,
}
POOL = {"url": "stratum+tcp://pool.example:3333", "user": "farm.s19", "state": "connected"}


@pytest.fixture
async def farm(database: Database) -> EngineFarm:
    farm = EngineFarm(database)
    await farm.begin()
    return farm


def gpu(**values: object) -> Log:
    card = {"pci_address": "0000:03:00.0", "temperature_c": 64.0, "fan_percent": 70.0, "power_w": 200.0}
    return {"gpus": [card | values]}


def cpu(temperature_c: float | None) -> Log:
    return {"cpu": {"temperature_c": temperature_c}}


def miner(state: str = "mining", **values: object) -> Log:
    work = {"algorithm": "rx/0", "coin": "Monero", "hashrate_hs": 17_000.0, "accepted": 990, "rejected": 1}
    return {"miners": [{"software": "xmrig", "state": state, "algorithms": [work | values]}]}


def answering(trouble: str, state: str = "api_silent") -> Log:
    return {"miners": [{"software": "xmrig", "state": state, "trouble": trouble, "algorithms": []}]}


def board(**values: object) -> Log:
    hottest_c = max(value for name, value in (BOARD | values).items() if name.endswith("_c") and value is not None)
    return {"boards": [BOARD | values, BOARD | {"slot": 2}], "temperature_c": hottest_c}


# Rule, kind, a log that fires it, for how many seconds at least, and a log near it that does not.
FIRING = [
    pytest.param("temperature", CPU_GPU, gpu(temperature_c=80.0), 120, gpu(temperature_c=79.9), id="GPU"),
    pytest.param(
        "temperature", CPU_GPU, gpu(memory_temperature_c=100.0), 120, gpu(memory_temperature_c=99.0), id="GPU memory"
    ),
    pytest.param("temperature", CPU_GPU, cpu(90.0), 120, cpu(89.0), id="CPU"),
    pytest.param("temperature", ASIC, board(chip_temperature_c=85.0), 120, board(chip_temperature_c=84.0), id="board"),
    pytest.param(
        "temperature",
        ASIC,
        board(outlet_temperature_c=95.0),
        120,
        board(outlet_temperature_c=75.0, chip_temperature_c=90.0),
        id="board, not its chips",
    ),
    pytest.param("fan", CPU_GPU, gpu(fan_percent=0.0), 120, gpu(fan_percent=0.0, temperature_c=60.0), id="fan 0 %"),
    pytest.param("fan", CPU_GPU, gpu(fan_percent=None, fan_rpm=0.0), 120, gpu(fan_percent=None), id="fan 0 rpm"),
    pytest.param("fan", ASIC, {"fans_rpm": [6000, 0, 5000]}, 120, {"fans_rpm": [0, 0, 0]}, id="ASIC fan"),
    pytest.param("no_hashrate", CPU_GPU, miner(hashrate_hs=0), 300, miner(hashrate_hs=None), id="0 H/s"),
    pytest.param("no_hashrate", CPU_GPU, miner("api_silent"), 300, miner("starting"), id="API silent"),
    pytest.param("no_hashrate", CPU_GPU, answering("access_denied"), 300, miner("starting"), id="wants a token"),
    pytest.param("no_hashrate", CPU_GPU, answering("unreadable"), 300, miner("starting"), id="can't be read"),
    pytest.param(
        *("no_hashrate", CPU_GPU, answering("no_job", "starting"), 300, miner("starting")), id="no job from the pool"
    ),
    pytest.param("no_hashrate", CPU_GPU, miner("failed"), 300, miner("unknown"), id="miner failed"),
    pytest.param("no_hashrate", CPU_GPU, {"miners": []}, 300, miner(), id="no miner"),
    pytest.param("no_hashrate", ASIC, {"hashrate_hs": 0}, 300, {"hashrate_hs": None}, id="ASIC 0 H/s"),
    pytest.param("device_lost", ASIC, board(chips=100), 60, board(chips=None), id="chips lost"),
    pytest.param("device_lost", ASIC, board(hashrate_hs=0), 60, board(hashrate_hs=None), id="board lost"),
    pytest.param("disk", CPU_GPU, {"disk_problem": "0.4 GB of 60 GB are free"}, 300, {"disk_problem": None}, id="disk"),
    pytest.param("asic_fault", ASIC, {"faults": ["network"]}, 60, {"faults": []}, id="ASIC fault"),
]


@pytest.mark.parametrize(("rule", "of", "bad", "after_s", "near"), FIRING)
async def test_a_rule_fires_for_its_trouble_and_not_for_a_near_one(
    farm: EngineFarm, rule: str, of: RigKind, bad: Log, after_s: float, near: Log
) -> None:
    rig, other = farm.add(of), farm.add(of)
    for seconds in range(0, int(after_s) + 60, 5):
        farm.pass_time(5)
        farm.report(rig, of, 0, **bad)
        farm.report(other, of, 0, **near)
        await farm.round()
        fired = [each for each in await farm.conditions() if each.is_open]
        assert bool(fired) is (seconds >= after_s), seconds
    (condition,) = await farm.conditions()
    assert (condition.key.rule, condition.key.rig_id) == (rule, rig.id)
    (incident,) = await farm.open()
    assert incident.rule == rule


async def test_a_lost_card_is_one_of_the_specs(farm: EngineFarm) -> None:
    cards = [{"pci_address": f"0000:0{number}:00.0", "name": "RTX 3080"} for number in (3, 4)]
    lacking, whole = farm.add(gpus=cards), farm.add(gpus=cards[:1])
    await farm.run(90, [lacking, whole])
    (condition,) = await farm.conditions()
    assert (condition.key.rule, condition.name, condition.value) == ("device_lost", lacking.name, "GPU lost: 1 of 2")


async def test_a_cooler_card_clears_five_kelvin_below_the_limit(farm: EngineFarm) -> None:
    rig = farm.add()
    await farm.run(150, [rig], **gpu(temperature_c=86.0))
    await farm.run(600, [rig], **gpu(temperature_c=76.0))
    assert [each.phase for each in await farm.conditions()] == [Phase.FIRING]
    await farm.run(200, [rig], **gpu(temperature_c=75.0))
    assert [each.phase for each in await farm.conditions()] == [Phase.CLEARING]
    await farm.run(120, [rig], **gpu(temperature_c=75.0))
    assert await farm.conditions() == []
    assert farm.events() == ["opened", "closed"]


@pytest.mark.parametrize(
    ("shares", "refused", "fires"),
    [
        pytest.param(200, 66, "critical", id="33 % of 200"),
        pytest.param(200, 16, "warning", id="8 % of 200, surely 5 %"),
        pytest.param(20, 2, None, id="2 of 20 is surely only 2.8 %"),
        pytest.param(1_000, 20, None, id="2 % of 1,000"),
    ],
)
async def test_rejected_shares_count_by_what_is_sure(
    farm: EngineFarm, shares: int, refused: int, fires: str | None
) -> None:
    rig = farm.add()
    before = miner(accepted=100_000, rejected=10)
    await farm.run(60, [rig], **before)
    after = miner(accepted=100_000 + shares - refused, rejected=10 + refused // 2, stale=refused - refused // 2)
    await farm.run(130, [rig], **after)
    assert [each.severity.value for each in await farm.conditions() if each.key.rule == "rejected"] == (
        [fires] if fires else []
    )


async def test_rejected_shares_of_an_hour_ago_do_not_count(farm: EngineFarm) -> None:
    rig = farm.add()
    await farm.run(60, [rig], **miner(accepted=1_000, rejected=0))
    await farm.run(130, [rig], **miner(accepted=1_100, rejected=100))
    assert [each.phase for each in await farm.conditions()] == [Phase.FIRING]
    for minute in range(45):
        await farm.run(60, [rig], **miner(accepted=1_200 + 100 * minute, rejected=100))
    assert await farm.conditions() == []


async def test_a_rig_whose_shares_are_never_accepted(farm: EngineFarm) -> None:
    rig, other = farm.add(), farm.add()
    for minute in range(20):
        farm.pass_time(60)
        farm.report(rig, CPU_GPU, 0, **miner(accepted=50, rejected=0))
        farm.report(other, CPU_GPU, 0, **miner(accepted=50 + minute // 10, rejected=0))
        await farm.round()
    assert [(each.key.rule, each.name) for each in await farm.conditions()] == [("no_shares", rig.name)]


async def test_a_rig_with_few_shares_may_wait_ten_of_its_own_gaps(farm: EngineFarm) -> None:
    rig = farm.add()
    for minute in range(30):  # one share in five minutes
        await farm.run(60, [rig], **miner(accepted=50 + minute // 5, rejected=0))
    await farm.run(1_200, [rig], **miner(accepted=55, rejected=0))
    assert await farm.conditions() == []


@pytest.mark.parametrize(
    ("hashrate_hs", "severity"), [(17_000.0, None), (15_400.0, None), (15_200.0, "warning"), (11_800.0, "critical")]
)
async def test_a_low_hashrate_is_measured_by_what_is_usual_for_the_rig(
    farm: EngineFarm, hashrate_hs: float, severity: str | None
) -> None:
    rig, new = farm.add(), farm.add()
    farm.engine.evaluation.usual = {(CPU_GPU, rig.id): Usual(hashrates_hs={"rx/0": 17_000.0})}
    log = a_log(hashrate_hs=hashrate_hs)
    for _ in range(140):
        farm.pass_time(5)
        for state in (rig, new):
            farm.report(state, CPU_GPU, 0, cpu=log["cpu"], gpus=log["gpus"], **miner_of(farm, hashrate_hs))
        await farm.round()
    found = [(each.name, each.severity.value) for each in await farm.conditions() if each.is_open]
    assert found == ([(rig.name, severity)] if severity else [])


def miner_of(farm: EngineFarm, hashrate_hs: float) -> Log:
    """A miner whose shares are accepted."""
    return miner(hashrate_hs=hashrate_hs, accepted=int(farm.now_s / 5), rejected=0)


@pytest.mark.parametrize(("power_w", "fires"), [(249.0, False), (250.0, True)])
async def test_more_power_than_usual(farm: EngineFarm, power_w: float, fires: bool) -> None:
    rig = farm.add()
    farm.engine.evaluation.usual = {(CPU_GPU, rig.id): Usual(power_w=200.0)}
    await farm.run(330, [rig], **gpu(power_w=power_w))
    assert [each.key.rule for each in await farm.conditions()] == (["power"] if fires else [])


async def test_two_sentries_and_a_wrong_clock(farm: EngineFarm) -> None:
    first, second, well = farm.add(), farm.add(), farm.add()
    farm.lives[CPU_GPU].index.set_two_sentries(first.id, True, at=farm.now)
    farm.lives[CPU_GPU].index.set_wrong_clock(second.id, True, at=farm.now)
    await farm.run(320, [first, well])
    assert sorted((each.key.rule, each.name) for each in await farm.conditions()) == [
        ("clock", second.name),
        ("two_sentries", first.name),
    ]


async def test_a_clock_that_is_always_ten_minutes_slow_is_no_spool(farm: EngineFarm) -> None:
    rig = farm.add()
    for _ in range(130):
        farm.pass_time(5)
        farm.report(rig, CPU_GPU, 600)
        await farm.round()
    (condition,) = await farm.conditions()
    assert (condition.key.rule, condition.value) == ("clock", "its clock is 10 min slow")


async def test_a_spool_that_does_not_become_shorter(farm: EngineFarm) -> None:
    rig = farm.add()
    for number in range(100):
        farm.pass_time(5)
        farm.report(rig, CPU_GPU, 1_000 + (number % 20) * 4)
        await farm.round()
    assert {each.key.rule for each in await farm.conditions()} <= {"spool", "clock"}
    assert any(each.is_open for each in await farm.conditions())


async def test_a_watchdog_that_gave_up_until_the_rig_mines_again(farm: EngineFarm) -> None:
    rig, well = farm.add(), farm.add()
    given_up = GivenUp("2 reboots in 24 h", farm.now)
    farm.engine.evaluation.gave_up = {rig.id: given_up, well.id: given_up}
    farm.report(rig, CPU_GPU, 0, miners=[])
    farm.report(well)
    await farm.round()
    found = [each for each in await farm.conditions() if each.key.rule == "watchdog_gave_up"]
    assert [(each.name, each.phase, each.value) for each in found] == [(rig.name, Phase.FIRING, "2 reboots in 24 h")]


async def test_a_rule_of_ones_own(farm: EngineFarm) -> None:
    low, high, unknown, other = (farm.add() for _ in range(4))
    for state in (low, high, unknown):
        state.tags = ("hall:2",)
    await farm.add_rule("power<100W", select="tag:hall:2", for_s=60.0)
    for _ in range(20):
        farm.pass_time(5)
        for state, power_w in ((low, 99.0), (high, 100.0), (unknown, None), (other, 50.0)):
            farm.report(state, CPU_GPU, 0, **gpu(power_w=power_w))
        await farm.round()
    assert [(each.name, each.key.rule) for each in await farm.conditions()] == [(low.name, "power<100W")]
    (incident,) = await farm.open()
    assert incident.title == f"{low.name} breaks the rule power<100W"


async def test_limits_for_the_rigs_of_a_selection(farm: EngineFarm) -> None:
    rig, other = farm.add(), farm.add()
    rig.tags = ("hall:2",)
    await farm.add_rule("temperature", sensor="gpu", select="tag:hall:2", critical=60.0, for_s=0.0)
    await farm.run(20, [rig, other])
    assert [(each.name, each.severity.value) for each in await farm.conditions()] == [(rig.name, "critical")]


async def test_a_rule_without_a_sensor_holds_for_all_sensors_until_a_newer_one(farm: EngineFarm) -> None:
    await farm.add_rule("temperature", critical=99.0)
    await farm.run(10, [farm.add()], **gpu(temperature_c=90.0))
    assert await farm.conditions() == []
    await farm.add_rule("temperature", sensor="gpu", critical=85.0)
    await farm.run(20, farm.lives[CPU_GPU].index.rigs.values(), **gpu(temperature_c=90.0, memory_temperature_c=98.0))
    assert [each.key.device for each in await farm.conditions()] == ["0000:03:00.0"]


async def test_the_commander_itself(farm: EngineFarm) -> None:
    farm.problems = {"disk": "The commander's disk is nearly full"}
    await farm.run(110)
    assert [(news.event.value, news.title) for news in farm.outbox.news] == [
        ("opened", "The commander's disk is nearly full")
    ]
    farm.problems = {}
    await farm.run(320)
    assert farm.events() == ["opened", "closed"]


async def test_a_failed_playbook_and_another_wallet_are_told_at_once(farm: EngineFarm) -> None:
    rig = farm.add()
    farm.report(rig)
    rig.faults = (Fault("wallet", "Wallet differs"), Fault("playbook_failed", "Playbook failed: Main"))
    farm.pass_time(5)
    await farm.round()
    assert {(each.key.rule, each.phase, each.value) for each in await farm.conditions()} == {
        ("wallet", Phase.FIRING, "Wallet differs"),
        ("playbook_failed", Phase.FIRING, "Playbook failed: Main"),
    }
    assert farm.now - (await farm.open())[0].opened_at < timedelta(seconds=10)


def a_playbook(farm: EngineFarm, state: PlaybookState) -> PlaybookNow:
    """A playbook of an hour ago that mines Monero, in this state."""
    works = [PlaybookWork(algorithm="rx/0", pool="pool.example:3333", user=MONERO)]
    package = SoftwarePackage(
        software="xmrig", version="6", url="https://x.example/a", archive=Archive.ZIP, executable="x"
    )
    wire = Playbook(
        id="1", name="Main", revision=1, package=package, platform=Platform.LINUX, script="./x", works=works
    )
    playbook = PlaybookNow(1, wire, changed_at=farm.now - timedelta(hours=1))
    playbook.status = PlaybookStatus(playbook_id="1", revision=1, state=state)
    return playbook


def of_playbook(user: str, pool: str) -> Log:
    work = {"algorithm": "rx/0", "hashrate_hs": 17_000.0, "pool": pool, "user": user, "accepted": 5, "rejected": 0}
    return {"miners": [{"software": "xmrig", "state": "mining", "playbook_id": "1", "algorithms": [work]}]}


@pytest.mark.parametrize(
    ("user", "pool", "value"),
    [
        pytest.param(OTHER_MONERO, "pool.example:3333", "Wallet differs", id="another wallet"),
        pytest.param(MONERO, "thief.example:3333", "Pool differs", id="another pool"),
        pytest.param(f"{MONERO}.rig-01", "stratum+tcp://pool.example:3333", None, id="the same with a worker's name"),
        pytest.param(MONERO, "POOL.example:3333", None, id="the same pool in capitals"),
    ],
)
async def test_another_wallet_or_pool_than_the_playbooks(
    farm: EngineFarm, user: str, pool: str, value: str | None
) -> None:
    rig = farm.add()
    farm.lives[CPU_GPU].index.set_playbooks(rig.id, [a_playbook(farm, PlaybookState.MINING)])
    await farm.run(20, [rig], **of_playbook(user, pool))
    found = [each.value for each in await farm.conditions() if each.key.rule == "wallet" and each.is_open]
    assert found == ([value] if value else [])


@pytest.mark.parametrize(
    ("state", "fires"),
    [(PlaybookState.FAILED, True), (PlaybookState.STARTING, False), (PlaybookState.PAUSED, False)],
)
async def test_a_playbook_that_failed_and_one_that_only_starts(
    farm: EngineFarm, state: PlaybookState, fires: bool
) -> None:
    rig = farm.add()
    farm.lives[CPU_GPU].index.set_playbooks(rig.id, [a_playbook(farm, state)])
    await farm.run(20, [rig], **of_playbook(MONERO, "pool.example:3333"))
    found = [each.value for each in await farm.conditions() if each.key.rule == "playbook_failed" and each.is_open]
    assert found == (["Playbook failed: Main"] if fires else [])


@pytest.mark.parametrize(("lag_s", "fires"), [(280.0, False), (320.0, True)])
async def test_a_slow_clock_near_the_limit(farm: EngineFarm, lag_s: float, fires: bool) -> None:
    rig = farm.add()
    for _ in range(130):
        farm.pass_time(5)
        farm.report(rig, CPU_GPU, lag_s)
        await farm.round()
    assert [each.key.rule for each in await farm.conditions()] == (["clock"] if fires else [])


async def test_logs_that_are_a_little_late_are_no_spool(farm: EngineFarm) -> None:
    rig = farm.add()
    for number in range(100):
        farm.pass_time(5)
        farm.report(rig, CPU_GPU, 200 + (number % 20) * 4)
        await farm.round()
    assert await farm.conditions() == []


async def test_a_commander_problem_of_less_than_a_minute_is_not_told(farm: EngineFarm) -> None:
    farm.problems = {"jobs": "The commander's jobs are late: x"}
    await farm.run(50)
    farm.problems = {}
    await farm.run(120)
    assert farm.events() == []


async def test_a_rig_without_a_condition_of_ones_own_rule_at_its_limit(farm: EngineFarm) -> None:
    rig = farm.add()
    await farm.add_rule("temperature>64", for_s=0.0)
    await farm.run(20, [rig], **gpu(temperature_c=64.0), **cpu(60.0))
    assert await farm.conditions() == []
    await farm.run(20, [rig], **gpu(temperature_c=64.5), **cpu(60.0))
    assert [each.key.rule for each in await farm.conditions()] == ["temperature>64"]


@pytest.mark.parametrize(
    ("pools", "value"),
    [
        pytest.param([POOL], None, id="the allowed one, with a worker"),
        pytest.param([POOL | {"url": "stratum+tcp://POOL.example"}], None, id="without its port, in capitals"),
        pytest.param([POOL, POOL | {"url": "spare.example:1", "user": "any"}], None, id="a spare with any account"),
        pytest.param([POOL | {"user": None}], None, id="an unknown account"),
        pytest.param([POOL | {"user": "thief.s19"}], "Wallet differs", id="another account"),
        pytest.param([POOL, {"url": "thief.example:3333"}], "Pool differs: thief.example:3333", id="another spare"),
        pytest.param([], None, id="no pool is known"),
    ],
)
async def test_an_asic_may_mine_to_allowed_pools_only(farm: EngineFarm, pools: list[Log], value: str | None) -> None:
    rig, other = farm.add(ASIC), farm.add(ASIC)
    rig.tags = ("owner:anna",)
    allowed = "farm@pool.example:3333, spare.example"
    await farm.add_rule("wallet", select="tag:owner:anna", severity=Severity.CRITICAL, allowed=allowed)
    await farm.run(20, [rig, other], ASIC, pools=pools)
    found = [(each.name, each.value) for each in await farm.conditions() if each.key.rule == "wallet" and each.is_open]
    assert found == ([(rig.name, value)] if value else [])
