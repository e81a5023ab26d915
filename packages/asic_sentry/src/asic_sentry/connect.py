"""Which commander: asked before it is stored, like an enrolment, but a token is not needed."""

from contextlib import closing
from pathlib import Path

from protocol.tokens import TokenKind
from sentry_kit import store
from sentry_kit.client import CommanderError, InvalidToken, RigRemoved, commander_client
from sentry_kit.enrol import check_enrolment
from sentry_kit.errors import EnrolmentError
from sentry_kit.store import Enrolment, State
from sentry_kit.trust import check_url, is_unknown_authority

from asic_sentry.asics.store import SCHEMA


async def connect(path: Path, url: str, site_token: str | None, agent: str) -> Enrolment:
    """Checks that a commander answers there, and the token if there is one; raises `EnrolmentError`."""
    if site_token is None:
        commander = await _without_token(url, agent)
    else:
        commander = await _with_token(url, site_token, agent)
    with closing(store.open_store(path, SCHEMA)) as db, store.transaction(db):
        store.save_enrolment(db, _keeping_trust(store.load_enrolment(db), commander))
    return commander


async def _with_token(url: str, site_token: str, agent: str) -> Enrolment:
    try:
        return await check_enrolment(url, site_token, TokenKind.SITE, agent)
    except EnrolmentError as error:
        if isinstance(error.__cause__, InvalidToken | RigRemoved):
            words = "The commander does not know this site token; make a new one in its settings."
            raise EnrolmentError("token", words) from error
        raise


async def _without_token(url_text: str, agent: str) -> Enrolment:
    """A commander with an authority of its own can't be verified yet; the first ASIC's token names the authority, and
    nothing is sent before that."""
    url = check_url(url_text)
    async with commander_client(url, None, None, agent) as client:
        try:
            await client.is_healthy()
        except CommanderError as error:
            if not is_unknown_authority(error):
                raise EnrolmentError("url", str(error)) from error
    return Enrolment(url, None, None, None, None, State.ONLINE)


def _keeping_trust(before: Enrolment | None, commander: Enrolment) -> Enrolment:
    """The same commander, said again without a token, keeps the authority that a token has named."""
    if before is None or before.url != commander.url or commander.token is not None:
        return commander
    return Enrolment(commander.url, None, before.ca_pem, None, None, State.ONLINE)


def connected_to(path: Path) -> Enrolment | None:
    with closing(store.open_store(path, SCHEMA)) as db:
        return store.load_enrolment(db)
