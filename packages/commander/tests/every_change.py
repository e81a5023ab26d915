"""A request for each route that changes something, and a farm in which each of them succeeds."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import httpx
import pyotp
from commander.audit.store import EntryFilter, read_entries
from commander.db import Database, open_database
from commander.live.long_poll import LongPoll
from commander.routes import Routes
from commander.services import Services
from commander.settings import Settings
from commander_farm import PASSWORD, Farm, post_form, running
from enrolling import Machine, farm_token
from incident_rows import an_incident, insert
from playbook_farm import OTHER_MONERO, Json, Playbooks, a_software, another

Route = tuple[str, str]  # the method and the address
CHANGING = {"POST", "PUT", "PATCH", "DELETE"}
OF_SENTRIES = "/api/v1/sentry"  # reports of machines; what their site tokens register is tested with adoption
SECRET = pyotp.random_base32()
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).isoformat()
RENAMED = {"name": "renamed"}
CHANNELS = "/api/v1/notification-channels"
WEBHOOK = {"kind": "webhook", "settings": {"url": "http://hook.invalid/"}}
POOL = {"type": "pool", "name": "Fallback", "coin": "Monero", "address": "other.example:1"}
WALLET = {"type": "wallet", "name": "Other", "coin": "Monero", "address": OTHER_MONERO}


class Change(NamedTuple):
    """A request that succeeds: its JSON or, for a page, its form. `ids` overrides the world's."""

    json: object = None
    form: Mapping[str, str] | None = None
    kind: str = "cpu-gpu"


@dataclass
class World:
    """One of everything, a copy for each request."""

    farm: Farm
    ids: dict[str, int]
    spec: Json


def _json(body: object = None, *, kind: str = "cpu-gpu") -> Change:
    return Change(json=body, kind=kind)


def _form(kind: str = "cpu-gpu", **fields: str) -> Change:
    return Change(form=fields, kind=kind)


