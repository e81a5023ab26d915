"""Looking through a network, and adopting what is there."""

import asyncio
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from asic_commander import SmallCommander, problem
from asic_sentry.addresses import BadAddress, Network
from asic_sentry.asics import store
from asic_sentry.asics.adoption import BadPattern, CannotAdopt, adopt, check_pattern, keys_of, name_for
from asic_sentry.asics.store import SCHEMA, STORE
from asic_sentry.connect import connect
from asic_sentry.failures import FailureKind, PollFailure
from asic_sentry.poll import Identity
from asic_sentry.scan import Scan, ScannedAsic, Scans
from fake_asics import make_asics, running
from protocol.asic_messages import AsicSpecs
from sentry_farm import BASE, Sentry
from sentry_kit import store as kit

PORTS = [4028 + BASE, 80 + BASE]


def scan_of(network: str, **options: float) -> Scan:
    cidr = Network(network)
    return Scan(
        cidr, len(cidr), ports=PORTS, per_s=options.get("per_s", 5000), at_once=int(options.get("at_once", 256))
    )


def found(ip: str, mac: str | None = None, **specs: Any) -> ScannedAsic:
    return ScannedAsic(Identity(ip=ip, port=4028, dialect="antminer", specs=AsicSpecs(**specs)), mac)


async def test_every_kind_is_found_and_only_asked_what_reads(network: str) -> None:
    kinds = ["antminer", "whatsminer", "whatsminer-v2", "avalon", "axeos", "iceriver"]
    faults = [("silent", 10), ("garbage", 10), ("error_status", 10)]
    async with running(make_asics(60, network, kinds, faults, BASE)) as farm:
        scan = scan_of(network)
        await scan.run()
    healthy = {asic.ip for asic in farm.asics if asic.fault is None}
    assert {each.identity.ip for each in scan.asics} == healthy
    assert [each.identity.ip for each in scan.asics] == [asic.ip for asic in farm.asics if asic.ip in healthy]
    assert (scan.done, scan.total, scan.is_busy) == (254, 254, False)
    assert {ip for ip, _ in scan.unclear} <= {asic.ip for asic in farm.asics if asic.fault == "error_status"}
    assert scan.unclear
    assert not farm.violations


async def test_it_stops_on_request_and_keeps_what_it_found(network: str) -> None:
    wide = network.replace("0/24", "0/20")
    async with running(make_asics(3, network, ["iceriver"], port_base=BASE)), asyncio.timeout(60):
        scan = scan_of(wide, per_s=200)
        scan.changed = lambda: scan.stop() if len(scan.asics) >= 3 else None
        await scan.run()
    assert scan.was_stopped
    assert scan.done < scan.total
    assert len(scan.asics) == 3


async def test_it_is_polite(network: str) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    scan = scan_of(network.replace("0/24", "0/27"), per_s=100)
    await scan.run()
    assert scan.done == 30
    assert loop.time() - began >= 0.28


async def test_a_second_scan_ends_the_first(network: str) -> None:
    scans, done = Scans(), asyncio.Event()
    scans.start(Network(network.replace("0/24", "0/20")), PORTS)
    first = scans.current
    async with asyncio.TaskGroup() as group:
        task = group.create_task(scans.run_for_ever())
        await asyncio.sleep(0)
        scans.start(Network(network.replace("0/24", "0/30")), PORTS)
        second = scans.current
        scans.changed = lambda: done.set() if second and not second.is_busy else None
        async with asyncio.timeout(30):
            await done.wait()
        task.cancel()
    assert first is not None
    assert first.was_stopped
    assert scans.network.endswith("/30")


@pytest.mark.parametrize(
    ("cidr", "addresses"),
    [("192.168.1.0/24", 254), ("192.168.1.77/24", 254), ("10.0.0.0/16", 65_534), ("10.0.0.4", 1), ("10.0.0.4/31", 2)],
)
def test_a_network_has_as_many_addresses_as_it_says(cidr: str, addresses: int) -> None:
    assert len(Network(cidr)) == addresses == len(list(Network(cidr)))


@pytest.mark.parametrize("cidr", ["10.0.0.0/15", "farm", "", "10.0.0.0/33", "::/0"])
def test_what_is_no_network_or_too_large_is_refused(cidr: str) -> None:
    with pytest.raises(BadAddress):
        Network(cidr)


