"""Joining and leaving a commander: the same for the command line and the local page, each over its own
connection."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from protocol.tokens import TokenKind
from sentry_kit import store
from sentry_kit.enrol import check_enrolment
from sentry_kit.errors import SentryError
from sentry_kit.lock import is_running
from sentry_kit.store import Enrolment

from cpu_gpu_sentry import identity
from cpu_gpu_sentry.commands import store as command_store
from cpu_gpu_sentry.farm_enrolment import Change, check_farm_token, enrol_with, has_farm_token
from cpu_gpu_sentry.identity import FarmToken
from cpu_gpu_sentry.ladder import store as ladder_store
from cpu_gpu_sentry.machine.fingerprint import Fingerprint, read_fingerprint
from cpu_gpu_sentry.miner_notes import SCHEMA as MINER_NOTES
from cpu_gpu_sentry.playbooks import store as playbook_store
from cpu_gpu_sentry.removal import stop_and_delete_mining
from cpu_gpu_sentry.signing import store as signing_store
from cpu_gpu_sentry.watches import SCHEMA as WATCHES

STORE = "sentry.db"
SCHEMA = (
    store.SCHEMA
    + WATCHES
    + playbook_store.SCHEMA
    + MINER_NOTES
    + ladder_store.SCHEMA
    + command_store.SCHEMA
    + signing_store.SCHEMA
    + identity.SCHEMA
)
KEPT = dict.fromkeys(
    ("enrolment", "watch", "watch_token", "wanted", "pin", "ladder", "command", "signing", "identity", "farm_token"),
    "*",
)

T = TypeVar("T")


class Checked(NamedTuple):
    """An enrolment that a commander has confirmed, and the farm token that it was made with."""

    enrolment: Enrolment
    farm: FarmToken | None = None


async def checked(url: str, token: str, agent: str, change: Change, machine: Fingerprint) -> Checked:
    """Asks the commander. Raises `EnrolmentError`."""
    if not has_farm_token(token):
        own = await change(identity.load_key)
        return Checked(await check_enrolment(url, token, TokenKind.RIG, agent, key=own.key if own else None))
    farm = await check_farm_token(url, token)
    return Checked(await enrol_with(farm, agent, change, machine), farm)


async def enroll(path: Path, url: str, token: str, agent: str) -> Enrolment:
    """Checks both with the commander, then stores them; raises `EnrolmentError`."""

    async def change(write: Callable[[sqlite3.Connection], T]) -> T:
        with store.changing(path, SCHEMA, KEPT) as db:
            return write(db)

    enrolment, farm = await checked(url, token, agent, change, read_fingerprint())
    await change(lambda db: save(db, enrolment, farm))
    return enrolment


def save(db: sqlite3.Connection, enrolment: Enrolment, farm: FarmToken | None = None) -> None:
    """Stores the enrolment and the commander's key. Playbooks of a former rig are removed from the store.

    A farm token stays, for images. The sentry's own key is made now, so that each copy of the data folder has it.
    """
    old = store.load_enrolment(db)
    if old is not None and not old.same_rig(enrolment):
        _forget_orders(db)
    store.save_enrolment(db, enrolment)
    signing_store.pin_at_enrolment(db, enrolment)
    identity.settle(db)
    identity.own_key(db)
    if farm is not None:
        identity.save_farm_token(db, farm)


def save_same_commander(enrolment: Enrolment, db: sqlite3.Connection, farm: FarmToken | None = None) -> None:
    """Saves the enrolment if the commander is the same: the local page must not hand the rig to another one."""
    store.check_same_commander(store.load_enrolment(db), enrolment)
    save(db, enrolment, farm)


def forget(db: sqlite3.Connection) -> None:
    """Forgets the commander and the logs that wait for it, and notes that nothing is to run."""
    store.forget_commander(db)
    signing_store.forget_pin(db)
    identity.forget_farm_token(db)
    _forget_orders(db)


def _forget_orders(db: sqlite3.Connection) -> None:
    """Forgets everything that a commander has ordered."""
    playbook_store.want_nothing(db)
    ladder_store.forget_commander(db)
    command_store.forget_commander(db)


def leave(path: Path) -> None:
    """Forgets the commander, and stops and removes all its playbooks."""
    with store.changing(path, SCHEMA, KEPT) as db:
        forget(db)
    stop_and_delete_mining(path.parent)


async def prepare_image(path: Path, url: str | None, token: str | None) -> FarmToken:
    """Forgets the rig, its token and the identity, and keeps the farm token: each copy of the disk becomes a rig.

    Playbooks are stopped and removed. Raises `SentryError` if the sentry runs, or if there is no farm token.
    """
    if is_running(path.parent):
        raise SentryError(
            "The sentry runs, and would enroll this machine again; stop it first, such as with "
            "systemctl stop minewarden-cpu-gpu-sentry."
        )
    given = await check_farm_token(url, token) if url and token else None
    with store.changing(path, SCHEMA, KEPT) as db:
        farm = given or identity.load_farm_token(db)
        if farm is None:
            raise SentryError(
                "There is no farm token here; make one in the commander, under CPU/GPU rigs, and type cpu-gpu-sentry "
                "prepare-image --url URL"
            )
        forget(db)
        identity.forget_key(db)
        identity.save_farm_token(db, farm)
    stop_and_delete_mining(path.parent)
    return farm
