"""ASICs that got another address: found by their MAC, in the kernel's table or by looking around."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from asic_commander import SmallCommander
from asic_sentry.arp import macs_by_ip
from asic_sentry.failures import FailureKind
from asic_sentry.poll import Identity
from asic_sentry.relocate import Relocator, relocations
from asic_sentry.scan import ScannedAsic
from fake_asics import FakeAsic, make_asics, running
from protocol.asic_messages import AsicSpecs
from sentry_farm import BASE, Sentry, put
from sentry_kit.uploader import DiskTrouble

HEAD = "IP address       HW type     Flags       HW address            Mask     Device\n"


def arp(folder: Path, *entries: tuple[str, str, str]) -> Path:
    path = folder / "arp"
    path.write_text(
        HEAD + "".join(f"{ip:16} 0x1         {flags}         {mac}     *        eth0\n" for ip, flags, mac in entries)
    )
    return path


def test_the_kernels_table_is_read_without_routers_and_what_is_incomplete(tmp_path: Path) -> None:
    table = arp(
        tmp_path,
        ("192.168.1.5", "0x2", "02:00:00:00:00:05"),
        ("192.168.1.6", "0x0", "00:00:00:00:00:00"),
        ("192.168.1.7", "0x0", "02:00:00:00:00:07"),
        ("10.0.0.1", "0x2", "02:00:00:00:00:01"),
        ("10.0.0.2", "0x2", "02:00:00:00:00:01"),
    )
    assert macs_by_ip(table) == {"192.168.1.5": "02:00:00:00:00:05"}
    assert macs_by_ip(tmp_path / "nowhere") == {}
    table.write_text("nonsense\nmore of it\n1 2 3 4\n")
    assert macs_by_ip(table) == {}


class World:
    """A sentry with ASICs that are known by their MACs."""

    def __init__(self, sentry: Sentry, commander: SmallCommander, folder: Path) -> None:
        self.sentry, self._commander, self._folder = sentry, commander, folder

    def add(self, asic: FakeAsic, mac: str | None) -> None:
        put(self.sentry.db, asic, self._commander.add_rig(asic.ip), mac=mac)

    async def until_dead(self, *ips: str) -> None:
        await self.sentry.until(
            lambda: (
                {each.asic.ip for each in self.sentry.agent.poller} >= set(ips)
                and all(self.sentry.device(ip).failures >= 3 for ip in ips)
            )
        )

    async def look(self, *entries: tuple[str, str, str]) -> None:
        remember: Callable[..., object] = self.sentry.agent._remember
        await Relocator(self.sentry.agent.poller, remember, arp=arp(self._folder, *entries), per_s=5000).look()  # type: ignore[arg-type]


@pytest.fixture
def world(sentry: Sentry, commander: SmallCommander, tmp_path: Path) -> World:
    return World(sentry, commander, tmp_path)


def mac_of(asic: FakeAsic) -> str:
    return f"02:FA:CE:00:00:{asic.number:02X}"


async def test_one_that_tells_its_mac_is_found_by_looking_around(world: World, network: str) -> None:
    asics = make_asics(3, network, ["iceriver"], port_base=BASE)
    before = asics[1]
    after = before._replace(ip=network.replace("0/24", "77"))
    async with running([asics[0], after, asics[2]]):
        for asic in (asics[0], before):
            world.add(asic, mac_of(asic))
        await world.until_dead(before.ip)
        await world.look()
        await world.sentry.until(lambda: world.sentry.device(after.ip).log is not None)
    stored = world.sentry.asic(after.ip)
    assert (stored.rig.name, stored.failure) == (before.ip, None)
    assert "Found again" in (stored.news or "")
    assert len(world.sentry.agent.poller.devices) == 2


async def test_one_that_tells_no_mac_is_found_in_the_kernels_table(world: World, network: str) -> None:
    before = make_asics(1, network, ["antminer"], port_base=BASE)[0]
    after = before._replace(ip=network.replace("0/24", "77"))
    mac = "02:00:00:00:00:05"
    async with running([before]):
        world.add(before, None)
        await world.sentry.until(lambda: any(each.log for each in world.sentry.agent.poller))
        await world.look((before.ip, "0x2", mac))
        assert world.sentry.asic(before.ip).mac == mac
    async with running([after]):
        await world.until_dead(before.ip)
        await world.look((after.ip, "0x2", mac))
        await world.sentry.until(lambda: world.sentry.device(after.ip).log is not None)
    assert world.sentry.asic(after.ip).rig.name == before.ip


async def test_two_that_changed_places_are_told_apart(world: World, network: str) -> None:
    """By the kernel's table alone: neither ASIC says which it is."""
    one, two = make_asics(2, network, ["antminer"], port_base=BASE)
    macs = {one.ip: "02:00:00:00:00:01", two.ip: "02:00:00:00:00:02"}
    async with running([one, two]):
        world.add(one, macs[one.ip])
        world.add(two, macs[two.ip])
        await world.sentry.until(lambda: sum(each.log is not None for each in world.sentry.agent.poller) == 2)
        await world.look((one.ip, "0x2", macs[two.ip]), (two.ip, "0x2", macs[one.ip]))
        await world.sentry.until(lambda: world.sentry.asic(two.ip).rig.name == one.ip)
    assert world.sentry.asic(one.ip).rig.name == two.ip


