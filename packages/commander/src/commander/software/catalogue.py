"""The catalogue that ships with the commander (`catalogue.toml`), brought into the database at each start."""

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import cache
from importlib.resources import files

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.software import store
from commander.software.checks import checked_script
from commander.software.domain import Download, MiningSoftware, SoftwareTaken


@cache
def shipped() -> Mapping[str, MiningSoftware]:
    """The mining software that this version of the commander ships, by key."""
    text = files("commander.software").joinpath("catalogue.toml").read_text(encoding="utf-8")
    entries = {key: msgspec.convert(value, MiningSoftware) for key, value in tomllib.loads(text).items()}
    return {key: _with_plain_scripts(about) for key, about in entries.items()}


def _with_plain_scripts(about: MiningSoftware) -> MiningSoftware:
    return replace(about, linux=_plain(about.linux), windows=_plain(about.windows))


def _plain(download: Download | None) -> Download | None:
    return download and replace(download, script=checked_script(download.script))


async def bring_in(db: AsyncConnection, used: set[int], *, now: datetime) -> None:
    """Adds new shipped software and updates entries that no person has edited.

    Entries that people changed or removed stay as they are, and so do those that a playbook uses (`used`): a restart of
    the commander must not restart miners.
    """
    shipped_before, removed = await store.shipped_state(db), await store.removed_keys(db)
    for key, about in shipped().items():
        if key in shipped_before:
            software_id, edited, was = shipped_before[key]
            if not edited and was != about and software_id not in used:
                await store.update_software(db, software_id, about, edited=False, now=now)
        elif key not in removed:
            await _add(db, key, about, now=now)


async def _add(db: AsyncConnection, key: str, about: MiningSoftware, *, now: datetime) -> None:
    async with db.begin_nested() as savepoint:
        try:
            await store.insert_software(db, about, now=now, shipped_key=key)
        except SoftwareTaken:  # somebody has added the same version by hand: theirs is kept
            await savepoint.rollback()
