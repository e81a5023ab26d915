"""Reporting: the whole sentry before fake ASICs and a real HTTPS commander, through what goes wrong between them."""

from collections.abc import Callable

import pytest
from asic_commander import Rig as CommandersRig
from asic_commander import SmallCommander, answer, problem
from asic_sentry.asics import store
from asic_sentry.asics.asic import Override, Refusal, Rig
from fake_asics import make_asics, running
from protocol.asic_messages import AsicReceipt, PowerSource
from sentry_farm import BASE, Sentry
from sentry_kit import store as kit
from sentry_kit.store import State
from starlette.responses import Response


def each_has(rigs: dict[str, CommandersRig], logs: int) -> Callable[[], bool]:
    return lambda: all(len(rig.logs) >= logs for rig in rigs.values())


async def test_one_request_carries_many_asics_with_their_specs_once(
    sentry: Sentry, commander: SmallCommander, network: str
) -> None:
    async with running(make_asics(10, network, ["antminer", "iceriver"], port_base=BASE)) as farm:
        rigs = sentry.add(farm.asics, commander)
        await commander.until(each_has(rigs, 5))
    assert all(rig.specs and rig.specs.model in ("S19 Pro", "KS5L") for rig in rigs.values())
    assert {(rig.specs.nominal_hashrate_hs, rig.specs.nominal_power_w) for rig in rigs.values() if rig.specs} == {
        *((110e12, 3250), (12e12, 3400))
    }
    assert max(commander.items) > 1
    assert all(rig.duplicates == 0 for rig in rigs.values())
    assert all(log.lan_ip == ip for ip, rig in rigs.items() for log in rig.logs.values())
    assert sentry.agent.uploader.state is State.ONLINE


async def test_a_new_name_of_a_rig_is_kept_and_shown(sentry: Sentry, commander: SmallCommander, network: str) -> None:
    async with running(make_asics(1, network, ["iceriver"], port_base=BASE)) as farm:
        ip = farm.asics[0].ip
        rig = sentry.add(farm.asics, commander)[ip]
        await commander.until(lambda: bool(rig.logs))
        rig.name = "hall-2-ks-01"
        await sentry.until(lambda: sentry.device(ip).asic.rig.name == "hall-2-ks-01")
        await sentry.until(lambda: sentry.asic(ip).rig == Rig(rig.id, "hall-2-ks-01"))


async def test_an_invalid_token_concerns_its_asic_alone_and_its_logs_wait_for_the_new_one(
    sentry: Sentry, commander: SmallCommander, network: str
) -> None:
    async with running(make_asics(3, network, ["iceriver"], port_base=BASE)) as farm:
        rigs = sentry.add(farm.asics, commander)
        await commander.until(each_has(rigs, 2))
        ip, other = farm.asics[0].ip, farm.asics[1].ip
        rig = rigs[ip]
        commander.forget(rig)
        await sentry.until(lambda: sentry.asic(ip).refusal is Refusal.INVALID_TOKEN)
        before, others = sentry.device(ip).last_ms, len(rigs[other].logs)
        await sentry.until(lambda: sentry.device(ip).last_ms > before + 300)
        await commander.until(lambda: len(rigs[other].logs) > others + 2)
        assert sentry.agent.uploader.state is State.ONLINE
        held = sentry.db.execute("SELECT taken_at_ms FROM spool WHERE source = ?", (sentry.asic(ip).id,))
        waiting = {row[0] for row in held}
        assert len(waiting) >= 3
        commander.rigs[rig.token.secret] = rig
        sentry.give(ip, commander.renew(rig), Rig(rig.id, rig.name))
        await commander.until(lambda: waiting <= {round(at.timestamp() * 1000) for at in rig.logs})
    assert sentry.asic(ip).refusal is None
    moments = list(rig.logs)
    assert moments == sorted(moments)


async def test_an_asic_over_its_budget_keeps_its_token_and_its_logs_are_sent_later(
    sentry: Sentry, commander: SmallCommander, network: str
) -> None:
    async with running(make_asics(3, network, ["iceriver"], port_base=BASE)) as farm:
        rigs = sentry.add(farm.asics, commander)
        ip, other = farm.asics[0].ip, farm.asics[1].ip
        rigs[ip].is_over_budget = True
        commander.over_budget_for_s = 1  # of a report that has logs of this ASIC alone, as one may
        await commander.until(lambda: commander.over_budget >= 1 and len(rigs[other].logs) >= 2)
        others = len(rigs[other].logs)
        await commander.until(lambda: len(rigs[other].logs) > others + 2)
        assert sentry.device(ip).asic.refusal is sentry.asic(ip).refusal is None
        assert sentry.agent.uploader.state is State.ONLINE
        held = sentry.db.execute("SELECT taken_at_ms FROM spool WHERE source = ?", (sentry.asic(ip).id,))
        waiting = {row[0] for row in held}
        assert waiting
        rigs[ip].is_over_budget = False
        await commander.until(lambda: waiting <= {round(at.timestamp() * 1000) for at in rigs[ip].logs})


