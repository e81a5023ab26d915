"""Tags on the pages of rigs: those of one rig, and those of the rigs that are ticked."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from litestar import post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect

from commander.accounts.domain import author_of
from commander.db import Database
from commander.live.rigs import Lives
from commander.rig_pages.chosen_rigs import ChosenRigs, chosen_rigs, names_text
from commander.rig_pages.dialog import RigDialog
from commander.rig_pages.live_views import RigViews
from commander.rig_pages.navigation import counted
from commander.rig_pages.pages import PageRequest, index_page, rig_page
from commander.rigs.actions import RigActions
from commander.tags.actions import change_tags
from commander.tags.domain import BadTag, TagChange, TooManyTags, checked_tag, checked_tags, tag_key, tags_in
from commander.web.shell import Html

TAGS_OFFERED = 40


@dataclass(frozen=True, slots=True)
class TagsDialog(RigDialog):
    """The dialog that changes the tags of several rigs: `rigs` names them, `tags` are those that they have."""

    rigs: str = ""
    ids: str = ""
    count: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    removing: frozenset[str] = frozenset()


@post("/{rig_id:int}/tags", include_in_schema=False)
async def set_tags(
    rig_id: FromPath[int],
    data: URLEncodedBody[dict[str, str]],
    request: PageRequest,
    views: NamedDependency[RigViews],
    rig_actions: NamedDependency[RigActions],
) -> Html | Redirect:
    """Replaces the tags of one rig."""
    path, text = views.display.path, data.get("tags", "")
    from_index = request.query_params.get("from") == "index"
    back = path if from_index else f"{path}/{rig_id}"
    try:
        await rig_actions.update(rig_id, tags=checked_tags(tags_in(text)), author=author_of(request.user))
    except (BadTag, TooManyTags) as error:
        state = views.live.find(rig_id)
        dialog = RigDialog("tags", path, back, rig_id, state.name, text, str(error))
        return index_page(views, views.query({}), dialog) if from_index else rig_page(views, state, dialog)
    return Redirect(back, status_code=303)


@post("/tags", status_code=200, include_in_schema=False)
async def change_tags_of_chosen(
    request: PageRequest,
    views: NamedDependency[RigViews],
    lives: NamedDependency[Lives],
    database: NamedDependency[Database],
) -> Html | Redirect:
    """Shows what would happen to the chosen rigs and, with `apply`, does it."""
    form = await request.form()
    chosen, text = chosen_rigs(views, form), str(form.get("add", ""))
    removing = [str(tag) for tag in form.getall("remove", [])]
    if "apply" not in form or not chosen.ids:
        return index_page(views, chosen.query, tags_dialog(views, chosen))
    try:
        change = TagChange(checked_tags(tags_in(text)), tuple(checked_tag(tag) for tag in removing))
        await change_tags(database, lives, {views.display.kind: chosen.ids}, change)
    except (BadTag, TooManyTags) as error:
        return index_page(views, chosen.query, tags_dialog(views, chosen, text, removing, str(error)))
    return Redirect(chosen.query.address(), status_code=303)


HANDLERS: list[HTTPRouteHandler] = [set_tags, change_tags_of_chosen]


def tags_dialog(
    views: RigViews, chosen: ChosenRigs, adding: str = "", removing: Iterable[str] = (), error: str = ""
) -> TagsDialog:
    states = [views.index.rigs[rig_id] for rig_id in chosen.ids]
    uses = Counter(tag for state in states for tag in state.tags)
    offered = sorted(uses.most_common(TAGS_OFFERED), key=lambda use: tag_key(use[0]))
    return TagsDialog(
        "chosen-tags",
        views.display.path,
        chosen.query.address(),
        value=adding,
        error=error,
        rigs=names_text([state.name for state in states]),
        ids=chosen.text,
        count=counted(len(states), views.display.kind),
        tags=tuple((tag, f"{number:,}") for tag, number in offered),
        removing=frozenset(removing),
    )
