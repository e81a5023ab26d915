"""A wrong URL leads to one sentence, whatever answers there, and nothing is stored."""

import re
from pathlib import Path

import pytest
from asic_commander import serving_commander
from asic_sentry.asics.store import STORE
from asic_sentry.connect import connect, connected_to
from protocol.tokens import TokenKind, new_token
from sentry_kit.enrol import check_enrolment
from sentry_kit.errors import EnrolmentError
from wrong_servers import ANSWERS, http, tls_of_somebody, wrong_server

PLACES = ["http", "https", "https to a plain server", "http to a server with TLS"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", ANSWERS)
async def test_a_server_that_is_no_commander_is_told_from_one(tmp_path: Path, kind: str, place: str) -> None:
    scheme = place.partition(" ")[0]
    has_tls = place in ("https", "http to a server with TLS")
    path = tmp_path / STORE
    async with wrong_server(ANSWERS[kind], tls_of_somebody(tmp_path / "tls") if has_tls else None) as port:
        url = f"{scheme}://localhost:{port}"
        said = [await refusal_of_connect(path, url, None)]
        for token_kind, pin in ((TokenKind.RIG, None), (TokenKind.RIG, "ab" * 32), (TokenKind.SITE, None)):
            said.append(await refusal_of_enrolment(url, token_kind, pin))
    assert connected_to(path) is None
    for sentence in said:
        assert is_one_sentence(sentence), sentence


async def refusal_of_connect(path: Path, url: str, site_token: str | None) -> str:
    with pytest.raises(EnrolmentError) as caught:
        await connect(path, url, site_token, "tests")
    assert caught.value.field == "url"
    return str(caught.value)


async def refusal_of_enrolment(url: str, kind: TokenKind, pin: str | None) -> str:
    with pytest.raises(EnrolmentError) as caught:
        await check_enrolment(url, str(new_token(kind, pin=pin)), kind, "tests")
    return str(caught.value)


def is_one_sentence(text: str) -> bool:
    """Returns whether it is one sentence without words of Python or a library."""
    return text.endswith(".") and re.search(r"Errno|_ssl|Error|[(\n\[]|attempts failed", text) is None


@pytest.mark.parametrize(
    ("kind", "scheme", "words"),
    [
        ("a web page", "http", "is not a commander"),
        ("another API", "http", "is not a commander"),
        ("a pool", "http", "does not speak HTTP;"),
        ("ssh", "https", "does not speak HTTPS"),
        ("nothing", "http", "closed the connection"),
        ("a web page", "https", "does not speak HTTPS"),
    ],
)
async def test_the_sentence_says_what_is_there(tmp_path: Path, kind: str, scheme: str, words: str) -> None:
    async with wrong_server(ANSWERS[kind]) as port:
        assert words in await refusal_of_connect(tmp_path / STORE, f"{scheme}://localhost:{port}", None)


async def test_a_closed_port_and_an_unknown_name_are_said(tmp_path: Path) -> None:
    async with wrong_server(b"") as port:
        pass
    path = tmp_path / STORE
    assert "nothing listens on that port" in await refusal_of_connect(path, f"https://localhost:{port}", None)
    unknown = await refusal_of_connect(path, "https://no-such-host.invalid", None)
    assert "the name “no-such-host.invalid” is not known here" in unknown


async def test_a_path_in_the_url_is_said(tmp_path: Path) -> None:
    async with serving_commander(tmp_path / "commander") as commander:
        for typed in (f"{commander.url}/cpu-gpu/7", f"{commander.url}/#top", f"{commander.url}/api"):
            said = await refusal_of_connect(tmp_path / STORE, typed, None)
            assert said == f"The commander's URL must end after its name and port; use {commander.url} alone."
            assert await refusal_of_enrolment(typed, TokenKind.RIG, None) == said
        assert (await connect(tmp_path / STORE, f"{commander.url}/", None, "tests")).url == commander.url


async def test_a_commander_with_an_authority_of_its_own_is_found_to_be_one_and_not_yet_trusted(tmp_path: Path) -> None:
    async with serving_commander(tmp_path / "commander") as commander:
        stored = await connect(tmp_path / STORE, commander.url, None, "tests")
    assert (stored.url, stored.ca_pem) == (commander.url, None)
    assert commander.requests == ["GET /api/v1/sentry"]


async def test_a_commander_by_a_name_that_is_not_in_its_certificate_is_said_at_once(tmp_path: Path) -> None:
    tls = tls_of_somebody(tmp_path / "tls", "commander.lan")
    async with wrong_server(http("200 OK", (tmp_path / "tls" / "ca.pem").read_bytes()), tls) as port:
        said = await refusal_of_connect(tmp_path / STORE, f"https://localhost:{port}", None)
    assert "is not for “localhost”" in said
