"""The local page: what the sentry does and reads now, and the forms for what it is told. Works without its
script."""

import functools
import socket
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from sentry_kit import store
from sentry_kit.errors import EnrolmentError, SentryError
from sentry_kit.local_page.shell import Fragments, LocalApp, form_of, html, page_templates
from sentry_kit.worker import Worker
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from cpu_gpu_sentry import enrolment
from cpu_gpu_sentry.agent import Agent, user_agent
from cpu_gpu_sentry.local import views
from cpu_gpu_sentry.miners.registry import SOFTWARE
from cpu_gpu_sentry.watches import BadWatch, Watch, add_watch, check_port, check_watch, remove_watch

PROGRAM = "CPU/GPU sentry"
FRAGMENTS = ("status", "enrolment", "machine", "gpus", "playbooks", "miners", "watches", "leave")
TITLES = {name: software.title for name, software in SOFTWARE.items()}
NOTHING: Mapping[str, str] = {}
_DISK_TIMEOUT_S = 20
_LEAVE_S = 90  # miners that do not want to end take a while


class Page:
    """The page of one agent."""

    def __init__(self, agent: Agent, store_path: Path) -> None:
        self._agent, self._path = agent, store_path
        self._disk = Worker("page")
        self._templates = page_templates("cpu_gpu_sentry.local")
        self.fragments = Fragments(self._live)

    def app(self, ui_host: str) -> LocalApp:
        routes = [
            Route("/", self._index),
            Route("/enroll", self._enroll, methods=["POST"]),
            Route("/watch", self._watch, methods=["POST"]),
            Route("/unwatch", self._unwatch, methods=["POST"]),
            Route("/leave", self._leave, methods=["POST"]),
        ]
        return LocalApp(routes, self.fragments, ui_host)

    def _live(self, errors: Mapping[str, str] = NOTHING, given: Mapping[str, str] = NOTHING) -> Mapping[str, str]:
        """Each fragment is one element, whose id is its name. After a mistake: with what was typed."""
        agent = self._agent
        status, enrolled = views.status_view(agent), agent.delivery.enrolment
        values = {
            "status": status,
            "form_open": status.open_form or "url" in errors or "token" in errors,
            "is_enrolled": enrolled is not None,
            "errors": errors,
            "given": {"url": enrolled.url if enrolled else "", **given},
            "measured_at": views.time_text(agent.latest.measured_at),
            "machine": views.machine_facts(agent.latest),
            "gpus": views.gpu_views(agent.latest),
            "playbooks": views.playbook_views(agent.mining.lanes.values()),
            "miners": views.miner_views(agent.latest, agent.watches, agent.mining.lanes.values()),
            "watches": agent.watches,
            "software": TITLES,
        }
        return {name: self._templates.get_template(f"_{name}.html").render(values) for name in FRAGMENTS}

    def _render(self, status: int = 200, errors: Mapping[str, str] = NOTHING, **given: str) -> Response:
        return html(
            self._templates,
            "page.html",
            status,
            program=PROGRAM,
            hostname=socket.gethostname(),
            version=self._agent.version,
            live=self._live(errors, given),
            errors=errors,
            given={"software": "", **given},
            software=TITLES,
        )

    async def _index(self, _request: Request) -> Response:
        return self._render()

    async def _enroll(self, request: Request) -> Response:
        form = await form_of(request)
        url, token = form.get("url", ""), form.get("token", "")
        try:
            await enrolment.enroll(self._path, url, token, user_agent(self._agent.version))
        except EnrolmentError as error:
            return self._render(422, {error.field: str(error)}, url=url, token=token)
        except SentryError as error:
            return self._render(500, {"url": str(error)}, url=url, token=token)
        return await self._done()

    async def _watch(self, request: Request) -> Response:
        form = {name: (await form_of(request)).get(name, "") for name in ("software", "port", "host", "coin")}
        try:
            watch = check_watch(**form)
            await self._change(functools.partial(self._store_watch, watch))
        except BadWatch as error:
            return self._render(422, {error.field: str(error)}, **form)
        return await self._done()

    async def _unwatch(self, request: Request) -> Response:
        try:
            port = check_port((await form_of(request)).get("port", ""))
        except BadWatch as error:
            return self._render(422, {error.field: str(error)})
        await self._change(functools.partial(self._forget_watch, port))
        return await self._done()

    async def _leave(self, request: Request) -> Response:
        if (await form_of(request)).get("sure") != "yes":
            return self._render(422, {"leave": "Tick the box to say that you are sure."})
        try:
            await self._change(lambda: enrolment.leave(self._path), timeout_s=_LEAVE_S)
        except SentryError as error:
            return self._render(500, {"leave": str(error)})
        return await self._done()

    async def _change(self, function: Callable[[], None], timeout_s: float = _DISK_TIMEOUT_S) -> None:
        await self._disk.call(function, timeout_s=timeout_s)

    def _store_watch(self, watch: Watch) -> None:
        with closing(store.open_store(self._path, enrolment.SCHEMA)) as db, store.transaction(db):
            add_watch(db, watch)

    def _forget_watch(self, port: int) -> None:
        with closing(store.open_store(self._path, enrolment.SCHEMA)) as db, store.transaction(db):
            remove_watch(db, port)

    async def _done(self) -> Response:
        await self._agent.reload()
        return RedirectResponse("/", 303)
