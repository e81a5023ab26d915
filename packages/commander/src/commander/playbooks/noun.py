"""Playbooks, as the rest of the commander sees them."""

from commander.noun import Built, Core, Noun
from commander.playbooks import api, copy_pages, form_pages, many_api, pages, sentry_api
from commander.playbooks.views import live_view
from commander.registry.kinds import RigKind


def build(core: Core) -> Built:
    return Built(live_views=[live_view(core.lives[RigKind.CPU_GPU])])


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
)