async def test_a_stranger_at_its_address_is_not_reported_until_it_is_back(world: World, network: str) -> None:
    asic = make_asics(1, network, ["antminer"], port_base=BASE)[0]
    async with running([asic]):
        world.add(asic, "02:00:00:00:00:01")
        await world.sentry.until(lambda: any(each.log for each in world.sentry.agent.poller))
        device = world.sentry.device(asic.ip)
        await world.look((asic.ip, "0x2", "02:00:00:00:00:99"))
        await world.sentry.until(lambda: device.asic.failure is not None)
        assert device.asic.failure is not None
        assert device.asic.failure.kind is FailureKind.OTHER_DEVICE
        before = device.last_ms
        await world.look((asic.ip, "0x2", "02:00:00:00:00:01"))
        world.sentry.agent.poller.poll_now(device.asic.id)
        await world.sentry.until(lambda: device.last_ms > before and device.asic.failure is None)


async def test_a_look_that_fails_does_not_end_the_next_ones(
    world: World, network: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asic_sentry.relocate._LOOK_EVERY_S", 0.01)
    agent, errors = world.sentry.agent, [DiskTrouble("database or disk is full")]
    mac = "02:00:00:00:00:05"

    async def write(change: Callable[[sqlite3.Connection], None]) -> None:
        if errors:
            raise errors.pop()
        await agent._remember(change)

    asic = make_asics(1, network, ["antminer"], port_base=BASE)[0]
    async with running([asic]), asyncio.TaskGroup() as group:
        world.add(asic, None)
        await world.sentry.until(lambda: any(each.log for each in agent.poller))
        relocator = Relocator(agent.poller, write, arp=arp(tmp_path, (asic.ip, "0x2", mac)))
        looks = group.create_task(relocator.run_for_ever())
        await world.sentry.until(
            lambda: world.sentry.asic(asic.ip).mac == mac and world.sentry.device(asic.ip).asic.mac == mac
        )
        looks.cancel()
    assert errors == []


async def test_an_asic_that_is_removed_during_a_search_costs_the_others_nothing(world: World, network: str) -> None:
    gone, stays = make_asics(2, network, ["antminer"], port_base=BASE)
    poller = world.sentry.agent.poller
    world.add(gone, "02:00:00:00:00:01")
    world.add(stays, "02:00:00:00:00:02")
    await world.sentry.until(lambda: len(list(poller)) == 2)
    lost = [world.sentry.device(asic.ip) for asic in (gone, stays)]
    to = [identity(network.replace("0/24", str(number))) for number in (101, 102)]
    asics = [ScannedAsic(at, device.asic.mac) for at, device in zip(to, lost, strict=True)]
    del poller.devices[lost[0].asic.id]
    await Relocator(poller, world.sentry.agent._remember)._move(lost, asics)
    assert lost[1].asic.ip == to[1].ip
    assert world.sentry.asic(to[1].ip).mac == "02:00:00:00:00:02"


def identity(ip: str) -> Identity:
    return Identity(ip=ip, port=4028, dialect="antminer", specs=AsicSpecs())


async def test_an_address_of_another_asic_that_stays_is_not_taken(world: World, network: str) -> None:
    one, two = make_asics(2, network, ["antminer"], port_base=BASE)
    world.add(one, "02:00:00:00:00:01")
    world.add(two, "02:00:00:00:00:02")
    asics = {asic.ip: asic for asic in (world.sentry.asic(one.ip), world.sentry.asic(two.ip))}
    taken = {ip: asic.id for ip, asic in asics.items()}
    lost, found = asics[one.ip], ScannedAsic(identity(two.ip), "02:00:00:00:00:01")
    assert relocations([lost], [found], taken) == {}
    assert relocations([lost], [ScannedAsic(identity("10.9.9.9"), "02:00:00:00:00:01")], taken) == {
        lost.id: identity("10.9.9.9")
    }
    twice = [ScannedAsic(identity(ip), "02:00:00:00:00:01") for ip in ("10.9.9.9", "10.9.9.8")]
    assert relocations([lost], twice, taken) == {}