async def test_a_refused_report_of_asics_over_their_budgets_does_not_keep_the_others_waiting(
    sentry: Sentry, commander: SmallCommander, network: str
) -> None:
    async with running(make_asics(2, network, ["iceriver"], port_base=BASE)) as farm:
        first = sentry.add(farm.asics[:1], commander)
        first[farm.asics[0].ip].is_over_budget = True
        await commander.until(lambda: commander.over_budget >= 1)
        second = sentry.add(farm.asics[1:], commander)
        await commander.until(each_has(second, 3))
    assert commander.over_budget == 1, "it has not come back before the 300 s of the answer"


async def test_a_removed_rig_is_an_invalid_token_with_its_own_words(
    sentry: Sentry, commander: SmallCommander, network: str
) -> None:
    async with running(make_asics(2, network, ["iceriver"], port_base=BASE)) as farm:
        rigs = sentry.add(farm.asics, commander)
        await commander.until(each_has(rigs, 1))
        ip = farm.asics[0].ip
        rigs[ip].is_removed = True
        await sentry.until(lambda: sentry.asic(ip).refusal is Refusal.RIG_REMOVED)
        before = sentry.device(ip).last_ms
        await sentry.until(lambda: sentry.device(ip).last_ms > before)


async def test_a_report_shows_the_token_of_an_asic_that_is_not_refused(
    sentry: Sentry, commander: SmallCommander, network: str
) -> None:
    """A commander reads strangers' bodies last."""
    async with running(make_asics(2, network, ["iceriver"], port_base=BASE)) as farm:
        rigs = sentry.add(farm.asics, commander)
        await commander.until(each_has(rigs, 1))
        first, second = (rigs[asic.ip] for asic in farm.asics)
        assert set(commander.shown) == {first.token}
        first.is_removed = True
        await commander.until(lambda: commander.shown[-1] == second.token)


async def test_the_token_of_another_rig_does_not_bring_it_the_old_rig_s_logs(
    sentry: Sentry, commander: SmallCommander, network: str
) -> None:
    async with running(make_asics(1, network, ["iceriver"], port_base=BASE)) as farm:
        ip = farm.asics[0].ip
        old = sentry.add(farm.asics, commander)[ip]
        await commander.until(lambda: len(old.logs) >= 1)
        old.is_removed = True
        await sentry.until(lambda: sentry.asic(ip).refusal is not None)
        new = commander.add_rig("another")
        until_ms = sentry.device(ip).last_ms
        sentry.give(ip, new.token, Rig(new.id, new.name))
        await commander.until(lambda: len(new.logs) >= 1)
    assert all(at.timestamp() * 1000 > until_ms - 1 for at in new.logs)


async def test_a_token_that_is_valid_again_needs_nobody(
    sentry: Sentry, commander: SmallCommander, network: str
) -> None:
    """A commander that was restored from a backup."""
    async with running(make_asics(1, network, ["iceriver"], port_base=BASE)) as farm:
        ip = farm.asics[0].ip
        rig = sentry.add(farm.asics, commander)[ip]
        commander.forget(rig)
        await sentry.until(lambda: sentry.asic(ip).refusal is not None)
        commander.rigs[rig.token.secret] = rig
        await sentry.until(lambda: sentry.asic(ip).refusal is None)
        await commander.until(lambda: len(rig.logs) >= 2)


