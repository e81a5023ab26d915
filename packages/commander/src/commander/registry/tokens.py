"""Finds the rig of a report by its token. Tokens are in memory as their hashes.

A CPU/GPU rig may be bound to its machine: then its token counts only together with the key of the sentry that is on it.
"""

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from litestar.types import Scope
from protocol.enrolment_messages import KEY_HEADER
from protocol.tokens import BadToken, Token, TokenKind, hash_of, parse_token
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.accounts import store as accounts
from commander.accounts.domain import secret_hash
from commander.accounts.tables import site_tokens
from commander.db import Database
from commander.problems import CommanderError, ErrorKind
from commander.registry import store
from commander.registry.kinds import TOKEN_KINDS, RigKind
from commander.web.bodies import header


class TokenError(CommanderError):
    """Root of what can be wrong with a token; its text is for people."""


class InvalidToken(TokenError):
    """A token that no rig and no site has."""

    kind = ErrorKind(401, "invalid_token", "Invalid token", asks_for_token=True)


class WrongKey(InvalidToken):
    """The token of a rig that is bound to a machine, without the key of that machine's sentry."""

    kind = ErrorKind(401, "invalid_token", "Invalid token", field=KEY_HEADER, asks_for_token=True)

    def __init__(self) -> None:
        super().__init__(
            "This token belongs to a machine whose sentry has another key. Make a new token on the rig's page, and "
            "enroll this machine with it. If this machine is another rig, add a rig for it."
        )


class RigRemoved(TokenError):
    """The rig of this token was removed."""

    kind = ErrorKind(410, "rig_removed", "Rig removed")


NOUNS = {
    TokenKind.RIG: "CPU/GPU rig",
    TokenKind.ASIC: "ASIC",
    TokenKind.SITE: "site",
    TokenKind.FARM: "farm",
}
A = {
    TokenKind.RIG: "a CPU/GPU rig",
    TokenKind.ASIC: "an ASIC",
    TokenKind.SITE: "a site",
    TokenKind.FARM: "a farm",
}
_KEY = KEY_HEADER.lower().encode()
BEARER = "Bearer "
Finder = Callable[[AsyncConnection, Collection[bytes]], Awaitable[Mapping[bytes, int]]]
TOKENS_BETWEEN_BREATHS = 500  # about 2 ms of hashing; then other tasks get the event loop
RIG_KINDS = {token_kind: rig_kind for rig_kind, token_kind in TOKEN_KINDS.items()}


class Credentials(NamedTuple):
    """The headers by which a sentry is known: `Authorization` with its token, and the key of its data folder."""

    authorization: str | None
    key: str | None


def credentials_of(scope: Scope) -> Credentials:
    return Credentials(header(scope, b"authorization"), header(scope, _KEY))


class Holder(NamedTuple):
    """The rig, site or farm that has a token. `key_hash` is set if a rig is bound to its machine."""

    id: int
    key_hash: bytes | None = None


