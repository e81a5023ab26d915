"""Notes that somebody was seen."""

import logging
from collections.abc import Awaitable, Callable

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.db import Database
from commander.problems import DatabaseProblem

log = logging.getLogger(__name__)


async def note_visit(database: Database, touch: Callable[[AsyncConnection], Awaitable[None]]) -> None:
    """Notes a visit, if it can be noted: on a full disk people must still be able to look."""
    try:
        async with database.transaction() as db:
            await touch(db)
    except (DBAPIError, DatabaseProblem) as error:
        log.warning("a visit could not be noted: %s", error)
