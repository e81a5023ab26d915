"""Playbooks, as the rest of the commander sees them."""

from commander.noun import Built, Core, Noun
from commander.playbooks import api, copy_pages, form_pages, many_api, pages, sentry_api
from commander.playbooks.views import live_view
from commander.registry.kinds import RigKind


def build(core: Core) -> Built:
    return Built(live_views=[live_view(core.lives[RigKind.CPU_GPU])])


RIGHTS = """
/api/v1/cpu-gpu-rigs/{rig_id}/output                                GET view
/api/v1/cpu-gpu-rigs/{rig_id}/playbooks                             GET view, POST own
/api/v1/cpu-gpu-rigs/{rig_id}/playbooks/order                       PUT own
/api/v1/cpu-gpu-rigs/{rig_id}/playbooks/preview                     POST own
/api/v1/playbooks/pause                                             POST operate
/api/v1/playbooks/resume                                            POST operate
/api/v1/playbooks/{playbook_id}                                     GET view, PUT own, DELETE own
/api/v1/playbooks/{playbook_id}/copy                                POST own
/api/v1/playbooks/{playbook_id}/copy/preview                        POST own
/api/v1/playbooks/{playbook_id}/pause                               POST operate
/api/v1/playbooks/{playbook_id}/resume                              POST operate
/api/v1/playbooks/{playbook_id}/revisions                           GET view
/api/v1/playbooks/{playbook_id}/revisions/{revision}/use            POST own
/cpu-gpu/{rig_id}/playbooks                                         GET view, POST own
/cpu-gpu/{rig_id}/playbooks/new                                     GET own
/cpu-gpu/{rig_id}/playbooks/{playbook_id}                           GET view
/cpu-gpu/{rig_id}/playbooks/{playbook_id}/copies                    POST own
/cpu-gpu/{rig_id}/playbooks/{playbook_id}/copy                      GET own
/cpu-gpu/{rig_id}/playbooks/{playbook_id}/edit                      GET own, POST own
/cpu-gpu/{rig_id}/playbooks/{playbook_id}/pause                     POST operate
/cpu-gpu/{rig_id}/playbooks/{playbook_id}/resume                    POST operate
/cpu-gpu/{rig_id}/playbooks/{playbook_id}/revisions/{revision}/use  POST own
/cpu-gpu/{rig_id}/playbooks/{playbook_id}/{action}                  POST own
/playbooks/copy                                                     GET own
?view=playbooks                                                     WS view
"""
NOUN = Noun(
    handlers=[
        *sentry_api.HANDLERS,
        *api.HANDLERS,
        *many_api.HANDLERS,
        *pages.HANDLERS,
        *copy_pages.HANDLERS,
        *form_pages.HANDLERS,
    ],
    build=build,
    rights=RIGHTS,
)
