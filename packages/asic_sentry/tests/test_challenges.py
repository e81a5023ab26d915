"""The ways of a log-in that a device names: it may name several, in one header `WWW-Authenticate` or in several."""

import pytest
from asic_sentry.access import using
from asic_sentry.challenges import challenges_in
from asic_sentry.failures import FailureKind, PollFailure
from asic_sentry.identify import identify
from asic_sentry.poll import Identity, poll
from locked_asic import NONCE, PORT, REALM, RIGHT, TOKEN, locked
from protocol.asic_messages import AsicSpecs

DIGEST = f'Digest realm="{REALM}", nonce="{NONCE}", qop="auth", algorithm=MD5'


def headers(*challenges: str) -> str:
    return "".join(f"WWW-Authenticate: {each}\r\n" for each in challenges)


@pytest.mark.parametrize(
    ("head", "challenges"),
    [
        (headers(DIGEST), (DIGEST,)),
        (headers("Negotiate", "Digest nonce=a"), ("Negotiate", "Digest nonce=a")),
        (headers('Bearer realm="a, Digest b", error="x", Digest nonce="a",qop="auth,auth-int", NTLM'),
         ('Bearer realm="a, Digest b", error="x"', 'Digest nonce="a", qop="auth,auth-int"', "NTLM")),
        (headers("Negotiate dG9r==, Basic realm = a"), ("Negotiate dG9r==", "Basic realm = a")),
        (headers("digest\trealm = a , nonce\t=b"), ("digest realm = a, nonce\t=b",)),
        (headers('Basic realm="a\\", Digest \\\\"', ' ,Digest nonce="x'),
         ('Basic realm="a\\", Digest \\\\"', 'Digest nonce="x')),
        ("www-authenticate :Bearer,\r\n Digest nonce=a\r\n", ("Bearer", "Digest nonce=a")),
        (headers("", 'realm="a"', '"', ",,"), ()),
        ("X-WWW-Authenticate: Basic\r\nX: WWW-Authenticate: Basic\r\n", ()),
    ],
)  # fmt: skip
def test_all_challenges_are_found(head: str, challenges: tuple[str, ...]) -> None:
    assert challenges_in(f"HTTP/1.1 401 Unauthorized\r\n{head}".encode()) == challenges


@pytest.mark.parametrize(
    "challenges",
    [
        ['Digest realm="farm", nonce="a1"'],
        ['basic realm="farm"'],
        ["Negotiate", DIGEST],
        [f'Bearer realm="farm", {DIGEST}'],
        ["Bearer", "NTLM"],
        ["Negotiate"],
    ],
)
async def test_a_device_that_names_another_scheme_than_bearer_is_not_sent_the_password(
    network: str, challenges: list[str]
) -> None:
    """The question of VNish is asked first at port 80, of whatever device is there."""
    async with locked(network, "antminer_web") as (ip, asic):
        asic.challenge = headers(*challenges)
        with using(RIGHT):
            await identify(ip, PORT)
            failure = await poll(Identity(ip=ip, port=PORT, dialect="vnish", specs=AsicSpecs()))
    assert isinstance(failure, PollFailure)
    assert failure.kind is FailureKind.BAD_RESPONSE
    assert "refuses the password" not in failure.detail
    assert "POST /api/v1/unlock" not in asic.seen


@pytest.mark.parametrize(
    ("challenges", "schemes"),
    [
        (['Basic realm="farm"'], "Basic"),
        (["Bearer"], "Bearer"),
        (["Negotiate, NTLM", "Basic"], "Negotiate or NTLM or Basic"),
    ],
)
async def test_a_device_that_wants_another_log_in_than_http_digest_does_not_refuse_the_password(
    network: str, challenges: list[str], schemes: str
) -> None:
    async with locked(network, "antminer_web") as (ip, asic):
        asic.challenge = headers(*challenges)
        with using(RIGHT):
            failure = await poll(Identity(ip=ip, port=PORT, dialect="antminer_web", specs=AsicSpecs()))
    assert isinstance(failure, PollFailure)
    assert failure.kind is FailureKind.BAD_RESPONSE
    assert f"it wants a log-in by HTTP {schemes}." in failure.detail


@pytest.mark.parametrize(
    "challenges",
    [
        ['Basic realm="farm"', DIGEST],
        [DIGEST, "Basic"],
        [f'Basic realm="a, b", {DIGEST}'],
        [f"Negotiate, {DIGEST}, Bearer"],
    ],
)
async def test_http_digest_is_used_wherever_it_stands_among_the_challenges(network: str, challenges: list[str]) -> None:
    async with locked(network, "antminer_web") as (ip, asic):
        asic.challenge = headers(*challenges)
        with using(RIGHT):
            found = await identify(ip, PORT)
    assert isinstance(found, Identity), found
    assert found.dialect == "antminer_web"


async def test_a_realm_in_latin_1_is_a_failure_like_another(network: str) -> None:
    async with locked(network, "antminer_web") as (ip, asic):
        asic.challenge = headers('Digest realm="Gerät", nonce="a1", qop="auth"')
        with using(RIGHT):
            failure = await poll(Identity(ip=ip, port=PORT, dialect="antminer_web", specs=AsicSpecs()))
    assert isinstance(failure, PollFailure)
    assert failure.kind is FailureKind.ERROR_STATUS


@pytest.mark.parametrize("challenge", ["Bearer", 'Bearer realm="x"', "", 'realm="x"'])
async def test_a_device_that_wants_a_token_is_asked_for_one(network: str, challenge: str) -> None:
    async with locked(network, "vnish", TOKEN) as (ip, asic):
        asic.challenge = headers(challenge)
        with using(RIGHT):
            assert isinstance(await identify(ip, PORT), Identity)
