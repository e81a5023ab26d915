"""Joining and leaving a commander: the same for the command line and the local page, each over its own
connection."""

from contextlib import closing
from pathlib import Path

from protocol.tokens import TokenKind
from sentry_kit import store
from sentry_kit.enrol import check_enrolment
from sentry_kit.store import Enrolment

from cpu_gpu_sentry.removal import stop_and_delete_mining
from cpu_gpu_sentry.watches import SCHEMA as WATCHES

STORE = "sentry.db"
SCHEMA = store.SCHEMA + WATCHES


async def enroll(path: Path, url: str, token: str, agent: str) -> Enrolment:
    """Checks both with the commander, then stores them; raises `EnrolmentError`."""
    enrolment = await check_enrolment(url, token, TokenKind.RIG, agent)
    with closing(store.open_store(path, SCHEMA)) as db, store.transaction(db):
        store.save_enrolment(db, enrolment)
    return enrolment


def leave(path: Path) -> None:
    """Forgets the commander with the logs that were meant for it, and stops and removes what it made this rig
    do."""
    with closing(store.open_store(path, SCHEMA)) as db:
        stop_and_delete_mining()
        with store.transaction(db):
            store.forget_commander(db)