def changes(ids: Mapping[str, int], spec: Json) -> dict[Route, Change]:
    """A request for each route that changes something."""
    rigs, asics, playbook = "/api/v1/cpu-gpu-rigs", "/api/v1/asic-rigs", "/api/v1/playbooks/{playbook_id}"
    own = "/cpu-gpu/{rig_id}/playbooks"
    work = spec["works"][0]
    form = {"name": "Edited", "software": str(spec["software_id"]), "script": another("edited"), "algorithm": "rx/0"}
    form |= {"pool": str(work["pool_id"]), "wallet": str(work["wallet_id"]), "password": "x", "do": "save"}
    return {
        ("POST", rigs): _json({"name": "added"}),
        ("PATCH", rigs + "/{rig_id}"): _json(RENAMED),
        ("DELETE", rigs + "/{rig_id}"): _json(),
        ("POST", rigs + "/{rig_id}/token"): _json(),
        ("POST", rigs + "/approve"): _json({"rigs": [ids["unapproved_id"]]}),
        ("POST", "/api/v1/farm-tokens"): _json({"name": "hall 2", "uses": 40}),
        ("DELETE", "/api/v1/farm-tokens/{farm_token_id}"): _json(),
        ("POST", asics): _json({"name": "added"}),
        ("PATCH", asics + "/{rig_id}"): _json(RENAMED, kind="asics"),
        ("DELETE", asics + "/{rig_id}"): _json(kind="asics"),
        ("POST", asics + "/{rig_id}/token"): _json(kind="asics"),
        ("POST", "/api/v1/tags"): _json({"rigs": [ids["rig_id"]], "kind": "cpu-gpu", "add": ["hall:2"], "remove": []}),
        ("POST", "/api/v1/site-tokens"): _json({"name": "hall 2"}),
        ("DELETE", "/api/v1/site-tokens/{site_id}"): _json(),
        ("DELETE", "/api/v1/site-tokens/{site_id}/rigs"): _json(),
        ("POST", "/api/v1/addresses"): _json(POOL),
        ("PUT", "/api/v1/addresses/{address_id}"): _json(WALLET),
        ("DELETE", "/api/v1/addresses/{address_id}"): _json(),
        ("POST", "/api/v1/mining-software"): _json(a_software(name="Second", version="2.0")),
        ("PUT", "/api/v1/mining-software/{software_id}"): _json(a_software(name="Spare", version="3.1")),
        ("DELETE", "/api/v1/mining-software/{software_id}"): _json(),
        ("POST", rigs + "/{rig_id}/playbooks"): _json({**spec, "name": "Second", "script": another("second")}),
        ("PUT", rigs + "/{rig_id}/playbooks/order"): _json({"playbooks": [ids["second_id"], ids["playbook_id"]]}),
        ("PUT", playbook): _json({**spec, "name": "Edited", "script": another("edited")}),
        ("DELETE", playbook): _json(),
        ("POST", playbook + "/pause"): _json(),
        ("POST", playbook + "/resume"): _json(),
        ("POST", playbook + "/copy"): _json({"rig_ids": [ids["other_rig_id"]]}),
        ("POST", "/api/v1/playbooks/pause"): _json({"rigs": [ids["rig_id"]]}),
        ("POST", "/api/v1/playbooks/resume"): _json({"select": "name:rig-07"}),
        ("POST", playbook + "/revisions/{revision}/use"): _json(),
        ("POST", "/login"): _form(password=PASSWORD),
        ("POST", "/logout"): _form(),
        ("POST", "/settings/sessions/{session_id}/end"): _form(),
        ("POST", "/api/v1/accesses"): _json({"name": "bert", "role": "operate", "password": "a long password"}),
        ("PATCH", "/api/v1/accesses/{access_id}"): _json({"role": "own"}),
        ("DELETE", "/api/v1/accesses/{access_id}"): _json(),
        ("POST", "/access"): _form(name="bert", role="view"),
        ("POST", "/access/{access_id}"): _form(name="anna", role="operate"),
        ("POST", "/access/{access_id}/remove"): _form(),
        ("POST", "/access/recovery-codes"): _form(),
        ("POST", "/access/second-factor"): _form(secret=SECRET, code=pyotp.TOTP(SECRET).now()),
        ("POST", "/access/second-factor/off"): _form(),
        ("POST", "/access/sessions/end-others"): _form(),
        ("POST", "/access/view-links"): _form(view=str(ids["view_id"]), days="30"),
        ("POST", "/access/view-links/{link_id}/revoke"): _form(),
        ("POST", "/settings/api-keys"): _form(name="backup"),
        ("POST", "/settings/api-keys/{key_id}/revoke"): _form(),
        ("POST", "/settings/site-tokens"): _form(site_name="hall 3"),
        ("POST", "/settings/site-tokens/{site_id}/revoke"): _form(),
        ("POST", "/settings/site-tokens/{site_id}/remove-asics"): _form(),
        ("POST", "/cpu-gpu"): _form(name="added"),
        ("POST", "/cpu-gpu/approve"): _form(rigs=str(ids["unapproved_id"])),
        ("POST", "/cpu-gpu/farm-tokens"): _form(name="hall 3", uses="40", hours="24", name_pattern="{hostname}"),
        ("POST", "/cpu-gpu/farm-tokens/{farm_token_id}/revoke"): _form(),
        ("POST", "/cpu-gpu/{rig_id}/rename"): _form(name="renamed"),
        ("POST", "/cpu-gpu/{rig_id}/remove"): _form(),
        ("POST", "/cpu-gpu/{rig_id}/token"): _form(),
        ("POST", "/asics"): _form(name="added"),
        ("POST", "/asics/{rig_id}/rename"): _form("asics", name="renamed"),
        ("POST", "/asics/{rig_id}/remove"): _form("asics"),
        ("POST", "/asics/{rig_id}/token"): _form("asics"),
        ("POST", "/templates"): _form(**{name: str(value) for name, value in POOL.items()}),
        ("POST", "/templates/{address_id}/edit"): _form(**{name: str(value) for name, value in POOL.items()}),
        ("POST", "/templates/{address_id}/remove"): _form(),
        ("POST", "/mining-software"): _form(**_software_form("Second")),
        ("POST", "/mining-software/{software_id}"): _form(**_software_form("Spare") | {"version": "3.1"}),
        ("POST", "/mining-software/{software_id}/remove"): _form(),
        ("POST", "/api/v1/commands"): _json({"action": "restart_playbook", "rigs": [ids["other_rig_id"]]}),
        ("POST", "/api/v1/commands/{command_id}/cancel"): _json(),
        ("POST", "/api/v1/commands/{command_id}/retry"): _json(),
        ("POST", "/api/v1/watchdog-rules"): _json({"select": "tag:hall", "limits": {"low_percent": 40.0}}),
        ("PUT", "/api/v1/watchdog-rules/{rule_id}"): _json({"select": "tag:hall", "limits": {"low_percent": 30.0}}),
        ("DELETE", "/api/v1/watchdog-rules/{rule_id}"): _json(),
        ("POST", "/api/v1/alert-rules"): _json({"rule": "power<100", "select": "tag:hall"}),
        ("PUT", "/api/v1/alert-rules/{alert_rule_id}"): _json({"rule": "power<200"}),
        ("DELETE", "/api/v1/alert-rules/{alert_rule_id}"): _json(),
        ("POST", "/api/v1/maintenance"): _json({"select": "tag:hall", "until": TOMORROW}),
        ("DELETE", "/api/v1/maintenance/{maintenance_id}"): _json(),
        ("POST", "/api/v1/incidents/{incident_id}/acknowledge"): _json(),
        ("POST", "/api/v1/incidents/{incident_id}/mute"): _json({"minutes": 120}),
        ("POST", "/api/v1/incidents/{incident_id}/unmute"): _json(),
        ("POST", "/incidents/{incident_id}/acknowledge"): _form(),
        ("POST", "/incidents/{incident_id}/mute"): _form(minutes="30"),
        ("POST", "/incidents/{incident_id}/unmute"): _form(),
        ("POST", "/alerts/rules"): _form(rule="power<100", select="tag:hall"),
        ("POST", "/alerts/rules/{alert_rule_id}/edit"): _form(rule="power<200"),
        ("POST", "/alerts/rules/{alert_rule_id}/switch"): _form(),
        ("POST", "/alerts/rules/{alert_rule_id}/remove"): _form(),
        ("POST", "/alerts/maintenance"): _form(select="tag:hall", to=TOMORROW),
        ("POST", "/alerts/maintenance/{maintenance_id}/end"): _form(),
        ("POST", "/watchdog"): _form(select="tag:hall", reboots="yes"),
        ("POST", "/watchdog/{rule_id}/edit"): _form(select="tag:hall", low_percent="30"),
        ("POST", "/watchdog/{rule_id}/remove"): _form(),
        ("POST", CHANNELS): _json({"name": "other", **WEBHOOK}),
        ("PUT", CHANNELS + "/{channel_id}"): _json({"name": "renamed", **WEBHOOK}),
        ("DELETE", CHANNELS + "/{channel_id}"): _json(),
        ("POST", CHANNELS + "/{channel_id}/test"): _json(),
        ("POST", "/alerts/channels"): Change(form={"name": "other", "kind": "webhook", "url": "http://hook.invalid/"}),
        ("POST", "/alerts/channels/{channel_id}/edit"): _form(name="renamed", url="http://hook.invalid/"),
        ("POST", "/alerts/channels/{channel_id}/remove"): _form(),
        ("POST", "/alerts/channels/{channel_id}/test"): _form(),
        ("POST", "/commands"): _form(action="reboot", rigs=str(ids["rig_id"]), size="1", max_failures="1"),
        ("POST", "/commands/{command_id}/cancel"): _form(),
        ("POST", "/commands/{command_id}/retry"): _form(),
        ("POST", "/cpu-gpu/{rig_id}/commands"): _form(action="diagnose"),
        ("POST", "/cpu-gpu/{rig_id}/shutdown"): _form(name="rig-07"),
        ("POST", "/cpu-gpu/{rig_id}/tags"): _form(tags="hall:2"),
        ("POST", "/asics/{rig_id}/tags"): _form("asics", tags="hall:2"),
        ("POST", "/cpu-gpu/tags"): _form(rigs=str(ids["rig_id"]), add="hall:2", apply="yes"),
        ("POST", "/asics/tags"): _form(rigs=str(ids["asic_id"]), add="hall:2", apply="yes"),
        ("POST", "/cpu-gpu/pause"): _form(rigs=str(ids["rig_id"]), apply="yes"),
        ("POST", "/cpu-gpu/resume"): _form(rigs=str(ids["rig_id"]), apply="yes"),
        ("POST", "/tags/import"): _form(csv="kind,name,tags\ncpu-gpu,rig-07,hall:2\n"),
        ("POST", "/cpu-gpu/views"): _form(name="Hot", back="sort=temperature"),
        ("POST", "/asics/views"): _form(name="Hot", back="sort=temperature"),
        ("POST", "/cpu-gpu/views/{view_id}/remove"): _form(),
        ("POST", "/asics/views/{view_id}/remove"): _form("asics"),
        ("POST", own): _form(**form),
        ("POST", own + "/{playbook_id}/edit"): _form(**form),
        ("POST", own + "/{playbook_id}/{action}"): _form(),
        ("POST", own + "/{playbook_id}/copies"): _form(rig=str(ids["other_rig_id"]), apply="yes"),
        ("POST", own + "/{playbook_id}/revisions/{revision}/use"): _form(),
    }


