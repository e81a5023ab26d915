"""The watchdog, as the rest of the commander sees it."""

from functools import partial

from commander.jobs.loop import Job
from commander.noun import Built, Core, Noun
from commander.registry.kinds import RigKind
from commander.watchdog import api, pages, sentry_api
from commander.watchdog.actions import WatchdogActions
from commander.watchdog.jobs import EVERY, delete_old_events
from commander.watchdog.source import WatchdogInbox


def build(core: Core) -> Built:
    inbox = WatchdogInbox(core.database, core.lives[RigKind.CPU_GPU], core.inbox, core.cluster)
    return Built(
        dependencies={"watchdog_actions": WatchdogActions(core.database, inbox.changed)},
        jobs={"forget-watchdog-events": Job(EVERY, partial(delete_old_events, core.database))},
    )


RIGHTS = """
/api/v1/cpu-gpu-rigs/{rig_id}/watchdog-events  GET view
/api/v1/watchdog-rules                         GET view, POST own
/api/v1/watchdog-rules/{rule_id}               PUT own, DELETE own
/watchdog                                      GET view, POST own
/watchdog/{rule_id}/edit                       POST own
/watchdog/{rule_id}/remove                     POST own
"""
NOUN = Noun(
    handlers=[*api.HANDLERS, *pages.HANDLERS, *sentry_api.HANDLERS],
    sections=[pages.SECTION],
    build=build,
    rights=RIGHTS,
)
