"""Joining and leaving a commander: the same for the command line and the local page, each over its own
connection."""

import sqlite3
from pathlib import Path

from protocol.tokens import TokenKind
from sentry_kit import store
from sentry_kit.enrol import check_enrolment
from sentry_kit.store import Enrolment

from cpu_gpu_sentry.commands import store as command_store
from cpu_gpu_sentry.ladder import store as ladder_store
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
)
KEPT = dict.fromkeys(("enrolment", "watch", "watch_token", "wanted", "pin", "ladder", "command", "signing"), "*")


async def enroll(path: Path, url: str, token: str, agent: str) -> Enrolment:
    """Checks both with the commander, then stores them; raises `EnrolmentError`."""
    enrolment = await check_enrolment(url, token, TokenKind.RIG, agent)
    with store.changing(path, SCHEMA, KEPT) as db:
        save(db, enrolment)
    return enrolment


def save(db: sqlite3.Connection, enrolment: Enrolment) -> None:
    """Stores the enrolment and the commander's key. Playbooks of a former rig are removed from the store."""
    old = store.load_enrolment(db)
    if old is not None and not old.same_rig(enrolment):
        _forget_orders(db)
    store.save_enrolment(db, enrolment)
    signing_store.pin_at_enrolment(db, enrolment)


def save_same_commander(enrolment: Enrolment, db: sqlite3.Connection) -> None:
    """Saves the enrolment if the commander is the same: the local page must not hand the rig to another one."""
    store.check_same_commander(store.load_enrolment(db), enrolment)
    save(db, enrolment)


def forget(db: sqlite3.Connection) -> None:
    """Forgets the commander and the logs that wait for it, and notes that nothing is to run."""
    store.forget_commander(db)
    signing_store.forget_pin(db)
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
