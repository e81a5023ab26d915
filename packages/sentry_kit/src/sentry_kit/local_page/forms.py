"""Reads forms of browsers, and renders pages."""

from typing import Any
from urllib.parse import parse_qsl

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse


async def form_of(request: Request) -> dict[str, str]:
    """Returns the fields of an ordinary form. Starlette's own parser would need python-multipart."""
    return dict(await fields_of(request, at_most=20))


async def fields_of(request: Request, *, at_most: int) -> list[tuple[str, str]]:
    """Returns all fields; several ticked boxes have the same name."""
    body = (await request.body()).decode("utf-8", "replace")
    try:
        return parse_qsl(body, keep_blank_values=True, max_num_fields=at_most)
    except ValueError:
        return []


def html(templates: jinja2.Environment, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    return HTMLResponse(templates.get_template(template).render(values), status)
