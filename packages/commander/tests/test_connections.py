"""Limits of open connections: what strangers may take, and what is kept for the farm."""

import pytest
from commander.web.connections import KNOWN_FOR_S, Connections, Limits, limits_for
from commander_farm import Clock

LIMITS = Limits(total=20, of_strangers=10, of_one_stranger=4)
SENTRY = "192.168.1.20"


@pytest.fixture
def connections(clock: Clock) -> Connections:
    return Connections(LIMITS, proxies=["10.77.0.2"], now_s=clock)


def admitted(connections: Connections, host: str, count: int, *, first_port: int = 1) -> int:
    return sum(connections.admit((host, first_port + number)) for number in range(count))


def test_one_stranger_has_few_connections_and_another_is_still_admitted(connections: Connections) -> None:
    assert admitted(connections, "203.0.113.1", 50) == 4
    assert admitted(connections, "203.0.113.2", 50) == 4
    connections.gone(("203.0.113.1", 1))
    assert admitted(connections, "203.0.113.1", 50, first_port=100) == 1


def test_the_addresses_of_one_ipv6_network_are_one_stranger(connections: Connections) -> None:
    assert sum(admitted(connections, f"2001:db8::{number}", 1) for number in range(20)) == 4


def test_strangers_leave_half_of_all_for_known_senders(connections: Connections) -> None:
    connections.is_known((SENTRY, 1))
    assert sum(admitted(connections, f"203.0.113.{number}", 1) for number in range(50)) == 10
    assert admitted(connections, SENTRY, 50) == 10
    assert connections.count == LIMITS.total


def test_a_valid_token_makes_the_connection_and_its_address_known(connections: Connections) -> None:
    assert admitted(connections, SENTRY, 4) == 4
    assert not connections.admit((SENTRY, 99))
    connections.is_known((SENTRY, 1))
    assert connections.admit((SENTRY, 99))


def test_an_address_is_known_for_a_day(connections: Connections, clock: Clock) -> None:
    connections.is_known((SENTRY, 1))
    clock.now_s += KNOWN_FOR_S + 1
    assert admitted(connections, SENTRY, 50) == 4


def test_a_proxy_stands_for_many_and_is_no_stranger(connections: Connections) -> None:
    assert admitted(connections, "10.77.0.2", 50) == LIMITS.total


def test_a_connection_that_was_never_admitted_may_go(connections: Connections) -> None:
    connections.gone(("203.0.113.1", 1))
    assert connections.count == 0


def test_a_limit_that_refuses_something_is_one_line_a_minute(
    connections: Connections, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    admitted(connections, "203.0.113.1", 1_000)
    assert len(caplog.records) == 1
    assert "203.0.113.1 has 4 connections" in caplog.text
    clock.now_s += 61
    admitted(connections, "203.0.113.1", 1_000)
    assert len(caplog.records) == 2


@pytest.mark.parametrize("descriptors", [0, 10, 64, 1_000, 65_000, 1_000_000])
def test_whatever_the_process_may_open_half_of_it_is_kept(descriptors: int) -> None:
    limits = limits_for(descriptors)
    assert 1 <= limits.of_one_stranger <= limits.of_strangers <= limits.total // 2
