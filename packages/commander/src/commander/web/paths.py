"""Gives each path one spelling: Litestar answers `/login/` and `//login` as `/login`."""

from litestar.types import ASGIApp, Receive, Scope, Send
from litestar.utils import normalize_path


class OnePath:
    """ASGI middleware. Limits and the sentries' calls, which run before Litestar, then see the same path."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if "//" in path or (path.endswith("/") and path != "/"):
            scope = {**scope, "path": normalize_path(path)}  # type: ignore[assignment]  # a Scope as it was
        await self._app(scope, receive, send)
