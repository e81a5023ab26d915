"""ASICs of which some pages are open and others want a log-in: an open page says nothing of a password."""

import pytest
from asic_sentry import transport
from asic_sentry.access import is_accepted, using
from asic_sentry.asics.login_check import refusal_of_pages
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
