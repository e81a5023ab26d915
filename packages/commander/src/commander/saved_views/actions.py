"""Actions of people on saved views. Each is one transaction."""

from collections.abc import Callable, Mapping, Sequence

from commander.audit.store import record
from commander.db import Database
from commander.live.cached import Cached
from commander.live.cluster import SingleNode, Topic
from commander.problems import CommanderError, ErrorKind
from commander.registry.kinds import RigKind
from commander.registry.names import BadName, checked_name
from commander.saved_views import link_store, store
from commander.saved_views.domain import link_owner
from commander.saved_views.store import SavedView

VIEWS_OF_A_KIND = 50
SAVED_VIEWS = Topic("saved_views", int)


class TooManyViews(CommanderError):
    """There is no room for another view."""

    kind = ErrorKind(422, "too_many_views", "Too many views", field="name")


class SavedViewActions:
    """Saves and removes views. A node that is alone caches them, because each index page shows them.

    Of several nodes each reads them from the database: the page after a form may come from another node, and sooner
    than the news of the change.

    `on_end` gets each link whose view has changed or is gone, as `link_owner` names it, to close its WebSockets. The
    pages load again, and show the new view, or that the link is not valid any more.
    """

    def __init__(self, database: Database, *, is_alone: bool, on_end: Callable[[str], None]) -> None:
        self._database = database
        self._cached = Cached(SAVED_VIEWS, SingleNode(), self._read)
        self._is_alone = is_alone
        self._on_end = on_end

    async def all(self) -> Mapping[RigKind, Sequence[SavedView]]:
        """Returns the views of each kind of rig, by name."""
        return await (self._cached.get() if self._is_alone else self._read())

    async def _read(self) -> dict[RigKind, list[SavedView]]:
        async with self._database.reading() as db:
            return {kind: await store.views_of(db, kind) for kind in RigKind}

    async def save(self, kind: RigKind, name: str, query: str) -> None:
        """Adds the view, or replaces the one that has this name. Raises `BadName` or `TooManyViews`."""
        if not name.strip():
            raise BadName("Give the view a name.")
        name = checked_name(name)
        async with self._database.transaction() as db:
            view_id = await store.put_view(db, kind, name, query)
            if len(await store.views_of(db, kind)) > VIEWS_OF_A_KIND:
                raise TooManyViews(
                    f"There are {VIEWS_OF_A_KIND} views. Remove one first, or give this the name of one."
                )
            await record(db, "view saved", name, query)
            links = await link_store.links_of_view(db, view_id)
        self._cached.changed()
        self._close(links)

    async def remove(self, kind: RigKind, view_id: int) -> None:
        """Removes the view and its links. A view that is gone already is no error."""
        async with self._database.transaction() as db:
            links = await link_store.links_of_view(db, view_id)
            name = await store.delete_view(db, kind, view_id)
            if name is None:
                return
            ended = f"{len(links)} view {'link has' if len(links) == 1 else 'links have'} ended." if links else ""
            await record(db, "view removed", name, ended)
        self._cached.changed()
        self._close(links)

    def _close(self, links: list[int]) -> None:
        for link_id in links:
            self._on_end(link_owner(link_id))
