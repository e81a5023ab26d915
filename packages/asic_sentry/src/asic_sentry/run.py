"""`run`: in this version the local page alone, which says so."""

import asyncio
import socket
from pathlib import Path

from sentry_kit.local_page.shell import Fragments, LocalApp, html, page_templates
from sentry_kit.service import listen, only_one, run_until_stopped, serving
from sentry_kit.settings import prepare_data_dir
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from asic_sentry.connect import STORE, connected_to
from asic_sentry.settings import PREFIX, Settings

_CHECK_S = 1.0


def run(settings: Settings, version: str) -> None:
    """Returns when the service has been told to stop."""
    data_dir = prepare_data_dir(settings.data_dir)
    with only_one(data_dir, "asic-sentry"):
        listener = listen(settings.ui_host, settings.ui_port, f"{PREFIX}UI_PORT")
        asyncio.run(_main(settings, listener, version))


async def _main(settings: Settings, listener: socket.socket, version: str) -> None:
    page = Page(settings.data_dir / STORE, version)

    async def follow_store() -> None:
        while True:
            await asyncio.sleep(_CHECK_S)
            page.fragments.publish()

    async with serving(page.app(settings.ui_host), listener):
        await run_until_stopped([follow_store], f"http://{settings.ui_host}:{settings.ui_port}/")


class Page:
    """Shows which commander this sentry is connected to."""

    def __init__(self, store_path: Path, version: str) -> None:
        self._path, self._version = store_path, version
        self._templates = page_templates("asic_sentry")
        self.fragments = Fragments(self._live)

    def app(self, ui_host: str) -> LocalApp:
        return LocalApp([Route("/", self._index)], self.fragments, ui_host)

    def _live(self) -> dict[str, str]:
        commander = connected_to(self._path)
        status = self._templates.get_template("_status.html").render(
            url=commander.url if commander else None,
            has_site_token=bool(commander and commander.token),
        )
        return {"status": status}

    async def _index(self, _request: Request) -> Response:
        return html(
            self._templates,
            "page.html",
            program="ASIC sentry",
            hostname=socket.gethostname(),
            version=self._version,
            live=self._live(),
        )
