"""Farm tokens, as the rest of the commander sees them."""

from datetime import timedelta

from protocol.tokens import TokenKind

from commander.farm_tokens import api, pages, sentry_api, store
from commander.farm_tokens.actions import FarmTokenActions
from commander.farm_tokens.enrolment import Enrolments
from commander.farm_tokens.views import list_fragments
from commander.jobs.loop import Job
from commander.live.source import LiveSource, Query
from commander.machines.noun import machines_of
from commander.noun import Built, Core, Noun
from commander.registry.kinds import RigKind
from commander.web.shell import Fragments


def build(core: Core) -> Built:
    source = LiveSource("farm-tokens", core.cluster)
    actions = FarmTokenActions(core.database, pin=core.pin, changed=source.changed)
    core.tokens.find_by(TokenKind.FARM, store.find_by_hash)
    live = core.lives[RigKind.CPU_GPU]
    enrolments = Enrolments(machines_of(core), live, core.tokens, core.inbox, source, core.pin)

    async def render(query: Query) -> Fragments:
        return list_fragments(await actions.all(), await actions.now())

    return Built(
        dependencies={"farm_token_actions": actions, "enrolments": enrolments, "farm_tokens_live": source},
        live_views=[source.view("farm-tokens", render)],
        jobs={"forget-farm-tokens": Job(timedelta(hours=12), actions.forget_ended)},
    )


RIGHTS = """
/api/v1/farm-tokens                          GET own, POST own
/api/v1/farm-tokens/{farm_token_id}          DELETE own
/cpu-gpu/farm-tokens                         GET own, POST own
/cpu-gpu/farm-tokens/{farm_token_id}/revoke  POST own
"""
NOUN = Noun(handlers=[*api.HANDLERS, *pages.HANDLERS, *sentry_api.HANDLERS], build=build, rights=RIGHTS)
