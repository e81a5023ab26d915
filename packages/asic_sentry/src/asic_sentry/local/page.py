"""The local page: the ASICs as they are now, and forms to change the sentry. It works without its script."""

import asyncio
import functools
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

from sentry_kit.agent import user_agent
from sentry_kit.errors import EnrolmentError, SentryError
from sentry_kit.local_page.access import Access
from sentry_kit.local_page.forms import fields_of, form_of, html
from sentry_kit.local_page.shell import Fragments, Live, LocalApp, is_owner, page_templates
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from asic_sentry.addresses import BadAddress, Network
from asic_sentry.agent import Agent
from asic_sentry.asics import store
from asic_sentry.asics.addition import NotAdded, add, give_token
from asic_sentry.asics.adoption import PATTERN, BadPattern, CannotAdopt, adopt, check_pattern
from asic_sentry.asics.asic import Override
from asic_sentry.asics.logins import BadLogin, entered_logins, ip_key
from asic_sentry.asics.overrides import BadOverride, changed_override, check_model
from asic_sentry.connect import connect
from asic_sentry.device import Device
from asic_sentry.local import passwords, views
from asic_sentry.models import names_by_make
from asic_sentry.settings import ASIC_USER, DISTRIBUTION

PROGRAM, COMMAND = "ASIC sentry", "asic-sentry"
FRAGMENTS = ("status", "connect", "scan-progress", "scan-stop", "scan-found")
FOR_ALL = ("status",)  # the other parts hold forms and their results
NOTHING: Mapping[str, str] = {}
_PUBLISH_EVERY_S = 0.5
_FORM_LIMIT_BYTES = 2_000_000  # a box for each of 65,534 addresses
_FIELDS_LIMIT = 70_000

Errors = Mapping[str, str]


