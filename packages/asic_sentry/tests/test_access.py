"""Log-ins for reading: used only if they were entered, only for reads, and never shown."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from asic_sentry import transport
from asic_sentry.access import Login, WrongPassword, using
from asic_sentry.asics import store
from asic_sentry.asics.asic import NO_OVERRIDE, Asic, Rig
from asic_sentry.asics.login_check import refusal_of_pages, refused
from asic_sentry.asics.logins import enter_login, load_logins, login_for, move_logins
from asic_sentry.device import Device, ask
from asic_sentry.dialects.registry import BY_NAME
from asic_sentry.failures import FailureKind, PollFailure
from asic_sentry.identify import identify
from asic_sentry.poll import Identity, Sample, poll, specs_of, utc_now
from fake_asics import make_asics, running
from locked_asic import OFFSET, PORT, RIGHT, TOKEN, WRONG, locked
from protocol.asic_messages import AsicSpecs
from protocol.tokens import TokenKind, new_token
from sentry_kit import store as kit
from sentry_kit.errors import BadUse
from virtual_time import in_virtual_time


@pytest.mark.parametrize(("kind", "token"), [("elphapex", None), ("antminer_web", None), ("vnish", "tok-1")])
async def test_with_the_right_password_the_device_is_identified_and_polled(
    network: str, kind: str, token: str | None
) -> None:
    async with locked(network, kind, token) as (ip, asic):
        with using(RIGHT):
            found = await identify(ip, PORT)
            assert isinstance(found, Identity), found
            asic.seen.clear()
            sample = await poll(found)
    assert found.dialect == kind
    assert isinstance(sample, Sample)
    assert sample.log.hashrate_hs
    assert len(asic.seen) <= 4  # the challenge or the token of the first time is used again


async def test_without_a_password_none_is_tried(network: str) -> None:
    async with locked(network, "elphapex") as (ip, asic):
        found = await identify(ip, PORT)
    assert isinstance(found, PollFailure)
    assert found.kind is FailureKind.ERROR_STATUS
    assert found.detail.startswith("This is a DG firmware (Elphapex). HTTP 401 Unauthorized, realm “Daoge”.")
    assert "asic-sentry password" in found.detail
    assert not any("unlock" in each for each in asic.seen)


async def test_a_wrong_password_is_called_wrong_and_not_repeated_within_a_question(network: str) -> None:
    async with locked(network, "elphapex") as (ip, asic):
        with using(RIGHT):
            found = await identify(ip, PORT)
        assert isinstance(found, Identity)
        asic.seen.clear()
        with using(WRONG):
            failure = await poll(found)
    assert isinstance(failure, PollFailure)
    assert failure.kind is FailureKind.ERROR_STATUS
    assert failure.detail.endswith("Enter the right one on the sentry's page, or with “asic-sentry password”.")
    assert WRONG.password not in failure.detail
    assert len(asic.seen) == 2  # without it, for the challenge, and once with it


async def test_a_token_that_has_expired_is_asked_for_again(network: str) -> None:
    async with locked(network, "vnish", "tok-1") as (ip, asic):
        with using(RIGHT):
            found = await identify(ip, PORT)
            assert isinstance(found, Identity)
            asic.token = "tok-2"
            failure = await poll(found)  # the fake still gives the first token
            assert isinstance(failure, PollFailure)
            asic.token = "tok-1"
            assert isinstance(await poll(found), Sample)


async def test_a_refusal_is_no_longer_shown_once_the_device_accepts_the_password(network: str) -> None:
    """The profile of VNish is optional; its other questions have the same log-in."""
    async with locked(network, "vnish", TOKEN) as (ip, asic):
        with using(RIGHT):
            found = await identify(ip, PORT)
            assert isinstance(found, Identity)
            asic.token = "tok-2"  # the fake still gives the first token
            assert isinstance(await poll(found), PollFailure)
            assert refusal_of_pages(found, RIGHT) is None  # its failure says it
            with pytest.raises(WrongPassword):
                await transport.ask(ip, PORT, "vnish", "/api/v1/perf-summary")
            assert "It refuses the password" in (refusal_of_pages(found, RIGHT) or "")
            asic.token = TOKEN
            assert isinstance(await poll(found), Sample)
            assert refusal_of_pages(found, RIGHT) is None
            about = await specs_of(found)
    assert isinstance(about, AsicSpecs)
    assert about.software_version == "profile 3250 watt ~ 110 TH"


async def test_a_password_is_checked_before_it_is_stored(network: str) -> None:
    async with locked(network, "elphapex") as (ip, _asic):
        with using(RIGHT):
            found = await identify(ip, PORT)
        assert isinstance(found, Identity)
        assert await refused(found, RIGHT) is None
        reason = await refused(found, WRONG)
    assert reason is not None
    assert "It refuses the password that was entered." in reason
    assert WRONG.password not in reason
    assert await refused(found, WRONG) is None  # it does not answer: nothing says that the password is wrong


async def test_a_braiins_os_over_rest_takes_the_token_without_a_word_before_it(network: str) -> None:
    async with locked(network, "braiins_rest", TOKEN) as (ip, asic):
        asic.log_in = "/api/v1/auth/login", {"username": RIGHT.user, "password": RIGHT.password}
        asic.header, asic.open = "Authorization: {token}", ("/api/v1/version",)
        without = await identify(ip, PORT)
        with using(RIGHT):
            found = await identify(ip, PORT)
            assert isinstance(found, Identity), found
            sample = await poll(found)
    assert isinstance(without, PollFailure)
    assert "It needs a password." in without.detail
    assert found.dialect == "braiins_rest"
    assert (found.specs.model, found.specs.mac is None) == ("S19 XP", False)
    assert "power target 3031 W" in (found.specs.software_version or "")
    assert isinstance(sample, Sample)
    assert sample.log.power_w


async def test_an_asic_that_refuses_its_password_is_read_without_it_where_that_is_possible(
    network: str, moved: None
) -> None:
    async with (
        running(make_asics(1, network, ["braiins"], port_base=OFFSET)),
        locked(network, "braiins_rest", TOKEN) as (ip, asic),
    ):
        asic.log_in = "/api/v1/auth/login", {"username": RIGHT.user, "password": RIGHT.password}
        asic.header, asic.open = "Authorization: {token}", ("/api/v1/version",)
        with using(RIGHT):
            found = await identify(ip)
        assert isinstance(found, Identity)
        assert found.dialect == "braiins_rest"
        device = device_of(found)
        device.login = RIGHT
        assert isinstance(await ask(device, lambda _device: utc_now(), lambda: 0.0), Sample)
        asic.log_in = "/api/v1/auth/login", {"username": RIGHT.user, "password": "another one"}
        asic.token = "tok-2"
        for _ in range(3):
            failure = await ask(device, lambda _device: utc_now(), lambda: 0.0)
            assert isinstance(failure, PollFailure)
            assert "It refuses the password" in failure.detail
            device.failed(failure)
        sample = await ask(device, lambda _device: utc_now(), lambda: 0.0)
    assert isinstance(sample, Sample)
    assert sample.log.hashrate_hs
    assert device.asic.identity.dialect == "braiins"


@in_virtual_time
async def test_a_silent_api_does_not_hide_that_the_pages_refuse_the_password(network: str, moved: None) -> None:
    """After three refusals the ASIC is identified again, and its port 4028 is asked first."""
    async with (
        running(make_asics(1, network, ["braiins"], [("silent", 1)], OFFSET)),
        locked(network, "braiins_rest", TOKEN) as (ip, asic),
    ):
        asic.log_in = "/api/v1/auth/login", {"username": RIGHT.user, "password": RIGHT.password}
        asic.header, asic.open = "Authorization: {token}", ("/api/v1/version",)
        identity = Identity(ip=ip, port=PORT, dialect="braiins_rest", specs=AsicSpecs())
        device = device_of(identity)
        device.login = WRONG
        for _ in range(4):
            failure = await ask(device, lambda _device: utc_now(), lambda: 0.0)
            assert isinstance(failure, PollFailure)
            assert "It refuses the password" in failure.detail
            device.failed(failure)
    assert device.identify_due_s > 1.0, "it was identified again"


@pytest.mark.parametrize(
    ("dialect", "specs", "better", "log_in"),
    [
        (
            "braiins",
            AsicSpecs(),
            "braiins_rest",
            ("/api/v1/auth/login", {"username": "root", "password": RIGHT.password}),
        ),
        ("antminer", AsicSpecs(software_version="Vnish 1.2.6"), "vnish", ("/api/v1/unlock", {"pw": RIGHT.password})),
    ],
)
async def test_a_password_is_checked_with_the_pages_of_an_asic_that_is_read_over_its_api(
    network: str, monkeypatch: pytest.MonkeyPatch, dialect: str, specs: AsicSpecs, better: str, log_in: Any
) -> None:
    """The pages would be asked for more values, once the password is stored."""
    monkeypatch.setitem(BY_NAME, better, BY_NAME[better]._replace(port=PORT))
    identity = Identity(ip=network.replace(".0/24", ".1"), port=4028, dialect=dialect, specs=specs)
    async with locked(network, better, TOKEN) as (ip, asic):
        asic.log_in, asic.header = log_in, {"braiins_rest": "Authorization: {token}"}.get(better, asic.header)
        assert ip == identity.ip
        assert await refused(identity, RIGHT) is None
        assert f"POST {log_in[0]}" in asic.seen
        assert "It refuses the password" in (await refused(identity, WRONG) or "")
        unusual = Identity(ip=ip, port=14_028, dialect=dialect, specs=specs)
        assert await refused(unusual, WRONG) is None  # its pages are at an unknown port
    assert await refused(identity, WRONG) is None  # nothing answers


def device_of(identity: Identity) -> Device:
    asic = Asic(
        id=1,
        identity=identity,
        operator_model=None,
        rig=Rig(None, None),
        token=new_token(TokenKind.ASIC, pin=None),
        mac=None,
        override=NO_OVERRIDE,
        refusal=None,
        failure=None,
        failing_since=None,
        answered=True,
        identified_at=utc_now(),
        news=None,
    )
    return Device(asic, NO_OVERRIDE, specs_due_s=1.0, identify_due_s=1.0)


def test_a_password_is_stored_by_address_or_model_and_never_shown(tmp_path: Path) -> None:
    with closing(kit.open_store(tmp_path / store.STORE, store.SCHEMA)) as db:
        sentences = [
            enter_login(db, "192.0.2.9", None, RIGHT),
            enter_login(db, None, "Elphapex DG1+", WRONG),
        ]
        logins = load_logins(db)
        assert login_for(logins, "192.0.2.9", "Elphapex DG1+") == RIGHT
        assert login_for(logins, "192.0.2.8", "elphapex dg1+") == WRONG
        assert login_for(logins, "192.0.2.8", "Elphapex DG1") is None
        move_logins(db, {"192.0.2.9": "192.0.2.7"})
        assert set(load_logins(db)) == {"ip 192.0.2.7", "model elphapexdg1+"}
        sentences.append(enter_login(db, "192.0.2.7", None, None))
        assert "ip 192.0.2.7" not in load_logins(db)
        with pytest.raises(BadUse):
            enter_login(db, "192.0.2.7", None, Login("root", ""))
    for text in (*sentences, repr(RIGHT), repr(logins)):
        assert RIGHT.password not in text
        assert WRONG.password not in text
    assert (tmp_path / store.STORE).stat().st_mode & 0o077 == 0
