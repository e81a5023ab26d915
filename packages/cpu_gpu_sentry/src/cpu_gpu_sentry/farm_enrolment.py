"""Enrolment with a farm token, and of a copy that finds out that it is one.

The sentry's key is stored before the first request. So a request whose answer was lost is made again with the same key,
and makes no second rig.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from typing import Protocol, TypeVar

from protocol.tokens import TokenKind
from sentry_kit.client import (
    Busy,
    CommanderClient,
    CommanderError,
    FarmTokenRefused,
    InvalidToken,
    IsCopy,
    commander_client,
)
from sentry_kit.enrol import check_enrolment, check_token, trusted_ca
from sentry_kit.errors import EnrolmentError
from sentry_kit.store import Enrolment, load_enrolment
from sentry_kit.trust import check_url

from cpu_gpu_sentry.identity import FarmToken, OwnKey, become_copy, load_key, own_key
from cpu_gpu_sentry.machine.fingerprint import Fingerprint

log = logging.getLogger(__name__)

PATIENCE_S = 180.0  # for an answer that is not clear yet
_USUAL_PAUSE_S = 5.0

T = TypeVar("T")
ReadMachine = Callable[[], Fingerprint]


class Change(Protocol):
    """Changes the store in one transaction, and returns what `write` returns."""

    async def __call__(self, write: Callable[[sqlite3.Connection], T], /) -> T: ...


async def check_farm_token(url_text: str, token_text: str) -> FarmToken:
    """Returns the farm token with the authority that it names. Raises `EnrolmentError`."""
    url, token = check_url(url_text), check_token(token_text, TokenKind.FARM)
    return FarmToken(url, token, await trusted_ca(url, token))


async def enrol_with(farm: FarmToken, agent: str, change: Change, machine: Fingerprint) -> Enrolment:
    """Returns the enrolment as a rig; the caller stores it. Raises `EnrolmentError`."""
    before, own = await change(load_enrolment), await change(load_key)
    if before is not None and (known := await _still_valid(farm, before, agent, own)) is not None:
        return known
    try:
        async with commander_client(farm.url, farm.token, farm.ca_pem, agent) as client:
            token, key = await _patiently(client, change, machine)
    except InvalidToken as error:
        text = "The commander does not know this farm token; make a new one there, under CPU/GPU rigs."
        raise EnrolmentError("token", text) from error
    except (FarmTokenRefused, IsCopy) as error:
        raise EnrolmentError("token", str(error)) from error
    except CommanderError as error:
        raise EnrolmentError("url", str(error)) from error
    return await check_enrolment(farm.url, token, TokenKind.RIG, agent, farm.ca_pem, key=key)


async def _still_valid(farm: FarmToken, before: Enrolment, agent: str, own: OwnKey | None) -> Enrolment | None:
    """Returns the enrolment that this sentry has with the same commander already, if its token is still good."""
    if before.token is None or before.url != farm.url:
        return None
    try:
        token, key = str(before.token), own.key if own else None
        return await check_enrolment(before.url, token, TokenKind.RIG, agent, before.ca_pem, key=key)
    except EnrolmentError as error:
        if error.field == "url":
            raise
        return None


async def _patiently(client: CommanderClient, change: Change, machine: Fingerprint) -> tuple[str, str]:
    """Returns the token of a rig and the key that belongs to it. Raises `CommanderError`."""
    clock = asyncio.get_running_loop().time
    until_s, key = clock() + PATIENCE_S, await change(own_key)
    while True:
        try:
            return (await client.enrol(key.on(machine))).token, key.key
        except IsCopy as error:
            if key.former_key is not None:
                raise
            log.warning("copy_noticed %s", error)
            key = await change(become_copy)
        except Busy as error:
            pause_s = error.retry_after_s or _USUAL_PAUSE_S
            if clock() + pause_s > until_s:
                raise
            await asyncio.sleep(pause_s)


async def enrol_copy(
    client: CommanderClient, key: OwnKey, before: Enrolment, agent: str, machine: Fingerprint
) -> Enrolment:
    """Returns the enrolment of a copy as a rig of its own. The client has the token of the rig that it is a copy of.

    Raises `CommanderError` or `EnrolmentError`.
    """
    enrolled = await client.enrol(key.on(machine))
    return await check_enrolment(before.url, enrolled.token, TokenKind.RIG, agent, before.ca_pem, key=key.key)


def has_farm_token(text: str) -> bool:
    """Returns whether a person has entered a farm token, or a part of one."""
    return text.strip().startswith(f"mw_{TokenKind.FARM}_")
