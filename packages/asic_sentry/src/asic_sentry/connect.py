"""Connects the sentry to a commander. The commander is checked before it is stored; a token is not needed."""

import ssl
from contextlib import closing
from pathlib import Path

import httpx
from protocol.tokens import TokenKind
from sentry_kit import store
from sentry_kit.client import CommanderError, InvalidToken, RigRemoved, commander_client
from sentry_kit.enrol import check_enrolment
from sentry_kit.errors import EnrolmentError
from sentry_kit.store import Enrolment, State
from sentry_kit.trust import check_url, fetch_any_ca, is_unknown_authority, public_key_sha256
from sentry_kit.unreachable import why_unreachable

from asic_sentry.asics.store import KEPT, SCHEMA

_CHANGE_IT = "to change it, run asic-sentry connect on this computer."


async def connect(
    path: Path, url: str, site_token: str | None, agent: str, *, same_commander: bool = False
) -> Enrolment:
    """Checks that a commander answers, and the token if there is one. Raises `EnrolmentError`.

    With `same_commander`, any other commander than the sentry's is refused: it would get the tokens of all ASICs.
    """
    if site_token is None:
        commander = await _without_token(url, agent)
    else:
        commander = await _with_token(url, site_token, agent)
    with store.changing(path, SCHEMA, KEPT) as db:
        before = store.load_enrolment(db)
        if same_commander and before is not None and not _is_same(before, commander):
            raise EnrolmentError("url", f"This sentry reports to another commander, {before.url}; {_CHANGE_IT}")
        store.save_enrolment(db, _keeping_trust(before, commander))
    return commander


def _is_same(before: Enrolment, commander: Enrolment) -> bool:
    """Compares the certificate authorities that both were verified by; without one, compares the URLs."""
    if before.ca_pem is None or commander.ca_pem is None:
        return before.url == commander.url
    old, new = (public_key_sha256(ssl.PEM_cert_to_DER_cert(each)) for each in (before.ca_pem, commander.ca_pem))
    return old == new


async def _with_token(url: str, site_token: str, agent: str) -> Enrolment:
    try:
        return await check_enrolment(url, site_token, TokenKind.SITE, agent)
    except EnrolmentError as error:
        if isinstance(error.__cause__, InvalidToken | RigRemoved):
            sentence = "The commander does not know this site token; make a new one in its settings."
            raise EnrolmentError("token", sentence) from error
        raise


async def _without_token(url_text: str, agent: str) -> Enrolment:
    """Checks the commander without keeping its authority: the first ASIC's token will name the right one."""
    url = check_url(url_text)
    try:
        await _check_commander(url, None, agent)
    except CommanderError as error:
        if not is_unknown_authority(error):
            raise EnrolmentError("url", str(error)) from error
        await _check_with_own_authority(url, agent)
    return Enrolment(url, None, None, None, None, State.ONLINE)


async def _check_commander(url: str, ca_pem: str | None, agent: str) -> None:
    async with commander_client(url, None, ca_pem, agent) as client:
        await client.check_commander()


async def _check_with_own_authority(url: str, agent: str) -> None:
    """Checks that the server hands out the authority of its own certificate: only a commander does."""
    try:
        ca_pem = await fetch_any_ca(url)
        if ca_pem is None:
            raise CommanderError(
                f"What answers at {url} is not a commander, or its certificate is from an authority that this machine "
                "does not know; check the URL."
            )
        await _check_commander(url, ca_pem, agent)
    except CommanderError as error:
        raise EnrolmentError("url", str(error)) from error
    except (httpx.HTTPError, OSError) as error:
        raise EnrolmentError("url", why_unreachable(error, url)) from error


def _keeping_trust(before: Enrolment | None, commander: Enrolment) -> Enrolment:
    """Returns the commander to store. The same commander without a token keeps the authority that a token has named."""
    if before is None or before.url != commander.url or commander.token is not None:
        return commander
    return Enrolment(commander.url, None, before.ca_pem, None, None, State.ONLINE)


def connected_to(path: Path) -> Enrolment | None:
    with closing(store.open_store(path, SCHEMA)) as db:
        return store.load_enrolment(db)