class Tokens:
    """Rigs and sites by the hash of their token; those that are not in memory are read from the database once.

    `on_forget` is called with each token that was replaced, removed or bound here, so that other nodes may `drop` it.
    """

    def __init__(self, database: Database, on_forget: Callable[[bytes], None] = lambda token_hash: None) -> None:
        self._on_forget = on_forget
        self._database = database
        self._forgotten = 0
        self._finders: dict[TokenKind, Finder] = {}
        self._holders: dict[bytes, Holder] = {}  # a token's hash covers its kind: ids of different kinds don't mix

    def find_by(self, kind: TokenKind, finder: Finder) -> None:
        """Lets `finder` read the holders of this kind of token, by hash. Called while the commander is put together."""
        self._finders[kind] = finder

    async def rig_of(self, sender: Credentials) -> int:
        """The CPU/GPU rig whose token stands in an `Authorization: Bearer` header.

        Raises `InvalidToken`, `WrongKey` or `RigRemoved`.
        """
        authorization = sender.authorization or ""
        if authorization.startswith(BEARER):  # as in nearly every report; other spellings take longer
            token_hash = hash_of(authorization[len(BEARER) :], TokenKind.RIG)
            if token_hash and (holder := self._holders.get(token_hash)):
                check_key(holder.key_hash, sender.key)
                return holder.id
        return await self.holder_of(bearer_token(sender.authorization, TokenKind.RIG), sender)

    async def site_of(self, sender: Credentials) -> int:
        """The site whose token it is. Raises `InvalidToken`."""
        return await self.holder_of(bearer_token(sender.authorization, TokenKind.SITE), sender)

    async def check(self, scope: Scope) -> None:
        """Raises `InvalidToken`, `WrongKey` or `RigRemoved` if the request has no valid token of any kind."""
        sender = credentials_of(scope)
        await self.holder_of(bearer_token(sender.authorization), sender)

    async def holder_of(self, token: Token, sender: Credentials) -> int:
        """The rig, site or farm that has the token, if the sender has the key that belongs to it.

        Raises `InvalidToken`, `WrongKey` or `RigRemoved`.
        """
        token_hash = token.hash()
        holder = self._holders.get(token_hash) or (await self._look_up(token.kind, [token_hash]))[token_hash]
        if isinstance(holder, TokenError):
            raise holder
        check_key(holder.key_hash, sender.key)
        return holder.id

    async def asics_of(self, texts: Sequence[str]) -> list[int | TokenError]:
        """The ASIC of each token, or what is wrong with it; one query for all that are not in memory."""
        hashes = list[bytes | InvalidToken]()
        for start in range(0, len(texts), TOKENS_BETWEEN_BREATHS):
            hashes += [_asic_hash(text) for text in texts[start : start + TOKENS_BETWEEN_BREATHS]]
            await asyncio.sleep(0)
        holders: dict[bytes, Holder | TokenError] = {}
        for token_hash in hashes:
            if isinstance(token_hash, bytes) and (holder := self._holders.get(token_hash)):
                holders[token_hash] = holder
        missing = {each for each in hashes if isinstance(each, bytes)} - holders.keys()
        if missing:
            holders |= await self._look_up(TokenKind.ASIC, missing)
        found = [each if isinstance(each, TokenError) else holders[each] for each in hashes]
        return [each if isinstance(each, TokenError) else each.id for each in found]

    def forget(self, token_hash: bytes) -> None:
        """The token was replaced, its holder removed, or its rig bound to a machine."""
        self.drop(token_hash)
        self._on_forget(token_hash)

    def drop(self, token_hash: bytes) -> None:
        """The token is no longer what it was, here or at another node."""
        self._forgotten += 1
        self._holders.pop(token_hash, None)

    def drop_all(self) -> None:
        """Forgets all tokens, because news of replaced, removed and bound ones may have been missed."""
        self._forgotten += 1
        self._holders.clear()

    async def _look_up(self, kind: TokenKind, hashes: Collection[bytes]) -> dict[bytes, Holder | TokenError]:
        forgotten = self._forgotten
        async with self._database.reading() as db:
            finder = self._finders.get(kind)
            if finder:
                holders = {each: Holder(holder_id) for each, holder_id in (await finder(db, hashes)).items()}
            else:
                holders = await _find(db, kind, hashes)
            gone = await store.removed_among(db, set(hashes) - holders.keys()) if len(holders) < len(hashes) else set()
        if forgotten == self._forgotten:  # otherwise what was read may be dead by now
            self._holders |= holders
        noun = NOUNS[kind]
        removed = RigRemoved(f"This {noun} was removed from the commander. Add it again to get a new token.")
        invalid = InvalidToken(f"No {noun} has this token. Make a new one in the commander and enter it here.")
        return {each: holders.get(each) or (removed if each in gone else invalid) for each in hashes}


async def _find(db: AsyncConnection, kind: TokenKind, hashes: Collection[bytes]) -> dict[bytes, Holder]:
    if kind is not TokenKind.SITE:
        found = await store.find_tokens(db, RIG_KINDS[kind], hashes)
        return {each: Holder(*holder) for each, holder in found.items()}
    sites = {each: await accounts.find_key(db, site_tokens, each) for each in hashes}
    return {each: Holder(site.id) for each, site in sites.items() if site}


def check_key(key_hash: bytes | None, key: str | None) -> None:
    """Raises `WrongKey` if the token counts only with a key, and this is another one."""
    if key_hash is not None and not hmac.compare_digest(key_hash, secret_hash(key or "")):
        raise WrongKey


async def check_again(db: AsyncConnection, rig_id: int, token_hash: bytes, key: str) -> None:
    """Raises `InvalidToken` if the CPU/GPU rig has another token by now, `WrongKey` if it is bound to another key."""
    holder_id, key_hash = (await store.find_tokens(db, RigKind.CPU_GPU, [token_hash])).get(token_hash, (None, None))
    if holder_id != rig_id:
        raise InvalidToken("This token was replaced or its rig removed just now.")
    check_key(key_hash, key)


def bearer_token(authorization: str | None, kind: TokenKind | None = None) -> Token:
    """The token in an `Authorization: Bearer` header, of that kind if one is named. Raises `InvalidToken`."""
    scheme, _, text = (authorization or "").partition(" ")
    if scheme.lower() != "bearer":
        raise InvalidToken("Send the token as: Authorization: Bearer TOKEN.")
    return _checked(text, kind)


def _checked(text: str, kind: TokenKind | None) -> Token:
    try:
        token = parse_token(text)
    except BadToken as error:
        raise InvalidToken(str(error)) from error
    if kind not in (None, token.kind):
        raise InvalidToken(f"This token is one of kind {token.kind}, but that of {A[kind]} belongs here: mw_{kind}_….")
    return token


def _asic_hash(text: str) -> bytes | InvalidToken:
    try:
        return hash_of(text, TokenKind.ASIC) or _checked(text, TokenKind.ASIC).hash()
    except InvalidToken as error:
        return error