async def test_a_site_token_adopts_all_at_once_and_polling_begins(
    sentry: Sentry, commander: SmallCommander, network: str
) -> None:
    async with running(make_asics(50, network, ["antminer", "iceriver"], port_base=BASE)):
        scan = scan_of(network)
        await scan.run()
        adopted = await adopt(sentry.path, scan.asics, "{model}", "tests")
        assert len(adopted) == 50
        assert {each.name for each in adopted[:4]} == {"S19 Pro", "KS5L", "S19 Pro-2", "KS5L-2"}
        await commander.until(lambda: all(rig.logs for rig in commander.rigs.values()) and len(commander.rigs) == 50)
        again = await adopt(sentry.path, scan.asics, "{model}", "tests")
    assert again == []
    assert commander.requests.count("POST /api/v1/sentry/asic-rigs") == 1


async def test_an_adoption_that_was_broken_off_makes_no_rig_twice(
    tmp_path: Path, commander: SmallCommander, network: str
) -> None:
    path = tmp_path / STORE
    await connect(path, commander.url, str(commander.site_token), "tests")
    some = [found("10.0.0.1", "02:00:00:00:00:01", model="S19"), found("10.0.0.2", model="S19")]
    await adopt(path, some, "{model}-{ip}", "tests")
    with closing(kit.open_store(path, SCHEMA)) as db:
        db.execute("DELETE FROM asic")  # as if it had been killed before the answer was stored
    assert [each.name for each in await adopt(path, some, "other", "tests")] == ["S19-10.0.0.1", "S19-10.0.0.2"]
    assert len(commander.rigs) == 2
    with closing(kit.open_store(path, SCHEMA)) as db:
        assert {asic.token.secret for asic in store.load_asics(db)} == set(commander.rigs)


async def test_one_that_is_listed_where_it_is_no_longer_is_adopted_as_itself(
    tmp_path: Path, commander: SmallCommander
) -> None:
    path = tmp_path / STORE
    await connect(path, commander.url, str(commander.site_token), "tests")
    await adopt(path, [found("10.0.0.1", "A", model="S19"), found("10.0.0.2", "B", model="S19")], "{ip}", "tests")
    with closing(kit.open_store(path, SCHEMA)) as db:
        dead = store.load_asics(db)[0]
        store.note_failure(db, dead.id, PollFailure(FailureKind.REFUSED, "off"), None)
        await adopt(path, [found("10.0.0.7", "A", model="S19"), found("10.0.0.8", "B", model="S19")], "{ip}", "tests")
        asics = {asic.ip: asic for asic in store.load_asics(db)}
    assert {ip: asic.rig.name for ip, asic in asics.items()} == {
        "10.0.0.2": "10.0.0.2",
        "10.0.0.7": "10.0.0.1",
        "10.0.0.8": "10.0.0.8",  # another device says the MAC of one that answers
    }
    assert (asics["10.0.0.7"].id, asics["10.0.0.7"].failure) == (dead.id, None)


async def test_adopting_needs_a_site_token_that_is_valid(tmp_path: Path, commander: SmallCommander) -> None:
    path = tmp_path / STORE
    for token in (None, str(commander.site_token)):
        await connect(path, commander.url, token, "tests")
        commander.refuses = lambda path: problem(401, "invalid_token") if path.endswith("rigs") else None
        with pytest.raises(CannotAdopt) as caught:
            await adopt(path, [found("10.0.0.1")], "{ip}", "tests")
        assert "site token" in str(caught.value)


def test_names_hold_what_is_known_and_fit() -> None:
    asic = found("10.0.0.1", "02:00:00:00:00:01", make="Antminer", model="S19 Pro", hostname="h")
    assert name_for(asic, "{model}-{ip}") == "S19 Pro-10.0.0.1"
    assert name_for(asic, "{make} {serial}") == "Antminer"
    assert name_for(found("10.0.0.1"), "{mac}{serial}") == "10.0.0.1"
    assert len(name_for(asic, "x" * 100)) == 64


@pytest.mark.parametrize("pattern", ["{", "{0}", "{password}", "{ip!r}", "{ip:>9}", "{ip.x}", "}"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(BadPattern):
        check_pattern(pattern)


def test_a_mac_that_several_have_is_nobodys_key() -> None:
    several = [found("10.0.0.1", "A"), found("10.0.0.2", "A"), found("10.0.0.3", "B"), found("10.0.0.4")]
    assert keys_of(several) == ["10.0.0.1", "10.0.0.2", "B", "10.0.0.4"]