class Page:
    """The page of one agent."""

    def __init__(self, agent: Agent, store_path: Path) -> None:
        self._agent, self._path = agent, store_path
        self._templates = page_templates("asic_sentry.local", PROGRAM, COMMAND, agent.version)
        self._rows: dict[tuple[int, bool], tuple[int, str]] = {}
        self._news = asyncio.Event()
        self.live = Live(
            Fragments(functools.partial(self._live, is_owner=True)),
            Fragments(functools.partial(self._live, is_owner=False)),
        )

    def app(self, ui_host: str, access: Access) -> LocalApp:
        forms = {
            "/connect": self._connect,
            "/add": self._add,
            "/token": self._token,
            "/remove": self._remove,
            "/enter": self._enter,
            "/model": self._model,
            "/password": self._password,
            "/model-password": self._model_password,
            "/scan": self._scan,
            "/scan/stop": self._stop,
            "/adopt": self._adopt,
        }
        routes = [Route("/", self._index), *(Route(path, do, methods=["POST"]) for path, do in forms.items())]
        return LocalApp(routes, self.live, ui_host, access, self._templates, form_limit_bytes=_FORM_LIMIT_BYTES)

    def changed(self) -> None:
        """Asks for a new rendering. A thousand ASICs change often; a page is updated twice a second."""
        self._news.set()

    async def publish_for_ever(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            self.live.publish()
            await asyncio.sleep(_PUBLISH_EVERY_S)

    def _live(self, *, is_owner: bool) -> Mapping[str, str]:
        """Renders each fragment as one element whose id is its name, and each row of the table."""
        parts = {name: self._part(name) for name in (FRAGMENTS if is_owner else FOR_ALL)}
        rows = {f"asic-{each.asic.id}": f"<table>{self._row(each, is_owner)}</table>" for each in self._agent.poller}
        self._rows = {key: row for key, row in self._rows.items() if key[0] in self._agent.poller.devices}
        trouble = len(views.in_trouble(self._agent.poller))
        parts["trouble"] = self._templates.get_template("_trouble.html").render(trouble=trouble)
        return {**parts, **rows, "asics-set": self._marker(), "trouble-set": self._marker(is_trouble=True)}

    def _marker(self, *, is_trouble: bool = False) -> str:
        """Renders the set of ASICs, or of those in trouble. The page is loaded again when the set changes."""
        devices = views.in_trouble(self._agent.poller) if is_trouble else self._agent.poller
        listed = hash(tuple((device.asic.id, device.asic.ip) for device in devices))
        return self._templates.get_template("_marker.html").render(
            id="trouble-set" if is_trouble else "asics-set", listed=listed
        )

    def _row(self, device: Device, is_owner: bool) -> str:
        """Renders a row, or returns the last rendering if nothing has changed."""
        key = device.asic.id, is_owner
        cached = self._rows.get(key)
        if cached is None or cached[0] != device.version:
            row = self._templates.get_template("_row.html").render(asic=views.row_view(device), is_owner=is_owner)
            cached = self._rows[key] = device.version, row
        return cached[1]

    def _part(self, name: str, errors: Errors = NOTHING, values: Mapping[str, str] = NOTHING) -> str:
        agent = self._agent
        enrolment = agent.uploader.enrolment
        listed = {device.asic.ip for device in agent.poller}
        return self._templates.get_template(f"_{name}.html").render(
            status=views.status_view(agent),
            scan=views.scan_view(agent.scans, listed, may_adopt=bool(enrolment and enrolment.token)),
            has_site_token=bool(enrolment and enrolment.token),
            is_connected=enrolment is not None,
            errors=errors,
            values={"url": enrolment.url if enrolment else "", "name": PATTERN, **values},
        )

    def _render(
        self, request: Request, status: int = 200, errors: Errors = NOTHING, form: str = "", **values: str
    ) -> Response:
        """Renders the page. `form` is the form that `errors` and `values` belong to."""
        owner = is_owner(request)
        shown_parts = FRAGMENTS if owner else FOR_ALL
        devices = list(self._agent.poller)
        is_trouble = request.query_params.get("show") == "trouble"
        shown = views.in_trouble(devices) if is_trouble else devices
        number = max(1, _number(request.query_params.get("page", "1")))
        pages = max(1, -(-len(shown) // views.ROWS_PER_PAGE))
        part = shown[(number - 1) * views.ROWS_PER_PAGE : number * views.ROWS_PER_PAGE]
        changing = self._changing(values.get("id") or request.query_params.get("change", "")) if owner else None
        return html(
            self._templates, "page.html", status,
            read_only=not owner,
            live={name: self._part(name, *((errors, values) if form == name else ())) for name in shown_parts},
            marker=self._marker(is_trouble=is_trouble), rows=[self._row(device, owner) for device in part],
            total=len(devices), trouble=len(views.in_trouble(devices)), is_trouble=is_trouble,
            number=number, pages=pages,
            change=views.row_view(changing) if changing else None,
            override=_override_texts(changing.asic.override) if changing else NOTHING,
            models=views.models_of(devices), models_by_make=names_by_make(),
            entries=views.model_facts(self._agent.model_overrides),
            logins=entered_logins(self._agent.logins), default_user=ASIC_USER,
            login=self._agent.logins.get(ip_key(changing.asic.ip)) if changing else None,
            errors=errors, form=form, values=values,
        )  # fmt: skip

    def _changing(self, key: str) -> Device | None:
        return self._agent.poller.devices.get(_number(key))

    async def _index(self, request: Request) -> Response:
        return self._render(request)

    async def _connect(self, request: Request) -> Response:
        form = await form_of(request)
        url, token = form.get("url", ""), form.get("token", "").strip()
        try:
            await connect(self._path, url, token or None, user_agent(DISTRIBUTION), same_commander=True)
        except EnrolmentError as error:
            return self._render(request, 422, {error.field: str(error)}, "connect", url=url, token=token)
        except SentryError as error:
            return self._render(request, 500, {"url": str(error)}, "connect", url=url, token=token)
        return await self._done()

    async def _add(self, request: Request) -> Response:
        form = {name: (await form_of(request)).get(name, "").strip() for name in ("ip", "port", "model", "token")}
        try:
            await add(self._path, **form, agent=user_agent(DISTRIBUTION))
        except NotAdded as error:
            return self._render(request, 422, error.errors, "add", **form)
        return await self._done()

    async def _token(self, request: Request) -> Response:
        form = await form_of(request)
        device = self._changing(form.get("id", ""))
        token = form.get("token", "").strip()
        if device is None:
            return await self._done()
        try:
            asic = device.asic
            await give_token(self._path, asic.id, asic.ip, token, user_agent(DISTRIBUTION))
        except NotAdded as error:
            return self._render(request, 422, error.errors, "token", id=str(asic.id), token=token)
        return await self._done()

    async def _remove(self, request: Request) -> Response:
        device = self._changing((await form_of(request)).get("id", ""))
        if device is not None:
            ip = device.asic.ip
            await self._change(lambda db: store.remove_asic(db, ip))
        return await self._done()

    async def _enter(self, request: Request) -> Response:
        form = await form_of(request)
        device = self._changing(form.get("id", ""))
        power_w, coin = form.get("power_w", "").strip(), form.get("coin", "").strip()
        if device is None:
            return await self._done()
        try:
            override = changed_override(Override(), power_w or None, coin or None)
        except BadOverride as error:
            values = {"id": form["id"], "power_w": power_w, "coin": coin}
            return self._render(request, 422, {error.field: str(error)}, "enter", **values)
        ip = device.asic.ip
        await self._change(lambda db: store.set_asic_override(db, ip, override))
        return await self._done()

    async def _model(self, request: Request) -> Response:
        form = {name: (await form_of(request)).get(name, "").strip() for name in ("model", "power_w", "coin")}
        try:
            model = check_model(form["model"])
            override = changed_override(Override(), form["power_w"] or None, form["coin"] or None)
        except BadOverride as error:
            return self._render(request, 422, {error.field: str(error)}, "model", **form)
        await self._change(lambda db: store.set_model_override(db, model, override))
        return await self._done()

    async def _password(self, request: Request) -> Response:
        form = await form_of(request)
        device = self._changing(form.get("id", ""))
        if device is None:
            return await self._done()
        try:
            await passwords.take_for_asic(form, device.asic.identity, self._change)
        except BadLogin as error:
            values = {"id": form["id"], "user": form.get("user", "")}
            return self._render(request, 422, {"password": str(error)}, "password", **values)
        return await self._done()

    async def _model_password(self, request: Request) -> Response:
        form = await form_of(request)
        try:
            await passwords.take_for_model(form, self._change)
        except (BadLogin, BadOverride) as error:
            field = "password" if isinstance(error, BadLogin) else error.field
            values = {"model": form.get("model", "").strip(), "user": form.get("user", "")}
            return self._render(request, 422, {field: str(error)}, "model-password", **values)
        return await self._done()

    async def _scan(self, request: Request) -> Response:
        network = (await form_of(request)).get("network", "")
        try:
            self._agent.scans.start(Network(network), ())
        except BadAddress as error:
            return self._render(request, 422, {"network": str(error)}, "network", network=network)
        return await self._done("/#scan")

    async def _stop(self, _request: Request) -> Response:
        self._agent.scans.stop()
        return await self._done("/#scan")

    async def _adopt(self, request: Request) -> Response:
        fields = await fields_of(request, at_most=_FIELDS_LIMIT)
        chosen = {value for name, value in fields if name == "ip"}
        pattern = dict(fields).get("name", PATTERN)
        scan = self._agent.scans.current
        asics = [each for each in scan.asics if each.identity.ip in chosen] if scan else []
        try:
            if not asics:
                raise CannotAdopt("Tick the ASICs that are to be adopted.")
            check_pattern(pattern)
            await adopt(self._path, asics, pattern, user_agent(DISTRIBUTION))
        except BadPattern as error:
            return self._render(request, 422, {"name": str(error)}, "scan-found", name=pattern)
        except SentryError as error:
            await self._agent.reload()  # a part may have been adopted
            return self._render(request, 422, {"adopt": str(error)}, "scan-found", name=pattern)
        return await self._done()

    async def _change(self, write: Callable[[sqlite3.Connection], object]) -> None:
        """Changes the store over the agent's own connection."""
        await self._agent.change(write)

    async def _done(self, to: str = "/") -> Response:
        await self._agent.reload()
        self.changed()
        return RedirectResponse(to, 303)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _override_texts(override: Override) -> Mapping[str, str]:
    power_w = "" if override.power_w is None else f"{override.power_w:g}"
    return {"power_w": power_w, "coin": override.coin or ""}
