"""The pages of rigs, as the rest of the commander sees them."""

from commander.noun import Built, Core, Noun
from commander.registry.kinds import RigKind
from commander.registry.sections import SECTIONS
from commander.rig_pages import (
    approvals,
    command_pages,
    farm_token_pages,
    log_pages,
    pages,
    playbook_pages,
    tag_pages,
    view_pages,
    wall_pages,
)
from commander.rig_pages.asic import ASICS
from commander.rig_pages.cpu_gpu import CPU_GPU
from commander.rig_pages.live_views import RigViews, live_views, views_without_metrics


def build(core: Core) -> Built:
    views = {display.kind: RigViews(core.lives[display.kind], display) for display in (CPU_GPU, ASICS)}
    return Built(
        dependencies={"walls": views},
        of_kind={"views": views},
        live_views=[
            *live_views(views[RigKind.CPU_GPU]),
            *live_views(views[RigKind.ASIC]),
            *views_without_metrics(views[RigKind.CPU_GPU]),
        ],
    )


RIGHTS = """
/asics                           GET view, POST own
/asics/tags                      POST operate
/asics/views                     POST own
/asics/views/{view_id}/remove    POST own
/asics/{rig_id}                  GET view
/asics/{rig_id}/log              GET view
/asics/{rig_id}/log.csv          GET view
/asics/{rig_id}/remove           POST own
/asics/{rig_id}/rename           POST own
/asics/{rig_id}/tags             POST operate
/asics/{rig_id}/token            POST own
/cpu-gpu                         GET view, POST own
/cpu-gpu/approve                 POST own
/cpu-gpu/command                 POST operate
/cpu-gpu/copy                    POST own
/cpu-gpu/pause                   POST operate
/cpu-gpu/resume                  POST operate
/cpu-gpu/tags                    POST operate
/cpu-gpu/update                  POST own
/cpu-gpu/views                   POST own
/cpu-gpu/views/{view_id}/remove  POST own
/cpu-gpu/{rig_id}                GET view
/cpu-gpu/{rig_id}/log            GET view
/cpu-gpu/{rig_id}/log.csv        GET view
/cpu-gpu/{rig_id}/remove         POST own
/cpu-gpu/{rig_id}/rename         POST own
/cpu-gpu/{rig_id}/tags           POST operate
/cpu-gpu/{rig_id}/token          POST own
?dialog=tags                     GET operate
?view=asic                       WS view
?view=asic-log                   WS view
?view=asics                      WS view
?view=names                      WS view
?view=quiet                      WS view
?view=rig                        WS view
?view=rig-log                    WS view
?view=rigs                       WS view
"""
NOUN = Noun(
    handlers=[
        *command_pages.HANDLERS,
        *playbook_pages.HANDLERS,
        *approvals.HANDLERS,
        *farm_token_pages.HANDLERS,
        *wall_pages.HANDLERS,
    ],
    rig_handlers=[*pages.HANDLERS, *tag_pages.HANDLERS, *view_pages.HANDLERS, *log_pages.HANDLERS],
    sections=list(SECTIONS.values()),
    build=build,
    rights=RIGHTS,
)
