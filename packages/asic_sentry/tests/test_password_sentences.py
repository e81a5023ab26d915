"""A failure says that the ASIC needs or refuses a password, also where other questions to it fail in other ways."""

import pytest
from asic_sentry.access import Login, using
from asic_sentry.failures import FailureKind, PasswordFailure, PollFailure
from asic_sentry.identify import identify
from asic_sentry.poll import Identity, poll
from locked_asic import NONCE, PORT, TOKEN, WRONG, locked
from protocol.asic_messages import AsicSpecs

NEEDED = "It needs a password. Enter it on the sentry's page, or with “asic-sentry password”."
REFUSED = (
    "It refuses the password that was entered. Enter the right one on the sentry's page, or with “asic-sentry "
    "password”."
)
NO_CHALLENGE = "X-Frame-Options: DENY\r\n"


@pytest.mark.parametrize(("login", "sentence"), [(None, NEEDED), (WRONG, REFUSED)])
@pytest.mark.parametrize(
    ("kind", "token"), [("antminer_web", None), ("elphapex", None), ("vnish", TOKEN), ("braiins_rest", TOKEN)]
)
async def test_a_refusal_without_a_realm_says_what_to_do(
    network: str, moved: None, kind: str, token: str | None, login: Login | None, sentence: str
) -> None:
    async with locked(network, kind, token) as (ip, asic):
        asic.challenge = NO_CHALLENGE
        with using(login):
            failure = await identify(ip)
    assert failure == PasswordFailure(FailureKind.ERROR_STATUS, f"HTTP 401 Unauthorized. {sentence}")


@pytest.mark.parametrize(("login", "sentence"), [(None, NEEDED), (WRONG, REFUSED)])
async def test_a_closed_port_of_a_named_firmware_does_not_hide_its_password(
    network: str, moved: None, login: Login | None, sentence: str
) -> None:
    """The realm names an Antminer, whose API at port 4028 is closed."""
    async with locked(network, "antminer_web") as (ip, asic):
        asic.challenge = f'WWW-Authenticate: Digest realm="antMiner Configuration", nonce="{NONCE}", qop="auth"\r\n'
        with using(login):
            failure = await identify(ip)
    assert isinstance(failure, PasswordFailure)
    assert failure.detail == (
        f"This is an Antminer firmware (Bitmain). HTTP 401 Unauthorized, realm “antMiner Configuration”. {sentence}"
    )


async def test_a_device_whose_dialect_has_no_log_in_says_what_it_wants(network: str) -> None:
    async with locked(network, "antminer_web") as (ip, asic):
        asic.challenge = NO_CHALLENGE
        failure = await poll(Identity(ip=ip, port=PORT, dialect="axeos", specs=AsicSpecs()))
    sentence = "HTTP 401 Unauthorized. The ASIC wants a log-in, and the sentry has none for this kind of ASIC."
    assert failure == PollFailure(FailureKind.ERROR_STATUS, sentence)
