"""An HTTP server on a free port of loopback. A function of the test answers each request, without a body."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class TakenRequest(NamedTuple):
    """A request that the server has taken. `headers` are found in any case."""

    path: str
    headers: Message
    body: bytes


class Answer(NamedTuple):
    status: int = HTTPStatus.NO_CONTENT
    headers: Mapping[str, str] = {}


@contextmanager
def answering(answer: Callable[[TakenRequest], Answer | None]) -> Iterator[int]:
    """Serves until the end of the context; returns the port. None closes the connection without an answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            given = answer(TakenRequest(self.path, self.headers, body))
            if given is None:
                return
            self.send_response(given.status)
            for name, value in given.headers.items():
                self.send_header(name, value)
            self.end_headers()

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            """Writes nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