@pytest.mark.parametrize(
    "refusal",
    [
        lambda: Response("no upstream", 502),
        lambda: problem(503, "overloaded", **{"Retry-After": "0"}),
        lambda: problem(401, "invalid_token"),
        lambda: answer(AsicReceipt(results=[])),
        lambda: Response("<html>", 200),
    ],
    ids=["away", "busy", "unlikely", "nonsense", "a portal"],
)
async def test_after_an_outage_every_log_arrives_once_and_in_order(
    sentry: Sentry, commander: SmallCommander, network: str, refusal: Callable[[], Response]
) -> None:
    async with running(make_asics(4, network, ["iceriver"], port_base=BASE)) as farm:
        rigs = sentry.add(farm.asics, commander)
        await commander.until(each_has(rigs, 1))
        commander.refuses = lambda path: refusal() if path.endswith("logs") else None
        uploader, held = sentry.agent.uploader, (State.SPOOLING, State.INVALID_TOKEN)
        await sentry.until(lambda: len(sentry.agent.spool) > 20 and uploader.state in held)
        assert uploader.error
        commander.refuses = lambda _path: None
        await sentry.until(lambda: sentry.agent.uploader.state is State.ONLINE)
        stored = sum(len(rig.logs) for rig in rigs.values())
        await commander.until(lambda: sum(len(rig.logs) for rig in rigs.values()) > stored)
    for rig in rigs.values():
        moments = list(rig.logs)
        assert moments == sorted(moments)
        assert rig.duplicates == 0


async def test_a_batch_that_is_too_large_is_halved_and_nothing_is_lost(
    sentry: Sentry, commander: SmallCommander, network: str
) -> None:
    async with running(make_asics(6, network, ["iceriver"], port_base=BASE)) as farm:
        commander.refuses = lambda path: problem(503, "overloaded") if path.endswith("logs") else None
        rigs = sentry.add(farm.asics, commander)
        await sentry.until(lambda: len(sentry.agent.spool) > 30)
        asked = iter([problem(413, "too_large"), problem(422, "invalid")])
        commander.refuses = lambda path: next(asked, None) if path.endswith("logs") else None
        await commander.until(each_has(rigs, 6))
    assert kit.load_status(sentry.db).rejected_logs == 0


async def test_an_entered_wattage_is_reported_as_entered_and_a_coin_instead_of_the_usual(
    sentry: Sentry, commander: SmallCommander, network: str
) -> None:
    async with running(make_asics(2, network, ["iceriver", "whatsminer"], port_base=BASE)) as farm:
        rigs = sentry.add(farm.asics, commander)
        told, untold = rigs[farm.asics[1].ip], rigs[farm.asics[0].ip]
        await commander.until(each_has(rigs, 1))
        assert {log.power_w for log in untold.logs.values()} == {None}
        with kit.transaction(sentry.db):
            store.set_model_override(sentry.db, "iceriver ks5l", Override(3400.0, "Bugna"))
            store.set_model_override(sentry.db, "Whatsminer M30S++", Override(1.0, None))
        await commander.until(lambda: list(untold.logs.values())[-1].power_w == 3400.0)
        with kit.transaction(sentry.db):
            store.set_asic_override(sentry.db, farm.asics[0].ip, Override(3333.0, None))
        await commander.until(lambda: list(untold.logs.values())[-1].power_w == 3333.0)
    log = list(untold.logs.values())[-1]
    assert (log.power_source, log.coin) == (PowerSource.ENTERED, "Bugna")
    assert all((log.power_w or 0) > 3000 and log.power_source is PowerSource.REPORTED for log in told.logs.values())


async def test_a_removed_asic_is_no_longer_polled_and_leaves_no_logs(
    sentry: Sentry, commander: SmallCommander, network: str
) -> None:
    async with running(make_asics(2, network, ["iceriver"], port_base=BASE)) as farm:
        commander.refuses = lambda path: problem(503, "overloaded") if path.endswith("logs") else None
        sentry.add(farm.asics, commander)
        await sentry.until(lambda: len(sentry.agent.spool) > 6)
        with kit.transaction(sentry.db):
            store.remove_asic(sentry.db, farm.asics[0].ip)
        await sentry.until(lambda: len(sentry.agent.poller.devices) == 1)
        left = sentry.asic(farm.asics[1].ip).id
        await sentry.until(lambda: {row[0] for row in sentry.db.execute("SELECT source FROM spool")} == {left})


async def test_without_a_site_token_the_interval_is_learnt_from_an_asic_s_own(
    sentry: Sentry, commander: SmallCommander, network: str
) -> None:
    commander.report_every_s = 33.0
    commander.site_token = commander.add_rig("not a site").token
    async with running(make_asics(1, network, ["iceriver"], port_base=BASE)) as farm:
        rigs = sentry.add(farm.asics, commander)
        await sentry.until(lambda: sentry.agent.uploader.site_token_error is not None)
        await commander.until(each_has(rigs, 1))
    assert sentry.agent.uploader.welcome is not None
    assert sentry.agent.uploader.welcome.report_every_s == 33.0
