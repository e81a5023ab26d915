"""Maintenance, as the rest of the commander sees it."""

from datetime import datetime, timedelta

from commander.jobs.loop import Job
from commander.maintenance import api, pages, store
from commander.maintenance.actions import MaintenanceActions
from commander.maintenance.pages import maintenance_part
from commander.noun import Built, Core, Noun

KEPT = timedelta(days=90)


def build(core: Core) -> Built:

    async def forget_old(now: datetime) -> None:
        async with core.database.transaction() as db:
            await store.delete_before(db, now - KEPT)

    actions = MaintenanceActions(core.database, core.alerts.changed)
    core.alerts.add(maintenance_part(actions, core.database, core.lives))
    return Built(
        dependencies={"maintenance_actions": actions},
        jobs={"forget-maintenance": Job(timedelta(hours=12), forget_old)},
    )


NOUN = Noun(handlers=[*api.HANDLERS, *pages.HANDLERS], build=build)
