"""Makes dictionaries from the farm's own logs, because a single log is too short to be packed well.

A job makes one as soon as there are enough logs, and another when logs have changed so much that it pays.
"""

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
import zstandard
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.db import Database, to_us
from commander.raw_logs.codec import Packer, learn
from commander.raw_logs.dictionaries import Newest, newest_of
from commander.raw_logs.store import read_logs
from commander.raw_logs.tables import log_dictionaries as dictionaries
from commander.registry.kinds import RigKind
from commander.registry.tables import RIGS

log = logging.getLogger(__name__)
SIZE = 64 * 1024
RIGS_ASKED, LOGS_OF_EACH = 60, 20
LOGS_NEEDED = 400
LOOKED_BACK = timedelta(hours=3)
EVERY = timedelta(days=30)
WORSE = 1.15  # than when it was made: then a new one is tried
BETTER = 0.95  # than the old one: then the new one is taken; in place of the shipped one in any case that it is better


async def make_if_it_pays(database: Database, packer: Packer, *, now: datetime) -> None:
    """For each kind of rig."""
    for kind in RigKind:
        async with database.reading() as db:
            newest = await newest_of(db, kind)
            samples = await _samples(db, kind, now=now)
        if len(samples) < LOGS_NEEDED:
            continue
        ratio = await asyncio.to_thread(_ratio, newest, samples[1::2])
        if newest and now - newest.made_at < EVERY and ratio < WORSE * newest.ratio:
            continue
        made = await asyncio.to_thread(made_from, samples[::2])
        learn(made.dict_id(), made.as_bytes())
        candidate = Newest(made.dict_id(), now, 1.0)
        its_ratio = await asyncio.to_thread(_ratio, candidate, samples[1::2])
        if its_ratio < (ratio if newest and newest.is_starter else BETTER * ratio):
            await _keep(database, kind, candidate._replace(ratio=its_ratio), made.as_bytes())
            packer.use(kind, candidate.number)
            log.info("logs of kind %s are packed with a new dictionary, to %.1f %%", kind, 100 * its_ratio)


async def _samples(db: AsyncConnection, kind: RigKind, *, now: datetime) -> list[bytes]:
    """Newest logs of some of the rigs, mixed."""
    rigs = RIGS[kind]
    chosen = await db.execute(sa.select(rigs.c.id).order_by(sa.func.random()).limit(RIGS_ASKED))
    since_us, until_us = to_us(now - LOOKED_BACK), to_us(now + timedelta(minutes=10))
    bodies: list[bytes] = []
    ids = list(chosen.scalars())
    each = max(LOGS_OF_EACH, LOGS_NEEDED * 2 // max(1, len(ids)))
    for rig_id in ids:
        stored = await read_logs(db, kind, rig_id, from_us=since_us, before_us=until_us, limit=each)
        bodies += [one.body for one in stored]
    return bodies


def made_from(samples: Sequence[bytes]) -> zstandard.ZstdCompressionDict:
    digest = hashlib.sha256(b"\0".join(samples)).digest()
    number = int.from_bytes(digest[:4]) | 1 << 31  # no two databases use the same number
    return zstandard.train_dictionary(SIZE, list(samples), dict_id=number)


def _ratio(dictionary: Newest | None, samples: Sequence[bytes]) -> float:
    packer = Packer({RigKind.CPU_GPU: dictionary.number} if dictionary else None)
    packed = sum(len(packer.pack(RigKind.CPU_GPU, body)[1]) for body in samples)
    return packed / sum(map(len, samples))


async def _keep(database: Database, kind: RigKind, made: Newest, body: bytes) -> None:
    async with database.transaction() as db:
        values = {"id": made.number, "kind": kind, "made_at": made.made_at, "ratio": made.ratio, "body": body}
        await db.execute(sa.insert(dictionaries).values(values))
