"""The page of all tags, and their change by a spreadsheet: first shown, then done."""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlencode

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, URLEncodedBody
from litestar.response import Redirect
from protocol import units

from commander.db import Database
from commander.live.rigs import Lives
from commander.live.source import LiveSource
from commander.registry.kinds import RigKind
from commander.registry.sections import RIGS
from commander.selections.choice import chosen
from commander.tags.actions import import_tags
from commander.tags.api import tag_uses
from commander.tags.domain import Tags
from commander.tags.spreadsheet import BadFile, ImportPlan, csv_of, plan_import
from commander.web.shell import Fragments, Html, Page, macro, page

WRONG = 422
SHOWN = 200


class FileForm(msgspec.Struct, frozen=True):
    """The text of a file."""

    csv: str = ""


class TagView(NamedTuple):
    """A line of the table; `query` selects the rigs that have the tag."""

    name: str
    query: str
    cpu_gpu_rigs: str
    asic_rigs: str


def tag_fragments(lives: Lives) -> Fragments:
    """Returns the part of the page that changes with the tags of rigs."""
    tags = [
        TagView(
            use.tag,
            urlencode({"select": f'tag:"{use.tag}"'}),
            units.count_text(use.cpu_gpu_rigs),
            units.count_text(use.asic_rigs),
        )
        for use in tag_uses(lives)
    ]
    return {"tags": macro("tags/live.html", "table", tags)}


@get("/tags", include_in_schema=False)
async def show_tags(
    lives: NamedDependency[Lives], tags_live: NamedDependency[LiveSource], changed: FromQuery[int | None] = None
) -> Html:
    return _tags_page(lives, tags_live, changed=changed)


@get("/tags.csv", include_in_schema=False)
async def download(
    lives: NamedDependency[Lives], select: FromQuery[str | None] = None, kind: FromQuery[RigKind | None] = None
) -> Response[str]:
    """The rigs of a selection, or all, of one kind or both."""
    kinds = [kind] if kind else list(RigKind)
    rigs = [(each, state) for each in kinds for state in chosen(lives[each], select)]
    headers = {"Content-Disposition": 'attachment; filename="tags.csv"', "Cache-Control": "no-store"}
    return Response(csv_of(rigs), media_type="text/csv", headers=headers)


@post("/tags/preview", status_code=200, include_in_schema=False)
async def preview(
    data: URLEncodedBody[FileForm], lives: NamedDependency[Lives], tags_live: NamedDependency[LiveSource]
) -> Html:
    """Says what the file would change."""
    try:
        plan = plan_import(data.csv, lives)
    except BadFile as error:
        return _tags_page(lives, tags_live, text=data.csv, errors={"csv": str(error)})
    return _preview_page(plan, data.csv)


@post("/tags/import", include_in_schema=False)
async def import_file(
    data: URLEncodedBody[FileForm],
    lives: NamedDependency[Lives],
    tags_live: NamedDependency[LiveSource],
    database: NamedDependency[Database],
) -> Html | Redirect:
    try:
        plan = plan_import(data.csv, lives)
    except BadFile as error:
        return _tags_page(lives, tags_live, text=data.csv, errors={"csv": str(error)})
    wanted: dict[RigKind, dict[int, Tags]] = {kind: {} for kind in RigKind}
    for change in plan.changes:
        wanted[change.kind][change.rig_id] = change.after
    changed = await import_tags(database, lives, wanted)
    return Redirect(f"/tags?changed={changed}", status_code=303)


HANDLERS: list[HTTPRouteHandler] = [show_tags, download, preview, import_file]


def _tags_page(
    lives: Lives,
    tags_live: LiveSource,
    *,
    changed: int | None = None,
    text: str = "",
    errors: Mapping[str, str] | None = None,
) -> Html:
    stamp, url = tags_live.stamp(), "/tags" if errors else ""
    return page(
        "tags/tags.html",
        Page(title="Tags", section=RIGS, live="/live?view=tags", seq=stamp, url=url),
        status=WRONG if errors else 200,
        table=tag_fragments(lives)["tags"],
        changed=None if changed is None else f"The tags of {_rigs(changed)} were changed.",
        text=text,
        errors=errors or {},
    )


def _preview_page(plan: ImportPlan, text: str) -> Html:
    count = _rigs(len(plan.changes))
    return page(
        "tags/preview.html",
        Page(title="What the file changes", section=RIGS, url="/tags"),
        title=f"The file changes the tags of {count}",
        summary=f"{_rigs(plan.unchanged)} in the file {'has' if plan.unchanged == 1 else 'have'} these tags already.",
        mistakes=plan.mistakes[:SHOWN],
        more_mistakes=max(0, len(plan.mistakes) - SHOWN),
        changes=plan.changes[:SHOWN],
        more_changes=max(0, len(plan.changes) - SHOWN),
        count=count,
        text=text,
    )


def _rigs(number: int) -> str:
    return f"{units.count_text(number)} {'rig' if number == 1 else 'rigs'}"
