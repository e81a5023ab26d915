"""The common parts of all pages: the templates' environment and the shell around a page's content."""

import re
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from importlib import resources
from types import MappingProxyType
from typing import NamedTuple

import msgspec
from jinja2 import Environment, FunctionLoader, StrictUndefined
from litestar import MediaType, Response
from markupsafe import Markup
from protocol import units

from commander import VERSION
from commander.web.assets import asset

FOLDER = resources.files("commander")
Fragments = dict[str, str]  # the live parts of a page as HTML, each an element with an id
Html = Response[bytes]  # a page as an answer
NOTHING: Mapping[str, Sequence[bytes]] = MappingProxyType({})
_INVISIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_COMMENT = re.compile("<!--([a-z-]+)-->")
_open_incidents: ContextVar[int] = ContextVar("open_incidents", default=0)


class Section(NamedTuple):
    """An entry of the navigation. `has_badge`: the number of open incidents stands beside it.

    `icon` is the path of lines in a square of 24 x 24, as SVG writes it. It stands alone where the window is narrow.
    """

    label: str
    path: str
    has_badge: bool = False
    icon: str = "M12 8a4 4 0 1 0 0 8a4 4 0 1 0 0-8"


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A page as the shell needs it.

    `live` is the address of its WebSocket and `seq` the last change that it shows. A page without live parts has a
    WebSocket too: it shows when the commander is away and when the session has ended. `url` is the address to show if
    it differs from the requested one (the answer to a form). `section` is None for people who are not logged in.
    """

    title: str
    section: Section | None
    live: str = ""
    seq: str = ""
    url: str = ""

    @property
    def socket(self) -> str:
        """The address of the page's WebSocket; empty without login."""
        return self.live or ("/live?view=quiet" if self.section else "")


def shown(value: object) -> object:
    """Replaces control characters, and those that turn text round: a sentry or a device may have sent the text."""
    if type(value) is not str or value.isprintable():
        return value
    return _INVISIBLE.sub("\N{REPLACEMENT CHARACTER}", value)


def moment_text(moment: datetime) -> str:
    """For people whose browser runs no script; the script makes it local and relative."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_source),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {"moment": moment_text, "iso": datetime.isoformat}
    environment.globals |= {"asset": asset, "version": VERSION, "UNKNOWN": units.UNKNOWN, "navigation": ()}
    environment.globals["open_incidents"] = _open_incidents.get
    return environment


def _source(template: str) -> tuple[str, str, None] | None:
    """Returns a template's text and file: "addresses/list.html" is `list.html` in the folder `addresses/templates`."""
    folder, _, name = template.partition("/")
    file = FOLDER / folder / "templates" / name
    return (file.read_text(encoding="utf-8"), str(file), None) if file.is_file() else None


templates = _environment()


def set_navigation(sections: Sequence[Section]) -> None:
    """Sets the entries of the navigation on all pages, in this order."""
    templates.globals["navigation"] = tuple(sections)


def show_open_incidents(count: int) -> None:
    """Sets the number in the navigation, for the pages of this request."""
    _open_incidents.set(count)


def render(template: str, **values: object) -> str:
    return templates.get_template(template).render(values)


def macro(template: str, name: str, *views: object) -> Markup:
    """One fragment: what a page and its frames have in common."""
    fragment: Markup = getattr(templates.get_template(template).module, name)(*views)
    return fragment


def page(
    template: str, about: Page, *, status: int = 200, large: Mapping[str, Sequence[bytes]] = NOTHING, **values: object
) -> Html:
    """The whole page as an answer. No cache keeps it: it shows figures, and sometimes a secret.

    `large` is HTML in UTF-8 that replaces comments of the template: `rows` replaces `<!--rows-->`. A template would
    copy it six times. The template must escape all texts of people and devices. Otherwise they could contain such a
    comment.
    """
    html = with_large(render(template, page=about, **values), large)
    return Response(html, status_code=status, media_type=MediaType.HTML, headers={"Cache-Control": "no-store"})


def with_large(html: str, large: Mapping[str, Sequence[bytes]]) -> bytes:
    """Returns the page in UTF-8, with these lines in the places of their comments."""
    parts: list[bytes] = []
    for place, part in enumerate(_COMMENT.split(html)):  # every second one is a comment's name
        if place % 2 == 0:
            parts.append(part.encode())
        elif part in large:
            parts.append(b"\n".join(large[part]))
        else:
            parts.append(f"<!--{part}-->".encode())
    return b"".join(parts)


def error_page(status: int, title: str, detail: str, *, section: Section) -> Html:
    """Returns a page with an error and what to do; `detail` may be empty if the title is enough."""
    about = Page(title=title, section=section)
    return page("web/error.html", about, status=status, detail=detail)


def plain_page(status: int, title: str, detail: str) -> Html:
    """Returns a page with an error for somebody who may see nothing else: it leads to no other page."""
    return page("web/plain.html", Page(title=title, section=None), status=status, detail=detail)
