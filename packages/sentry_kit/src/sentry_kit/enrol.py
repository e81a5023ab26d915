"""Enrolment: the commander is asked before anything is stored. Each error names the field that it is about."""

import httpx
from protocol.tokens import BadToken, Token, TokenKind, parse_token

from sentry_kit.client import CommanderError, InvalidToken, RigRemoved, commander_client
from sentry_kit.errors import EnrolmentError
from sentry_kit.store import Enrolment, State
from sentry_kit.trust import check_url, fetch_ca
from sentry_kit.unreachable import why_unreachable


async def check_enrolment(
    url_text: str,
    token_text: str,
    kind: TokenKind,
    agent: str,
    fallback_ca_pem: str | None = None,
    *,
    key: str | None = None,
) -> Enrolment:
    """Returns the enrolment after asking the commander. Raises `EnrolmentError`.

    `fallback_ca_pem` is trusted if the token names no authority. `key` is that of the sentry, if it has one.
    """
    url = check_url(url_text)
    token = check_token(token_text, kind)
    ca_pem = await trusted_ca(url, token) or fallback_ca_pem
    async with commander_client(url, token, ca_pem, agent, key=key) as client:
        try:
            welcome = await client.welcome()
        except (InvalidToken, RigRemoved) as error:
            raise EnrolmentError("token", str(error)) from error
        except CommanderError as error:
            raise EnrolmentError("url", str(error)) from error
    rig = welcome.rig
    rig_id, rig_name = (rig.id, rig.name) if rig else (None, None)
    return Enrolment(url, token, ca_pem, rig_id, rig_name, State.ONLINE, welcome.signing_key)


def check_token(text: str, kind: TokenKind) -> Token:
    try:
        token = parse_token(text)
    except BadToken as error:
        raise EnrolmentError(
            "token", f"A token looks like mw_{kind}_ and 64 hexadecimal digits; copy it again from the commander."
        ) from error
    if token.kind is not kind:
        raise EnrolmentError("token", f"This sentry needs a token that starts with mw_{kind}_, not mw_{token.kind}_.")
    return token


async def trusted_ca(url: str, token: Token | None) -> str | None:
    """Returns the only certificate to trust, if the token names one."""
    if token is None or token.pin is None:
        return None
    if url.startswith("http:"):
        raise EnrolmentError("url", "This token was made by a commander with HTTPS; give its https:// URL.")
    try:
        return await fetch_ca(url, token.pin)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise EnrolmentError("url", why_unreachable(error, url)) from error
