"""Whose report is this? The sentries' tokens, in memory as their hashes."""

from protocol.tokens import BadToken, TokenKind, parse_token

from commander.db import Database
from commander.rigs import store


class InvalidToken(Exception):
    """No rig has this token."""


class RigRemoved(Exception):
    """The rig of this token was removed."""


class Tokens:
    """Rigs by the hash of their token; what is not in memory is asked of the database once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rigs: dict[bytes, int] = {}

    async def rig_of(self, authorization: str | None) -> int:
        """The rig whose token stands in an `Authorization: Bearer` header.

        Raises `InvalidToken` or `RigRemoved`.
        """
        token_hash = _token_hash(authorization)
        rig_id = self._rigs.get(token_hash)
        return await self._look_up(token_hash) if rig_id is None else rig_id

    def forget(self, token_hash: bytes) -> None:
        """The token was replaced, or its rig removed."""
        self._rigs.pop(token_hash, None)

    async def _look_up(self, token_hash: bytes) -> int:
        async with self._database.reading() as db:
            rig_id = await store.find_token(db, token_hash)
            if rig_id is None:
                if await store.is_removed(db, token_hash):
                    raise RigRemoved("This rig was removed from the commander. Add it again to get a new token.")
                raise InvalidToken("No rig has this token. Make a new one on the rig's page and enrol with it.")
        self._rigs[token_hash] = rig_id
        return rig_id


def _token_hash(authorization: str | None) -> bytes:
    scheme, _, text = (authorization or "").partition(" ")
    if scheme.lower() != "bearer":
        raise InvalidToken("Send the rig's token as: Authorization: Bearer TOKEN.")
    try:
        token = parse_token(text)
    except BadToken as error:
        raise InvalidToken(str(error)) from error
    if token.kind is not TokenKind.RIG:
        raise InvalidToken(f"This is a token of kind {token.kind}; a CPU/GPU rig's begins with mw_rig_.")
    return token.hash()
