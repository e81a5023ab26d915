"""HEAD wherever there is GET, and an `Allow` header that names every method."""

from collections.abc import Mapping, Sequence

from litestar.types import ASGIApp, Message, Receive, Scope, Send

from commander.web.bodies import method_of


class WithHead:
    """ASGI middleware: HEAD is answered as GET is, without the body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if method_of(scope) != "HEAD":
            await self._app(scope, receive, send)
            return
        is_sent = False

        async def without_body(message: Message) -> None:
            nonlocal is_sent
            if message["type"] == "http.response.start":
                await send(message)
            elif message["type"] == "http.response.body" and not is_sent:
                is_sent = True  # the first piece ends the answer; a stream then sees that the client has gone
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        await self._app({**scope, "method": "GET"}, receive, without_body)  # type: ignore[arg-type]  # a Scope as it was


class TruthfulAllow:
    """ASGI middleware that completes `Allow`.

    Litestar leaves out HEAD and, after OPTIONS, half of the other methods. `methods_of` has the methods of each path
    template.
    """

    def __init__(self, app: ASGIApp, methods_of: Mapping[str, Sequence[str]]) -> None:
        self._app = app
        self._methods_of = methods_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def truthful(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [self._checked(scope, *each) for each in message["headers"]]
            await send(message)

        await self._app(scope, receive, truthful if method_of(scope) else send)

    def _checked(self, scope: Scope, name: bytes, value: bytes) -> tuple[bytes, bytes]:
        if name.lower() != b"allow":
            return name, value
        named = [method.strip() for method in value.decode("latin-1").split(",")]
        return name, allowed([*named, *self._methods_of.get(scope.get("path_template", ""), [])]).encode()


def allowed(methods: Sequence[str]) -> str:
    """Returns the value of `Allow` for these methods."""
    heads = ["HEAD"] if "GET" in methods else []
    return ", ".join(sorted({*methods, *heads, "OPTIONS"}))