def _software_form(name: str) -> dict[str, str]:
    about = a_software(name=name)
    linux = {f"linux_{field}": str(value) for field, value in about.pop("linux").items()}
    return {field: str(value) for field, value in about.items()} | linux


def app_routes(settings: Settings) -> set[Route]:
    """The method and the address of each route that may change something."""
    routes = Routes(Services(settings, None, LongPoll())).methods()
    return {
        (method, path) for path, methods in routes.items() for method in methods
        if method in CHANGING and not path.startswith(OF_SENTRIES)
    }  # fmt: skip


NO_SPEC: Json = {"software_id": 0, "works": [{"pool_id": 0, "wallet_id": 0}]}
ROUTES = sorted(changes(defaultdict(int), NO_SPEC))


async def make_world(settings: Settings) -> World:
    async with running(settings) as client:
        farm = Farm(client, settings)
        await farm.make_key()
        return await fill(farm)


async def fill(farm: Farm) -> World:
    playbooks = Playbooks(farm)
    await farm.log_in()
    rig, other, asic = await farm.add("rig-07"), await farm.add("rig-08"), await farm.add_asic("asic-01")
    spec = await playbooks.spec()
    playbook = await playbooks.add(rig, spec, name="Main")
    second = await playbooks.add(rig, spec, name="Backup", script=another("backup"), paused=True)
    await playbooks.put(f"/api/v1/playbooks/{playbook['id']}", {**spec, "name": "Newer", "script": another("newer")})
    site = await farm.site_token("hall 1")
    found = {"rigs": [{"name": "asic-02", "key": "02:00:5E:00:00:01"}]}
    (await farm.client.post("/api/v1/sentry/asic-rigs", json=found, headers=site)).raise_for_status()
    farm.client.cookies.clear()  # another browser
    await farm.log_in()
    order = {"action": "fetch_log", "rigs": [rig.id]}
    waiting = await playbooks.post("/api/v1/commands", order, status=202)
    cancelled = await playbooks.post("/api/v1/commands", order | {"rigs": [other.id]}, status=202)
    await playbooks.post(f"/api/v1/commands/{cancelled['id']}/cancel", None, status=200)
    rule = await playbooks.post("/api/v1/watchdog-rules", {"limits": {"low_percent": 20.0}})
    alert_rule = await playbooks.post("/api/v1/alert-rules", {"rule": "power<50"})
    maintenance = await playbooks.post("/api/v1/maintenance", {"until": TOMORROW})
    access = await playbooks.post("/api/v1/accesses", {"name": "anna", "role": "view", "password": "a long password"})
    channel = await playbooks.post(CHANNELS, {"name": "hook", **WEBHOOK})
    for path in ("/cpu-gpu", "/asics"):
        await post_form(farm.client, f"{path}/views", name="Hottest", back="sort=temperature")
    await post_form(farm.client, "/access/view-links", view="1", days="30")
    async with open_database(farm.settings.database_url) as database:
        incident_id = await insert(database, an_incident(datetime.now(UTC)))
    made = await farm_token(farm)
    enrolled = await Machine(farm, "rig-41").enrol(str(made["token"]))
    ids = {
        "farm_token_id": int(str(made["id"])),
        "unapproved_id": enrolled.id,
        "incident_id": incident_id,
        "alert_rule_id": alert_rule["id"],
        "maintenance_id": maintenance["id"],
        "rig_id": rig.id,
        "asic_id": asic.id,
        "other_rig_id": other.id,
        "playbook_id": playbook["id"],
        "second_id": second["id"],
        "revision": 1,
        "address_id": await playbooks.pool("Spare", "spare.example:1"),
        "software_id": await playbooks.software(name="Spare", version="3.0"),
        "site_id": 1,
        "session_id": 2,
        "command_id": waiting["id"],
        "cancelled_id": cancelled["id"],
        "rule_id": rule["id"],
        "channel_id": channel["id"],
        "access_id": access["id"],
        "view_id": 1,
        "asic_view_id": 2,
        "link_id": 1,
        "key_id": 1,
    }
    return World(farm, ids, spec)


async def entries_of(settings: Settings) -> int:
    database = Database(settings.database_url)
    try:
        async with database.reading() as db:
            return len(await read_entries(db, EntryFilter(), before_id=None, limit=10_000))
    finally:
        await database.dispose()


def request_of(world: World, method: str, template: str, change: Change) -> httpx.Request:
    ids = dict(world.ids)
    if change.kind == "asics":
        ids |= {"rig_id": ids["asic_id"], "view_id": ids["asic_view_id"]}
    if template.endswith("/resume"):
        ids["playbook_id"] = ids["second_id"]
    if template.endswith("/retry"):
        ids["command_id"] = ids["cancelled_id"]
    path = template.format(**ids, action="pause")
    headers = {"Content-Type": "application/x-www-form-urlencoded"} if change.form is not None else world.farm.auth
    return world.farm.client.build_request(method, path, json=change.json, data=change.form, headers=headers)
