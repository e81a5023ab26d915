"""A noun is one value in a list: its pages, its entry in the navigation, its job and its live page come from it."""

import asyncio
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import commander
import pytest
from commander import nouns, routes, services
from commander.jobs.loop import Job
from commander.live.source import LiveSource, Query
from commander.noun import Built, Core, Noun
from commander.overview.pages import SECTION as OVERVIEW_SECTION
from commander.web.shell import Fragments, Html, Page, Section, page
from commander_farm import Farm, Rig, on_sqlite
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from test_page_sockets import open_page, read_until

SECTION = Section("Notes", "/notes")


class Notes(NamedTuple):
    """Objects that the noun's handlers use."""

    texts: list[str]
    live: LiveSource
    has_worked: asyncio.Event

    async def render(self, query: Query) -> Fragments:
        return {"notes": f'<p id="notes">{" ".join(self.texts)}</p>'}

    async def start(self) -> None:
        self.texts.append("started")

    async def work(self, now: datetime) -> None:
        self.has_worked.set()


@get("/notes", include_in_schema=False)
async def show_notes(notes: NamedDependency[Notes]) -> Html:
    about = Page(title=" ".join(notes.texts), section=SECTION, live="/live?view=notes", seq=notes.live.stamp())
    return page("web/error.html", about, detail="")


@post("/api/v1/notes", include_in_schema=False)
async def add_note(notes: NamedDependency[Notes]) -> None:
    notes.texts.append("added")
    notes.live.changed()


@get("/{rig_id:int}/notes", include_in_schema=False)
async def show_rig_notes(rig_id: FromPath[int], kind_of_rig: NamedDependency[str]) -> str:
    return f"{kind_of_rig} {rig_id}"


@pytest.fixture
def noun(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """The noun in the list, as a line in `nouns.py` puts it there."""
    has_worked = asyncio.Event()

    def build(core: Core) -> Built:
        live = LiveSource("notes", core.cluster)
        notes = Notes([], live, has_worked)
        return Built(
            dependencies={"notes": notes},
            of_kind={"kind_of_rig": {kind: str(kind) for kind in core.lives}},
            jobs={"take-notes": Job(timedelta(days=1), notes.work)},
            live_views=[live.view("notes", notes.render)],
            on_start=notes.start,
        )

    made = Noun(handlers=[show_notes, add_note], rig_handlers=[show_rig_notes], sections=[SECTION], build=build)
    for module in (services, routes):
        monkeypatch.setattr(module, "NOUNS", (*nouns.NOUNS, made))
    return has_worked


@pytest.fixture
async def person(noun: asyncio.Event, served_farm: Farm) -> Farm:
    await served_farm.log_in()
    return served_farm


@on_sqlite
async def test_a_noun_has_its_pages_its_entry_in_the_navigation_and_its_job(person: Farm, noun: asyncio.Event) -> None:
    html = (await person.client.get("/notes")).text
    assert '<h1 tabindex="-1">started</h1>' in html
    assert '<a href="/notes" aria-current="true" title="Notes">' in html
    async with asyncio.timeout(60):
        await noun.wait()


@on_sqlite
async def test_a_live_page_needs_no_kind_of_rig(person: Farm) -> None:
    async with await open_page(person, "/notes") as socket:
        assert (await person.client.post("/api/v1/notes", headers=person.auth)).status_code == 201
        await read_until(socket, '<p id="notes">started added</p>')


@on_sqlite
async def test_a_page_of_each_kind_of_rig_gets_what_is_of_its_kind(person: Farm) -> None:
    rig, asic = Rig(7, "", ""), Rig(8, "", "")
    assert (await person.client.get(f"/cpu-gpu/{rig.id}/notes")).text == "cpu-gpu 7"
    assert (await person.client.get(f"/asics/{asic.id}/notes")).text == "asic 8"


def test_each_folder_with_a_noun_stands_in_the_list() -> None:
    folders = [path.parent.name for path in Path(commander.__file__).parent.glob("*/noun.py")]
    assert {import_module(f"commander.{folder}.noun").NOUN for folder in folders} == set(nouns.NOUNS)
    assert len(nouns.NOUNS) == len(folders)


def test_no_two_sections_share_an_address() -> None:
    sections = [section for noun in nouns.NOUNS for section in noun.sections]
    assert sections[0] is OVERVIEW_SECTION
    assert len({section.path for section in sections}) == len(sections)
