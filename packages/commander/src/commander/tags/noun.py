"""Tags, as the rest of the commander sees them."""

from commander.live.source import LiveSource, Query
from commander.noun import Built, Core, Noun
from commander.tags import api, pages
from commander.web.shell import Fragments


def build(core: Core) -> Built:
    source = LiveSource("tags", core.cluster)
    for live in core.lives.values():
        live.index.on_tags = source.changed_here  # each web node's index follows the others

    async def render(_query: Query) -> Fragments:
        return pages.tag_fragments(core.lives)

    return Built(dependencies={"tags_live": source}, live_views=[source.view("tags", render)])


RIGHTS = """
/api/v1/tags   GET view, POST operate
/tags          GET view
/tags.csv      GET view
/tags/import   POST operate
/tags/preview  POST operate
?view=tags     WS view
"""
NOUN = Noun(handlers=[*api.HANDLERS, *pages.HANDLERS], build=build, rights=RIGHTS)
