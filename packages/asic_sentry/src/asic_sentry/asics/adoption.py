"""Adopts many ASICs at once: with a site token the commander makes a rig of each and returns their tokens."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, closing
from datetime import UTC, datetime
from pathlib import Path
from string import Formatter
from typing import NamedTuple

from protocol.asic_messages import AdoptedAsic, AdoptedRig, Adoption, AdoptionAnswer
from protocol.tokens import BadToken, parse_token
from sentry_kit import store as kit
from sentry_kit.client import CommanderClient, CommanderError, InvalidToken, commander_client
from sentry_kit.errors import BadUse, SentryError
from sentry_kit.store import Enrolment

from asic_sentry.asics import store
from asic_sentry.asics.asic import Rig
from asic_sentry.asics.store import KEPT, SCHEMA, NewAsic
from asic_sentry.scan import ScannedAsic

PATTERN = "{model}-{ip}"
PLACEHOLDERS = ("model", "make", "ip", "mac", "hostname", "serial")
_NAME_LIMIT = 64
_AT_ONCE = 200  # each takes the commander a rig and a token

Connect = Callable[[Enrolment], AbstractAsyncContextManager[CommanderClient]]


class BadPattern(BadUse):
    """A pattern that makes no names."""


class CannotAdopt(SentryError):
    """Not all ASICs were adopted; the text says why."""


class Adopted(NamedTuple):
    ip: str
    name: str


def check_pattern(pattern: str) -> str:
    """Returns the pattern without spaces around it. Raises `BadPattern`."""
    text = pattern.strip() or PATTERN
    try:
        parts = list(Formatter().parse(text))
    except ValueError as error:
        raise BadPattern(f"“{text}” is no pattern: each {{ needs its }}.") from error
    if any(word is not None and (word not in PLACEHOLDERS or spec or change) for _, word, spec, change in parts):
        raise BadPattern(f"“{text}” is no pattern; it may hold {', '.join(f'{{{word}}}' for word in PLACEHOLDERS)}.")
    return text


def name_for(asic: ScannedAsic, pattern: str) -> str:
    """Returns the rig's name, cut off if it is too long. The commander makes names distinct. Unknown values are left
    out."""
    specs = asic.identity.specs
    values = {
        "model": specs.model or specs.make or "ASIC",
        "make": specs.make or "ASIC",
        "ip": asic.identity.ip,
        "mac": asic.mac or "",
        "hostname": specs.hostname or "",
        "serial": specs.serial_number or "",
    }
    name = " ".join(pattern.format(**values).split()).strip("-_ ")
    return name[:_NAME_LIMIT] or asic.identity.ip


def keys_of(asics: Sequence[ScannedAsic], answering: Collection[str | None] = ()) -> list[str]:
    """Returns a key for each ASIC by which the commander recognises it at a second attempt: its MAC, or else its
    address.

    A MAC of several ASICs is no key. `answering` has the MACs of listed ASICs that answer at another address.
    """
    times = Counter([*(each.mac for each in asics), *answering])
    return [each.mac if each.mac and times[each.mac] == 1 else each.identity.ip for each in asics]


async def adopt(path: Path, asics: Sequence[ScannedAsic], pattern: str, agent: str) -> list[Adopted]:
    """Adopts those of `asics` that are not listed yet, in their order. Raises `CannotAdopt` or `BadPattern`."""
    form = check_pattern(pattern)
    with closing(kit.open_store(path, SCHEMA)) as db:
        commander = kit.load_enrolment(db)
        listed = store.load_asics(db)
    if commander is None or commander.token is None:
        raise CannotAdopt("Adopting needs a site token: make one in the commander's settings, and connect with it.")
    ips, answering = {asic.ip for asic in listed}, {asic.mac for asic in listed if asic.failure is None}
    elsewhere = {asic.mac: asic.id for asic in listed if asic.mac and asic.failure is not None}
    new = [each for each in asics if each.identity.ip not in ips]
    adopted: list[Adopted] = []
    async with commander_client(commander.url, commander.token, commander.ca_pem, agent) as client:
        for start in range(0, len(new), _AT_ONCE):
            part = new[start : start + _AT_ONCE]
            keys = keys_of(part, answering)
            adopted += _store(path, part, await _ask(client, part, keys, form), [elsewhere.get(key) for key in keys])
    return adopted


async def _ask(
    client: CommanderClient, asics: Sequence[ScannedAsic], keys: Sequence[str], pattern: str
) -> list[AdoptedRig]:
    rigs = [AdoptedAsic(name=name_for(each, pattern), key=key) for each, key in zip(asics, keys, strict=True)]
    try:
        answer = await client.post("api/v1/sentry/asic-rigs", Adoption(rigs=rigs), AdoptionAnswer)
    except InvalidToken as error:
        sentence = "The commander does not know the site token any longer; make a new one in its settings, and connect."
        raise CannotAdopt(sentence) from error
    except CommanderError as error:
        raise CannotAdopt(f"Nothing more was adopted: {error}") from error
    if len(answer.rigs) != len(rigs):
        raise CannotAdopt("The commander answered for another number of ASICs than it was asked for; update it.")
    return answer.rigs


def _store(
    path: Path, asics: Sequence[ScannedAsic], rigs: Sequence[AdoptedRig], existing_ids: Sequence[int | None]
) -> list[Adopted]:
    """Stores the adopted ASICs. One that was listed at an earlier address keeps its row and its override."""
    now = datetime.now(UTC)
    with kit.changing(path, SCHEMA, KEPT) as db:
        for each, rig, existing_id in zip(asics, rigs, existing_ids, strict=True):
            try:
                token = parse_token(rig.token)
            except BadToken as error:
                raise CannotAdopt("The commander answered something that is no token; update it.") from error
            new = NewAsic(
                identity=each.identity, operator_model=None, mac=each.mac, token=token, rig=Rig(None, rig.name)
            )
            store.put_asic(db, new, now, existing_id=existing_id)
    return [Adopted(each.identity.ip, rig.name) for each, rig in zip(asics, rigs, strict=True)]
