"""The local page: what the sentry does and reads now, and the forms that change it. Works without its
script."""

import asyncio
import functools
import sqlite3
from collections.abc import Callable, Mapping

from sentry_kit.errors import EnrolmentError, SentryError
from sentry_kit.local_page.access import Access
from sentry_kit.local_page.forms import form_of, html
from sentry_kit.local_page.shell import Fragments, Live, LocalApp, is_owner, page_templates
from sentry_kit.worker import Worker
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from cpu_gpu_sentry import enrolment
from cpu_gpu_sentry.agent import Agent
from cpu_gpu_sentry.local import views
from cpu_gpu_sentry.local.operations_view import operations_view
from cpu_gpu_sentry.miners.registry import SOFTWARE
from cpu_gpu_sentry.removal import stop_and_delete_mining
from cpu_gpu_sentry.watches import BadWatch, add_watch, check_port, check_watch, remove_watch

PROGRAM, COMMAND = "CPU/GPU sentry", "cpu-gpu-sentry"
FRAGMENTS = ("status", "enrolment", "machine", "gpus", "playbooks", "operations", "miners", "watches", "leave")
TITLES = {name: software.title for name, software in SOFTWARE.items()}
NOTHING: Mapping[str, str] = {}
_LEAVE_S = 90  # miners that do not want to end take a while


class Page:
    """The page of one agent."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._leaving = Worker("page")
        self._templates = page_templates("cpu_gpu_sentry.local", PROGRAM, COMMAND, agent.version)
        self.live = Live(
            Fragments(functools.partial(self._live, is_owner=True)),
            Fragments(functools.partial(self._live, is_owner=False)),
        )

    def app(self, ui_host: str, access: Access) -> LocalApp:
        routes = [
            Route("/", self._index),
            Route("/enroll", self._enroll, methods=["POST"]),
            Route("/watch", self._watch, methods=["POST"]),
            Route("/unwatch", self._unwatch, methods=["POST"]),
            Route("/leave", self._leave, methods=["POST"]),
        ]
        return LocalApp(routes, self.live, ui_host, access, self._templates)

    def _live(
        self, errors: Mapping[str, str] = NOTHING, typed: Mapping[str, str] = NOTHING, *, is_owner: bool
    ) -> Mapping[str, str]:
        """Each fragment is one element, whose id is its name. After a mistake: with what was typed."""
        agent = self._agent
        status, enrolled = views.status_view(agent), agent.uploader.enrolment
        values = {
            "is_owner": is_owner,
            "status": status,
            "form_open": status.open_form or "url" in errors or "token" in errors,
            "is_enrolled": enrolled is not None,
            "errors": errors,
            "given": {"url": enrolled.url if enrolled else "", **typed},
            "measured_at": views.time_text(agent.latest.measured_at),
            "machine": views.machine_facts(agent.latest),
            "gpus": views.gpu_views(agent.latest),
            "playbooks": views.playbook_views(agent.supervisor.run_states.values(), for_owner=is_owner),
            "miners": views.miner_views(
                agent.latest, agent.watches, agent.supervisor.run_states.values(), for_owner=is_owner
            ),
            "operations": operations_view(agent.operations),
            "watches": agent.watches,
            "software": TITLES,
        }
        return {name: self._templates.get_template(f"_{name}.html").render(values) for name in FRAGMENTS}

    def _render(
        self,
        status: int = 200,
        errors: Mapping[str, str] = NOTHING,
        typed: Mapping[str, str] = NOTHING,
        *,
        is_owner: bool = True,
    ) -> Response:
        """Renders the page. Forms and their errors are for the owner only."""
        return html(
            self._templates,
            "page.html",
            status,
            read_only=not is_owner,
            live=self._live(errors, typed, is_owner=is_owner),
            errors=errors,
            given={"software": "", **typed},
            software=TITLES,
        )

    async def _index(self, request: Request) -> Response:
        return self._render(is_owner=is_owner(request))

    async def _enroll(self, request: Request) -> Response:
        form = await form_of(request)
        url, token = form.get("url", ""), form.get("token", "")
        try:
            await self._enrol(url, token)
        except EnrolmentError as error:
            return self._render(422, {error.field: str(error)}, {"url": url, "token": token})
        except SentryError as error:
            return self._render(500, {"url": str(error)}, {"url": url, "token": token})
        return await self._done()

    async def _enrol(self, url: str, token: str) -> None:
        """Raises `EnrolmentError`."""
        agent = self._agent
        machine = await asyncio.to_thread(agent.read_machine)
        enrolled, farm = await enrolment.checked(url, token, agent.user_agent, agent.change, machine)
        await self._change(lambda db: enrolment.save_same_commander(enrolled, db, farm))

    async def _watch(self, request: Request) -> Response:
        fields = await form_of(request)
        form = {name: fields.get(name, "") for name in ("software", "port", "host", "coin")}
        try:
            watch = check_watch(**form, access_token=fields.get("access_token", ""))
            await self._change(lambda db: add_watch(db, watch))
        except BadWatch as error:
            return self._render(422, {error.field: str(error)}, form)
        return await self._done()

    async def _unwatch(self, request: Request) -> Response:
        try:
            port = check_port((await form_of(request)).get("port", ""))
        except BadWatch as error:
            return self._render(422, {error.field: str(error)})
        await self._change(lambda db: remove_watch(db, port))
        return await self._done()

    async def _leave(self, request: Request) -> Response:
        if (await form_of(request)).get("sure") != "yes":
            return self._render(422, {"leave": "Tick the box to say that you are sure."})
        await self._change(enrolment.forget)
        await self._agent.reload()
        try:
            folder = self._agent.supervisor.folders.data_dir
            await self._leaving.call(lambda: stop_and_delete_mining(folder), timeout_s=_LEAVE_S)
        except (SentryError, TimeoutError) as error:
            return self._render(500, {"leave": str(error) or "Some miners do not end; try again."})
        return await self._done()

    async def _change(self, write: Callable[[sqlite3.Connection], object]) -> None:
        """Changes the store over the agent's own connection."""
        await self._agent.change(write)

    async def _done(self) -> Response:
        await self._agent.reload()
        return RedirectResponse("/", 303)
