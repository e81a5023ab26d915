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


RIGHTS = """
/alerts/maintenance                       POST operate
/alerts/maintenance/{maintenance_id}/end  POST operate
/api/v1/maintenance                       GET view, POST operate
/api/v1/maintenance/{maintenance_id}      DELETE operate
?dialog=add-maintenance                   GET operate
?dialog=end-maintenance                   GET operate
"""
NOUN = Noun(handlers=[*api.HANDLERS, *pages.HANDLERS], build=build, rights=RIGHTS)
