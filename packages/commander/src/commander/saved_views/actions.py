"""Actions of people on saved views. Each is one transaction."""

from commander.audit.store import record
from commander.db import Database
from commander.problems import CommanderError, ErrorKind
from commander.registry.kinds import RigKind
from commander.registry.names import BadName, checked_name
from commander.saved_views import store

VIEWS_OF_A_KIND = 50


class TooManyViews(CommanderError):
    """There is no room for another view."""

    kind = ErrorKind(422, "too_many_views", "Too many views", field="name")


async def save_view(database: Database, kind: RigKind, name: str, query: str) -> None:
    """Adds the view, or replaces the one that has this name. Raises `BadName` or `TooManyViews`."""
    if not name.strip():
        raise BadName("Give the view a name.")
    name = checked_name(name)
    async with database.transaction() as db:
        await store.put_view(db, kind, name, query)
        if len(await store.views_of(db, kind)) > VIEWS_OF_A_KIND:
            raise TooManyViews(f"There are {VIEWS_OF_A_KIND} views. Remove one first, or give this the name of one.")
        await record(db, "view saved", name, query)


async def remove_view(database: Database, kind: RigKind, view_id: int) -> None:
    """A view that is gone already is no error."""
    async with database.transaction() as db:
        name = await store.delete_view(db, kind, view_id)
        if name is not None:
            await record(db, "view removed", name)
