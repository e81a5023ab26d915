"""The audit log, as the rest of the commander sees it."""

from datetime import datetime, timedelta

from commander.audit.store import delete_entries_before
from commander.audit_pages import api, pages
from commander.jobs.loop import Job
from commander.noun import Built, Core, Noun

ENTRIES_A_TRANSACTION = 1_000  # so that other changes hardly wait


def build(core: Core) -> Built:
    kept = timedelta(days=core.settings.audit_kept_days)

    async def drop_old_entries(now: datetime) -> None:
        deleted = ENTRIES_A_TRANSACTION
        while deleted == ENTRIES_A_TRANSACTION:
            async with core.database.transaction() as db:
                deleted = await delete_entries_before(db, now - kept, limit=ENTRIES_A_TRANSACTION)

    return Built(jobs={"drop-old-audit-entries": Job(timedelta(hours=6), drop_old_entries)})


RIGHTS = """
/api/v1/audit  GET view
/audit         GET view
/audit.csv     GET view
"""
NOUN = Noun(handlers=[*api.HANDLERS, *pages.HANDLERS], sections=[pages.SECTION], build=build, rights=RIGHTS)
