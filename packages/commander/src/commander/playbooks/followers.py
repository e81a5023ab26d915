"""What happens to a rig's playbooks when something happens to the rig."""

from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from commander.playbooks import store
from commander.playbooks.changes import Changed, rerender
from commander.playbooks.delivery import Delivery
from commander.playbooks.domain import BadPlaybook
from commander.rigs.domain import BadName


class RigPlaybooks:
    """`rename` and `remove` belong to the transaction of the rig's own change, `tell` and `gone` come after it."""

    def __init__(self, delivery: Delivery, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._delivery = delivery
        self._now = now

    async def rename(self, db: AsyncConnection, rig_id: int, author: str) -> Changed:
        """Raises `BadName` if a script can't take the new one."""
        found = await store.playbooks_of(db, rig_id)
        try:
            return await rerender(db, found, author=author, what="The rig was renamed", now=self._now())
        except BadPlaybook as error:
            raise BadName(str(error)) from error

    async def remove(self, db: AsyncConnection, rig_id: int) -> None:
        """With their revisions, status and output."""
        await store.delete_playbooks_of(db, rig_id)

    async def tell(self, changed: Changed) -> None:
        await self._delivery.changed(changed.rig_ids)

    def gone(self, rig_id: int) -> None:
        """The rig was removed, or its token replaced."""
        self._delivery.gone(rig_id)
