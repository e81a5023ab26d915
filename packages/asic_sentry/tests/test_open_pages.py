"""ASICs of which some pages are open and others want a log-in: an open page says nothing of a password."""

import pytest
from asic_sentry import transport
from asic_sentry.access import is_accepted, using
from asic_sentry.asics.login_check import refusal_of_pages, refused
from asic_sentry.dialects.dialect import Question
from asic_sentry.dialects.registry import BY_NAME
from asic_sentry.failures import PollFailure
from asic_sentry.identify import identify
from asic_sentry.poll import Identity, Sample, poll, specs_of
from locked_asic import PORT, RIGHT, TOKEN, WRONG, locked
from protocol.asic_messages import AsicSpecs


async def test_a_refusal_is_shown_while_other_pages_answer_without_a_log_in(network: str) -> None:
    async with locked(network, "vnish", TOKEN) as (ip, asic):
        asic.open = "/api/v1/summary", "/api/v1/info"
        with using(WRONG):
            found = await identify(ip, PORT)
            assert isinstance(found, Identity)
            for _ in range(2):
                assert isinstance(await poll(found), Sample)
                assert "It refuses the password" in (refusal_of_pages(found, WRONG) or "")
            assert isinstance(await specs_of(found), AsicSpecs)
    assert asic.seen.count("POST /api/v1/unlock") == 1  # it is not tried again at each of them


@pytest.mark.parametrize(
    ("kind", "token", "page", "challenge"),
    [
        ("vnish", TOKEN, "/api/v1/info", "Bearer"),
        ("elphapex", None, "/cgi-bin/stats.cgi", 'Digest realm="another", nonce="b2", qop="auth"'),
    ],
)
async def test_a_log_in_that_is_refused_no_longer_counts_as_accepted(
    network: str, kind: str, token: str | None, page: str, challenge: str
) -> None:
    """An open page gets nothing of what is left of it."""
    access = next(each.access for each in BY_NAME[kind].questions if isinstance(each, Question))
    assert access is not None
    async with locked(network, kind, token) as (ip, asic):
        with using(RIGHT):
            found = await identify(ip, PORT)
            assert isinstance(found, Identity)
            assert is_accepted(access, RIGHT, f"{ip}:{PORT}")
            asic.token, asic.challenge = "tok-2", f"WWW-Authenticate: {challenge}\r\n"
            assert isinstance(await poll(found), PollFailure)
            assert not is_accepted(access, RIGHT, f"{ip}:{PORT}")
            asic.open = (page,)
            await transport.ask(ip, PORT, kind, page)
            assert not is_accepted(access, RIGHT, f"{ip}:{PORT}")


@pytest.mark.parametrize("pages", [("/api/v1/summary",), ("/api/v1/summary", "/api/v1/info")])
async def test_a_password_is_checked_with_the_first_page_that_wants_one(network: str, pages: tuple[str, ...]) -> None:
    async with locked(network, "vnish", TOKEN) as (ip, asic):
        asic.open = pages
        found = Identity(ip=ip, port=PORT, dialect="vnish", specs=AsicSpecs())
        assert "It refuses the password" in (await refused(found, WRONG) or "")
        asic.seen.clear()
        assert await refused(found, RIGHT) is None
    assert asic.seen.count("POST /api/v1/unlock") == 1
    assert asic.seen[-1] == f"GET {['/api/v1/info', '/api/v1/perf-summary'][len(pages) - 1]}"


async def test_a_password_is_not_accepted_for_what_is_left_of_an_earlier_log_in(network: str) -> None:
    async with locked(network, "vnish", TOKEN) as (ip, asic):
        with using(RIGHT):
            found = await identify(ip, PORT)
        assert isinstance(found, Identity)
        asic.log_in = "/api/v1/unlock", {"pw": "another one"}  # the token is still valid
        assert "It refuses the password" in (await refused(found, RIGHT) or "")


async def test_an_asic_without_locked_pages_refuses_no_password(network: str) -> None:
    async with locked(network, "vnish", TOKEN) as (ip, asic):
        asic.open = "/api/v1/summary", "/api/v1/info", "/api/v1/perf-summary"
        assert await refused(Identity(ip=ip, port=PORT, dialect="vnish", specs=AsicSpecs()), WRONG) is None
    assert "POST /api/v1/unlock" not in asic.seen
