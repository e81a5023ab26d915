"""Delays of log-ins: by address, by known browser and in total. Time is an argument, and no test waits."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from commander.accounts.devices import device_of, new_device
from commander.accounts.domain import TooManyTries
from commander.accounts.login_guard import QUEUE, LoginGuard
from commander_farm import Clock

OWNER = "192.168.1.9"


@pytest.fixture
def guard(clock: Clock) -> LoginGuard:
    return LoginGuard(clock)


async def fail(guard: LoginGuard, address: str, *, times: int = 1, device: str | None = None) -> None:
    for _ in range(times):
        async with guard.turn(address, device):
            pass


def wait_s(guard: LoginGuard, address: str = OWNER, device: str | None = None) -> int:
    """Returns for how many seconds a log-in is refused; 0: it is allowed."""
    try:
        guard.check(address, device)
    except TooManyTries as error:
        return error.retry_after_s or 0
    return 0


async def test_the_delay_of_an_address_doubles_with_each_further_failure(guard: LoginGuard, clock: Clock) -> None:
    await fail(guard, OWNER, times=9)
    assert wait_s(guard) == 0
    delays = []
    for _ in range(6):
        await fail(guard, OWNER)
        delays.append(wait_s(guard))
        clock.now_s += delays[-1]
        assert wait_s(guard) == 0, "the right password is tried after the delay"
    assert delays == [60, 120, 240, 480, 900, 900]


async def test_another_address_does_not_wait(guard: LoginGuard) -> None:
    await fail(guard, OWNER, times=10)
    assert wait_s(guard, "192.168.1.10") == 0


async def test_failures_of_an_address_are_forgotten_within_hours(guard: LoginGuard, clock: Clock) -> None:
    await fail(guard, OWNER, times=10)
    clock.now_s += 2 * 3600
    await fail(guard, OWNER, times=9)
    assert wait_s(guard) == 0


async def test_the_addresses_of_one_ipv6_network_are_one_sender(guard: LoginGuard) -> None:
    for number in range(10):
        await fail(guard, f"2001:db8::{number}")
    assert wait_s(guard, "2001:db8::ffff") == 60
    assert wait_s(guard, "2001:db8:0:1::1") == 0


async def test_tries_at_the_same_time_are_counted_from_their_beginning(guard: LoginGuard) -> None:
    await fail(guard, OWNER, times=6)
    async with guard.turn(OWNER, None):
        waiting = [asyncio.create_task(fail(guard, OWNER)) for _ in range(6)]
        while sum(task.done() for task in waiting) < 3:  # noqa: ASYNC110 - three are refused at once, three wait for their turn
            await asyncio.sleep(0)
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert [isinstance(each, TooManyTries) for each in answers].count(True) == 3


async def test_guesses_from_a_thousand_addresses_are_slowed_down_together(guard: LoginGuard, clock: Clock) -> None:
    tried = 0
    for number in range(10_000):  # a thousand a second, from a thousand addresses
        clock.now_s += 0.001
        if wait_s(guard, f"10.0.{number % 1000 // 250}.{number % 250}") == 0:
            await fail(guard, f"10.0.{number % 1000 // 250}.{number % 250}")
            tried += 1
    assert tried <= 65
    assert 0 < wait_s(guard) <= 30, "a stranger waits with them"
    clock.now_s += 60
    assert wait_s(guard) == 0, "and no longer when they stop"


async def test_a_known_browser_does_not_wait_for_strangers(guard: LoginGuard) -> None:
    await fail(guard, "10.0.0.1", times=10)
    for number in range(70):
        if wait_s(guard, f"10.0.1.{number}") == 0:
            await fail(guard, f"10.0.1.{number}")
    assert wait_s(guard, "10.0.0.1") > 0
    assert wait_s(guard, "10.0.0.1", device="the owner's") == 0


async def test_a_known_browser_has_limits_too(guard: LoginGuard) -> None:
    await fail(guard, OWNER, times=10, device="stolen")
    assert wait_s(guard, "10.9.9.9", device="stolen") == 60
    assert wait_s(guard) == 60, "its failures count for the strangers of its network too"
    assert wait_s(guard, device="another of that network") == 0


async def test_a_right_password_of_a_known_browser_is_no_failure_of_its_network(guard: LoginGuard) -> None:
    for _ in range(100):
        async with guard.turn(OWNER, "the owner's") as turn:
            turn.take_back()
    assert wait_s(guard) == 0


async def test_the_queue_before_hashing_is_short_and_that_of_known_browsers_is_another(guard: LoginGuard) -> None:
    async with AsyncExitStack() as hashing:
        await hashing.enter_async_context(guard.turn("10.0.0.1", None))
        waiting = [asyncio.create_task(fail(guard, f"10.0.2.{number}")) for number in range(QUEUE)]
        while wait_s(guard) == 0:  # noqa: ASYNC110 - until all of them wait
            await asyncio.sleep(0)
        with pytest.raises(TooManyTries, match="A browser that has logged in before need not wait"):
            await fail(guard, OWNER)
        await fail(guard, OWNER, device="the owner's")
    await asyncio.gather(*waiting)
    assert wait_s(guard) == 0


async def test_a_right_password_is_no_failure(guard: LoginGuard) -> None:
    for _ in range(100):
        async with guard.turn(OWNER, None) as turn:
            turn.take_back()
    assert wait_s(guard) == 0


def test_only_our_own_mark_makes_a_browser_known_until_the_password_changes() -> None:
    hashes = {1: "a hash", 7: "anna's hash", 8: "a hash"}
    cookie = new_device(1, "a hash")
    device = device_of(cookie, hashes)
    assert device
    assert device.access_id == 1
    assert cookie.startswith(f"1.{device.id}.")
    assert device_of(cookie, hashes | {1: "another hash"}) is None
    signature = cookie.rpartition(".")[2]
    of_others = [f"{access_id}.{device.id}.{signature}" for access_id in (7, 8, 9)]
    unsigned = [
        "",
        ".",
        "..",
        "x",
        f"1.{device.id}.",
        f"1.{device.id}.0",
        f"1.a.{signature}",
        f"{device.id}.{signature}",
    ]
    for wrong in (*of_others, *unsigned, cookie[:-1] + "é", f"²{cookie[1:]}", f"x{cookie[1:]}", f"{cookie}."):
        assert device_of(wrong, hashes) is None, wrong
