"""Commands, as the rest of the commander sees them."""

from datetime import UTC, datetime

from commander.commands import api, pages, sentries, sentry_api
from commander.commands.jobs import command_jobs
from commander.commands.source import CommandInbox, CommandNews, CommandSource
from commander.commands.views import command_fragments, list_fragments
from commander.live.source import Query
from commander.noun import Built, Core, Noun
from commander.registry.kinds import RigKind
from commander.web.ids import id_in
from commander.web.shell import Fragments


def build(core: Core) -> Built:
    command_inbox, database = CommandInbox(core.database, core.inbox, core.cluster), core.database
    rigs = core.lives[RigKind.CPU_GPU].index.rigs

    async def each_tick(now_s: float) -> None:
        await command_inbox.read_again(now_s)
        if command_inbox.forget_removed(rigs):
            await sentries.end_removed(database, notify, datetime.now(UTC))

    async def refuse(rig_id: int) -> None:
        if command_inbox.has_commands(rig_id):
            await sentries.refuse_for_old_sentry(database, notify, rig_id)

    async def render_list(query: Query) -> Fragments:
        return await list_fragments(database)

    async def render_command(query: Query) -> Fragments:
        return await command_fragments(database, int(query["command"]))

    source = CommandSource(database, core.channels, core.cluster, each_tick=each_tick)
    notify = CommandNews(source, command_inbox)
    core.inbox.add_for_earlier_sentries(refuse)
    return Built(
        dependencies={"command_source": source, "notify_commands": notify},
        jobs=command_jobs(database, notify),
        live_views=[
            source.view("commands", render_list),
            source.view("command", render_command, check=_names_a_command),
        ],
        on_start=source.remember,
    )


def _names_a_command(query: Query) -> None:
    if id_in(query.get("command", "")) is None:
        raise ValueError("no command has this number")


RIGHTS = """
/api/v1/commands                             GET view, POST operate
/api/v1/commands/{command_id}                GET view
/api/v1/commands/{command_id}/cancel         POST operate
/api/v1/commands/{command_id}/retry          POST operate
/api/v1/commands/{command_id}/rigs/{rig_id}  GET view
/commands                                    GET view, POST operate
/commands/new                                GET operate
/commands/{command_id}                       GET view
/commands/{command_id}/cancel                POST operate
/commands/{command_id}/retry                 POST operate
/commands/{command_id}/rigs/{rig_id}         GET view
/cpu-gpu/{rig_id}/commands                   POST operate
/cpu-gpu/{rig_id}/shutdown                   GET own, POST own
?view=command                                WS view
?view=commands                               WS view
"""
NOUN = Noun(
    handlers=[*api.HANDLERS, *pages.HANDLERS, *sentry_api.HANDLERS],
    sections=[pages.SECTION],
    build=build,
    rights=RIGHTS,
)
