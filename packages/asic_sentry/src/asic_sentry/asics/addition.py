"""Adds one ASIC: identifies it and checks its token with the commander, both at once. Each error names its field."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, TypeVar

from protocol.asic_messages import AsicSpecs
from protocol.tokens import Token, TokenKind
from sentry_kit import store as kit
from sentry_kit.client import InvalidToken, RigRemoved
from sentry_kit.enrol import check_enrolment
from sentry_kit.errors import EnrolmentError, SentryError
from sentry_kit.store import Enrolment

from asic_sentry.access import using
from asic_sentry.addresses import BadAddress, check_address
from asic_sentry.arp import macs_by_ip
from asic_sentry.asics import store
from asic_sentry.asics.asic import Rig
from asic_sentry.asics.logins import Logins, load_logins, login_for
from asic_sentry.asics.store import KEPT, SCHEMA, NewAsic
from asic_sentry.failures import PollFailure
from asic_sentry.identify import identify
from asic_sentry.models import MODELS, Model, find, makes_of, model_named
from asic_sentry.poll import Identity

LEAVE_IT = "Without a model the sentry finds it out."
NO_COMMANDER = "This sentry has no commander yet. Connect it first: the commander checks the token."

T = TypeVar("T")


class NotAdded(SentryError):
    """The ASIC was not added. `errors` by field: `ip`, `port` and `model` are about the ASIC, `token` is about the
    token."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        asic = " ".join(errors[field] for field in ("ip", "port", "model") if field in errors)
        sentences = [f"The ASIC failed: {asic}"] if asic else []
        sentences += [f"The token failed: {errors['token']}"] if "token" in errors else []
        super().__init__(" ".join(sentences))
        self.errors = errors


class TokenOwner(NamedTuple):
    """The rig that a token belongs to, and the certificate authority that the token names."""

    token: Token
    rig: Rig
    ca_pem: str | None


class Added(NamedTuple):
    ip: str
    model: str
    rig: str


async def add(path: Path, ip: str, port: str | None, model: str | None, token: str, agent: str) -> Added:
    """Adds the ASIC at this IP. Raises `NotAdded`."""
    commander = _commander(path)
    async with asyncio.TaskGroup() as group:
        asic = group.create_task(_or_error(_check_asic(ip, port, model, _logins(path))))
        rig = group.create_task(_or_error(check_token(commander, token, agent)))
    identity, owner = asic.result(), rig.result()
    if isinstance(identity, NotAdded) or isinstance(owner, NotAdded):
        raise NotAdded({**_errors(identity), **_errors(owner)})
    mac = identity.specs.mac or macs_by_ip().get(identity.ip)
    new = NewAsic(identity=identity, operator_model=model or None, mac=mac, token=owner.token, rig=owner.rig)
    with kit.changing(path, SCHEMA, KEPT) as db:
        _check_unused(store.holder_of(db, owner.token), identity.ip)
        store.put_asic(db, new, datetime.now(UTC))
        _trust(db, owner)
    name = " ".join(word for word in (identity.specs.make, identity.specs.model) if word)
    return Added(identity.ip, name or "an ASIC that does not say what it is", owner.rig.name or "–")


async def give_token(path: Path, asic_id: int, ip: str, token: str, agent: str) -> None:
    """Stores a new token for a listed ASIC. Raises `NotAdded`."""
    owner = await check_token(_commander(path), token, agent)
    with kit.changing(path, SCHEMA, KEPT) as db:
        _check_unused(store.holder_of(db, owner.token), ip)
        store.give_token(db, asic_id, owner.token, owner.rig)
        _trust(db, owner)


async def check_token(commander: Enrolment | None, text: str, agent: str) -> TokenOwner:
    """Returns the rig that the token belongs to, as the commander reports it. Raises `NotAdded`."""
    if commander is None:
        raise NotAdded({"token": NO_COMMANDER})
    try:
        enrolment = await check_enrolment(commander.url, text, TokenKind.ASIC, agent, commander.ca_pem)
    except EnrolmentError as error:
        raise NotAdded({"token": _token_error(error)}) from error
    assert enrolment.token is not None  # noqa: S101 - it was given one
    return TokenOwner(enrolment.token, Rig(enrolment.rig_id, enrolment.rig_name), enrolment.ca_pem)


def _token_error(error: EnrolmentError) -> str:
    match error.__cause__:
        case InvalidToken():
            return "The commander does not know it; copy it again, or make a new one on the ASIC's page there."
        case RigRemoved():
            return "Its rig was removed from the commander; add the ASIC there again and use its new token."
    return str(error) if error.field == "token" else f"It could not be checked. {error}"


async def _check_asic(ip: str, port: str | None, model: str | None, logins: Logins) -> Identity:
    try:
        address, at = check_address(ip, port)
    except BadAddress as error:
        raise NotAdded({error.field: str(error)}) from error
    if model and not makes_of(model):
        raise NotAdded({"model": f"This sentry does not know the model “{model[:80]}”. {LEAVE_IT}"})
    with using(login_for(logins, address, model or None)):
        result = await identify(address, at, model or None)
    if isinstance(result, PollFailure):
        raise NotAdded({"ip": f"{address} ({result.kind}) {result.detail}"})
    if model:
        _check_model(model, result.specs)
    return result


def _check_model(model: str, specs: AsicSpecs) -> None:
    """Compares the operator's choice with what the ASIC reports, if the table of models has both."""
    chosen, own = model_named(model), find(specs.make or "", specs.model or "")
    if chosen and own and own in MODELS and own != chosen:
        sentence = f"The ASIC says that it is {_with_article(own)}, not {_with_article(chosen)}."
        raise NotAdded({"model": f"{sentence} Choose {own.make} {own.name}. {LEAVE_IT}"})


def _with_article(model: Model) -> str:
    return f"{'an' if model.make[0] in 'AEIOU' else 'a'} {model.make} {model.name}"


async def _or_error(check: Awaitable[T]) -> T | NotAdded:
    try:
        return await check
    except NotAdded as error:
        return error


def _errors(result: object) -> Mapping[str, str]:
    return result.errors if isinstance(result, NotAdded) else {}


def _commander(path: Path) -> Enrolment | None:
    with closing(kit.open_store(path, SCHEMA)) as db:
        return kit.load_enrolment(db)


def _logins(path: Path) -> Logins:
    with closing(kit.open_store(path, SCHEMA)) as db:
        return load_logins(db)


def _check_unused(holder: str | None, ip: str) -> None:
    if holder not in (None, ip):
        raise NotAdded({"token": f"It is that of the ASIC at {holder} already; each ASIC has its own."})


def _trust(db: sqlite3.Connection, owner: TokenOwner) -> None:
    """Trusts the authority that the token names from now on: a commander that was set up again has a new one."""
    commander = kit.load_enrolment(db)
    if commander is not None and owner.ca_pem is not None and commander.ca_pem != owner.ca_pem:
        kit.save_enrolment(db, replace(commander, ca_pem=owner.ca_pem))
