"""The page `/alerts`."""

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler

from commander.notifications.alerts_page import HOME, AlertsPage


@get(HOME, include_in_schema=False)
async def show(request: Request[Any, Any, Any], alerts_page: NamedDependency[AlertsPage]) -> Response[str]:
    return await alerts_page.show({key: str(value) for key, value in request.query_params.items()})


HANDLERS: list[HTTPRouteHandler] = [show]
