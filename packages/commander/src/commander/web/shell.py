"""What every page has in common: the templates' environment and the shell around a page's content."""

from datetime import UTC, datetime
from enum import StrEnum

import msgspec
from jinja2 import Environment, PackageLoader, PrefixLoader, StrictUndefined
from litestar import MediaType, Response
from markupsafe import Markup
from protocol import units

from commander import VERSION
from commander.web.assets import asset

NOUNS = ("web", "addresses", "software", "playbooks", "rig_pages", "settings_pages")


class Section(StrEnum):
    """An entry of the navigation; `NONE` is for people who are not logged in."""

    RIGS = "rigs"
    ASICS = "asics"
    TEMPLATES = "templates"
    SOFTWARE = "software"
    SETTINGS = "settings"
    NONE = ""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A page as the shell needs it.

    `live` is the address of its WebSocket and `seq` the last change that it shows. A page without live parts has a
    WebSocket too: it shows when the commander is away and when the session has ended. `url` is the address to show if
    it differs from the requested one (the answer to a form).
    """

    title: str
    section: Section
    live: str = ""
    seq: str = ""
    url: str = ""

    @property
    def socket(self) -> str:
        """The address of the page's WebSocket; empty without login."""
        return self.live or ("/live?view=quiet" if self.section else "")


def moment_text(moment: datetime) -> str:
    """For people whose browser runs no script; the script makes it local and relative."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _environment() -> Environment:
    loaders = {noun: PackageLoader(f"commander.{noun}") for noun in NOUNS}
    environment = Environment(
        loader=PrefixLoader(loaders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {"moment": moment_text, "iso": datetime.isoformat}
    environment.globals |= {"asset": asset, "version": VERSION, "UNKNOWN": units.UNKNOWN}
    return environment


templates = _environment()


def render(template: str, **values: object) -> str:
    return templates.get_template(template).render(values)


def macro(template: str, name: str, *views: object) -> Markup:
    """One fragment: what a page and its frames have in common."""
    fragment: Markup = getattr(templates.get_template(template).module, name)(*views)
    return fragment


def page(template: str, about: Page, *, status: int = 200, **values: object) -> Response[str]:
    """The whole page as an answer. No cache keeps it: it shows figures, and sometimes a secret."""
    html = render(template, page=about, **values)
    return Response(html, status_code=status, media_type=MediaType.HTML, headers={"Cache-Control": "no-store"})


def error_page(status: int, title: str, detail: str, *, section: Section = Section.RIGS) -> Response[str]:
    """A page that says what went wrong and what to do next; `detail` may be empty if the title is enough."""
    about = Page(title=title, section=section)
    return page("web/error.html", about, status=status, detail=detail)
