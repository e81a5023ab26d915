"""Which commander: asked before it is stored, like an enrolment, but a token is not needed."""

from contextlib import closing
from pathlib import Path

from protocol.tokens import TokenKind
from sentry_kit import store
from sentry_kit.client import CommanderError, commander_client
from sentry_kit.enrol import check_enrolment
from sentry_kit.errors import EnrolmentError
from sentry_kit.store import Enrolment, State
from sentry_kit.trust import check_url

STORE = "sentry.db"


async def connect(path: Path, url: str, site_token: str | None, agent: str) -> Enrolment:
    """Checks that a commander answers there, and the token if there is one; raises `EnrolmentError`."""
    if site_token is None:
        commander = await _without_token(url, agent)
    else:
        commander = await check_enrolment(url, site_token, TokenKind.SITE, agent)
    with closing(store.open_store(path)) as db, store.transaction(db):
        store.save_enrolment(db, commander)
    return commander


async def _without_token(url_text: str, agent: str) -> Enrolment:
    url = check_url(url_text)
    async with commander_client(url, None, None, agent) as client:
        try:
            await client.is_healthy()
        except CommanderError as error:
            hint = " If the commander has its own certificate, give a site token: it names the certificate."
            raise EnrolmentError("url", f"{error}{hint}") from error
    return Enrolment(url, None, None, None, None, State.ONLINE)


def connected_to(path: Path) -> Enrolment | None:
    with closing(store.open_store(path)) as db:
        return store.load_enrolment(db)
