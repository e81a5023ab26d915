"""The overview page."""

from litestar import get
from litestar.di import NamedDependency

from commander.overview.source import OverviewSource
from commander.web.shell import Html, Page, Section, page

HOME = "/"
SECTION = Section("Overview", HOME, icon="M3 11l9-8 9 8M5 10V20h14V10")


@get(HOME, include_in_schema=False)
async def show(overview: NamedDependency[OverviewSource]) -> Html:
    about = Page(title="Overview", section=SECTION, live="/live?view=overview", seq=overview.stamp())
    await overview.read_incidents()
    return page("overview/overview.html", about, sections=await overview.render({}))
