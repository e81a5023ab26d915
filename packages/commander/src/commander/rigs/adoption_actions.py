"""Adoption: a site's sentry registers the ASICs that it has found, many at once, and gets their tokens."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from protocol import units
from protocol.asic_messages import AdoptedAsic, AdoptedRig, Adoption, AdoptionAnswer
from protocol.tokens import Token, TokenKind, new_token
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.accounts import store as accounts
from commander.accounts.tables import site_tokens
from commander.audit.actor import Actor, acting
from commander.audit.store import record, record_some
from commander.db import Database
from commander.limit_log import LimitLog
from commander.live.rigs import LiveRigs
from commander.problems import CommanderError, ErrorKind
from commander.registry.kinds import RigKind
from commander.registry.names import NAME_MAX_LENGTH, BadName, checked_name, name_key
from commander.registry.store import name_keys
from commander.registry.tokens import Tokens
from commander.rigs import adoption_store as store
from commander.rigs.adoption_store import Registered, Registration

ASICS_NAMED = 20  # in the audit log


class BadAdoption(BadName):
    """One of the ASICs can't be registered as it is called; `field` says which."""

    def __init__(self, at: int, field: str, text: str) -> None:
        super().__init__(text)
        self.field = f"rigs[{at}].{field}"


class SiteFull(CommanderError):
    """The site token has registered as many ASICs as one site may have."""

    kind = ErrorKind(409, "site_full", "Site full")

    def __init__(self, most: int) -> None:
        super().__init__(
            f"A site token registers {most:,} ASICs at most. Remove ASICs of this site, or raise COMMANDER_SITE_RIGS."
        )


@dataclass
class Plan:
    """The changes of one adoption: `tokens` and `names` are by key, the others are rows for the database."""

    tokens: dict[str, Token] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    new: list[Registration] = field(default_factory=list)
    replaced: dict[int, bytes] = field(default_factory=dict)
    dead: list[bytes] = field(default_factory=list)


def plan(
    asics: Iterable[AdoptedAsic],
    before: Mapping[str, Registered],
    taken: Iterable[str],
    *,
    make_token: Callable[[], Token],
) -> Plan:
    """Sorts new rigs from those that get a fresh token. An existing rig keeps its name: people may have renamed it.

    `taken` are the names of all ASICs, as `name_key` writes them. Raises `BadAdoption`.
    """
    made, names = Plan(), TakenNames(taken)
    for at, asic in enumerate(asics):
        key, asic_name = _checked(at, asic)
        if key in made.tokens:
            continue
        token = made.tokens[key] = make_token()
        registered = before.get(key)
        if registered:
            made.names[key] = registered.name
            made.replaced[registered.id] = token.hash()
            made.dead.append(registered.token_hash)
        else:
            made.names[key] = names.distinct(asic_name)
            made.new.append(Registration(made.names[key], key, token.hash()))
    return made


class TakenNames:
    """The names that are taken, as `name_key` writes them."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)
        self._numbers: dict[str, int] = {}

    def distinct(self, name: str) -> str:
        """`name`, with the first number behind it that makes it distinct if it has to be; now it is taken."""
        free_name, number = name, self._numbers.get(name, 1)
        while name_key(free_name) in self._taken:
            number += 1
            free_name = f"{name[: NAME_MAX_LENGTH - len(str(number)) - 1]}-{number}"
        self._numbers[name] = number
        self._taken.add(name_key(free_name))
        return free_name


def _checked(at: int, asic: AdoptedAsic) -> tuple[str, str]:
    key = _key_of(asic)
    if asic.key is not None and not key:
        raise BadAdoption(at, "key", "Give its MAC, or its address where the MAC is not known.")
    try:
        return key, checked_name(asic.name)
    except BadName as error:
        raise BadAdoption(at, "name", str(error)) from error


def _key_of(asic: AdoptedAsic) -> str:
    return (asic.name if asic.key is None else asic.key).strip()


class AdoptionActions:
    """`pin` is the fingerprint of the commander's own CA that goes into tokens, if it has one."""

    def __init__(
        self,
        database: Database,
        live: LiveRigs,
        tokens: Tokens,
        *,
        pin: str | None,
        rigs_of_site: int,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._live = live
        self._tokens = tokens
        self._pin = pin
        self._rigs_of_site = rigs_of_site
        self._limit_log = LimitLog()
        self._now = now

    async def adopt(self, site_id: int, adoption: Adoption) -> AdoptionAnswer:
        """Registers all of them or, with `BadAdoption` or `SiteFull`, none.

        Old tokens of known rigs stop working immediately.
        """
        now = self._now()
        async with self._database.transaction() as db:
            await accounts.touch_key(db, site_id, keys=site_tokens, now=now)
            before, taken = await store.registered_by(db, site_id), await name_keys(db, RigKind.ASIC)
            made = plan(adoption.rigs, before, taken, make_token=self._new_token)
            if made.new and len(before) + len(made.new) > self._rigs_of_site:
                name = await accounts.key_name(db, site_tokens, site_id)
                text = f"ASICs are refused: the site {name} has {len(before):,} of at most {self._rigs_of_site:,}"
                self._limit_log.note("of one site", text)
                raise SiteFull(self._rigs_of_site)
            ids = await store.insert_asics(db, site_id, made.new, now=now)
            await store.replace_tokens(db, made.replaced)
            await _note(db, await accounts.key_name(db, site_tokens, site_id), made, ids, now)
        for token_hash in made.dead:
            self._tokens.forget(token_hash)
        for each in made.new:
            self._live.added(ids[each.key], each.name, now)
        keys = [_key_of(asic) for asic in adoption.rigs]
        return AdoptionAnswer(rigs=[AdoptedRig(name=made.names[key], token=str(made.tokens[key])) for key in keys])

    def _new_token(self) -> Token:
        return new_token(TokenKind.ASIC, pin=self._pin)


async def _note(db: AsyncConnection, site: str, made: Plan, ids: Mapping[str, int], now: datetime) -> None:
    """Writes an entry for each new ASIC, of which a site can't have many, and one for all that have other tokens."""
    actor = Actor(f"site token {site}", acting().address)
    for key in ids:
        await record(
            db, "ASIC added", made.names[key], f"Registered by its site's sentry as {key}.", actor=actor, at=now
        )
    again = [name for key, name in made.names.items() if key not in ids]
    if again:
        names = units.listed(again, ASICS_NAMED)
        text = f"Registered again by their site's sentry, with other tokens: {names}."
        await record_some(db, "tokens of ASICs replaced", site, text, actor=actor, at=now)
