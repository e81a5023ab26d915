"""Notification channels at the API: what is stored, what is shown, what is refused."""

import sqlite3
from collections.abc import AsyncIterator

import httpx
import pytest
from commander.settings import Settings
from commander_farm import Farm, on_sqlite, serving
from msgspec.structs import replace
from notification_sinks import Sink, running_sink

CHANNELS = "/api/v1/notification-channels"
Json = dict[str, object]
NTFY: Json = {"name": "phone", "kind": "ntfy", "settings": {"topic": "farm", "token": "tk_secret"}}


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    async with running_sink() as made:
        yield made


async def ask(farm: Farm, method: str, path: str = "", body: object = None) -> httpx.Response:
    return await farm.client.request(method, CHANNELS + path, json=body, headers=farm.auth)


async def add(farm: Farm, body: object = NTFY) -> Json:
    answer = await ask(farm, "POST", "", body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def refused(farm: Farm, body: object, *, path: str = "", method: str = "POST") -> tuple[int, str, str]:
    """Returns status, code and the first field of the answer."""
    answer = await ask(farm, method, path, body)
    problem = answer.json()
    return answer.status_code, problem["code"], problem["errors"][0]["field"] if problem.get("errors") else ""


async def test_a_channel_is_added_changed_and_removed(farm: Farm) -> None:
    channel = await add(farm)
    assert channel == {
        "id": channel["id"],
        "name": "phone",
        "kind": "ntfy",
        "settings": {"server": "https://ntfy.sh", "topic": "farm"},
        "secrets_set": ["token"],
        "severities": ["warning", "critical"],
        "select": "",
        "only_after_s": 0,
        "quiet": None,
        "digest": None,
        "enabled": True,
        "off_reason": None,
        "last_error": None,
        "last_error_at": None,
        "last_sent_at": None,
        "waiting": 0,
        "next_attempt_at": None,
    }
    wishes = {
        "severities": ["critical"],
        "select": "tag:hall:2",
        "only_after_s": 600,
        "quiet": {"from": "22:00", "until": "07:00", "time_zone": "Europe/Berlin"},
        "digest": {"at": "08:00", "time_zone": "Europe/Berlin"},
        "enabled": False,
    }
    changed = await ask(farm, "PUT", f"/{channel['id']}", NTFY | wishes)
    assert changed.status_code == 200, changed.text
    assert changed.json() == channel | wishes
    assert (await ask(farm, "GET")).json() == {"channels": [changed.json()]}
    contract = ("name", "kind", "settings", "severities", "select", "only_after_s", "quiet")
    again = await ask(farm, "PUT", f"/{channel['id']}", {name: changed.json()[name] for name in contract})
    assert again.json()["digest"] == wishes["digest"], "it was left out"
    without = await ask(farm, "PUT", f"/{channel['id']}", NTFY | {"digest": None})
    assert without.json()["digest"] is None
    assert (await ask(farm, "DELETE", f"/{channel['id']}")).status_code == 204
    assert (await ask(farm, "GET")).json() == {"channels": []}
    for method, path, body in (("PUT", "/1", NTFY), ("DELETE", "/1", None), ("POST", "/1/test", None)):
        assert (await ask(farm, method, path, body)).status_code == 404


@on_sqlite
async def test_secrets_are_neither_read_back_nor_at_rest_in_clear(farm: Farm) -> None:
    await add(
        farm, {"name": "hook", "kind": "slack", "settings": {"webhook_url": "https://hooks.slack.test/T0PSECRET"}}
    )
    await add(farm)
    text = (await ask(farm, "GET")).text + (await farm.get("/api/v1/audit")).text
    assert "T0PSECRET" not in text
    assert "tk_secret" not in text
    with sqlite3.connect(farm.settings.data_dir / "commander.db") as connection:
        dump = "\n".join(connection.iterdump())
    connection.close()
    for secret in ("T0PSECRET", "tk_secret"):
        assert secret not in dump
        assert secret.encode().hex() not in dump.lower()
    key = farm.settings.data_dir / "tls" / "secrets.key"
    assert (len(key.read_bytes()), oct(key.stat().st_mode & 0o777)) == (32, "0o600")


async def test_a_secret_that_is_left_out_stays_unless_the_server_changes(farm: Farm, sink: Sink) -> None:
    channel = await add(farm)
    path = f"/{channel['id']}"
    kept = await ask(farm, "PUT", path, {**NTFY, "settings": {"topic": "other"}})
    assert (kept.json()["settings"]["topic"], kept.json()["secrets_set"]) == ("other", ["token"])
    for empty in ({}, {"token": ""}, {"token": None}):
        moved = {**NTFY, "settings": {"topic": "farm", "server": "https://evil.example", **empty}}
        assert await refused(farm, moved, path=path, method="PUT") == (422, "bad_settings", "settings.server")
    moved = {**NTFY, "settings": {"topic": "farm", "server": "https://ntfy.farm.example", "token": "tk_new"}}
    assert (await ask(farm, "PUT", path, moved)).status_code == 200


@pytest.mark.parametrize(
    ("sort", "entered", "field"),
    [
        ("ntfy", {}, "settings.topic"),
        ("ntfy", {"topic": "a b"}, "settings.topic"),
        ("ntfy", {"topic": "farm", "colour": "red"}, "settings.colour"),
        ("ntfy", {"topic": 7}, "settings.topic"),
        ("ntfy", {"topic": "farm", "server": "ftp://ntfy.example"}, "settings.server"),
        ("telegram", {"bot_token": "no token", "chat_id": "1"}, "settings.bot_token"),
        ("telegram", {"bot_token": "123456:AAbbccddeeff"}, "settings.chat_id"),
        ("email", {"host": "mail.example", "sender": "a@b.example", "recipients": []}, "settings.recipients"),
        (
            "email",
            {"host": "m", "sender": "a@b.c\r\nBcc: x", "recipients": ["a@b"]},
            "settings.sender",
        ),
        (
            "email",
            {"host": "m", "security": "maybe", "sender": "a@b", "recipients": ["a@b"]},
            "settings.security",
        ),
        ("webhook", {"url": "http://169.254.169.254/"}, "settings.url"),
        ("webhook", {"url": "http://[::ffff:169.254.169.254]/"}, "settings.url"),
        ("webhook", {"url": "http://127.0.0.1:9/"}, "settings.url"),
        ("discord", {"webhook_url": "https://[fe80::1]/x"}, "settings.webhook_url"),
        ("email", {"host": "127.0.0.1", "sender": "a@b", "recipients": ["a@b"]}, "settings.host"),
        ("pigeon", {}, "kind"),
    ],
)
@on_sqlite
async def test_wrong_settings_are_refused_with_their_field(farm: Farm, sort: str, entered: Json, field: str) -> None:
    status, code, named = await refused(farm, {"name": "x", "kind": sort, "settings": entered})
    assert (status, named) == (422, field)
    assert code == ("unknown_kind" if sort == "pigeon" else "bad_settings")


@pytest.mark.parametrize("entered", [[1, 2], "server", 5, None, True])
@on_sqlite
async def test_a_field_with_the_name_of_a_dependency_is_a_wrong_field(farm: Farm, entered: object) -> None:
    assert await refused(farm, NTFY | {"settings": entered}) == (422, "wrong_field", "settings")


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"select": "tga:hall"}, "bad_selection"),
        ({"quiet": {"from": "22:00", "until": "22:00"}}, "bad_quiet_hours"),
        ({"quiet": {"from": "22:00", "until": "07:00", "time_zone": "Mars/Base"}}, "bad_quiet_hours"),
        ({"quiet": {"from": "22:00", "until": "07:00", "time_zone": "../../etc/passwd"}}, "bad_quiet_hours"),
        ({"quiet": {"from": "25:00", "until": "07:00"}}, "invalid"),
        ({"digest": {"at": "8"}}, "invalid"),
        ({"severities": []}, "invalid"),
        ({"only_after_s": -1}, "invalid"),
    ],
)
@on_sqlite
async def test_wrong_wishes_are_refused(farm: Farm, more: Json, code: str) -> None:
    status, named, _ = await refused(farm, NTFY | more)
    assert status in (400, 422)
    assert code in (named, "invalid")


async def test_a_name_is_used_once(farm: Farm) -> None:
    first, second = await add(farm), await add(farm, {**NTFY, "name": "other"})
    assert first["id"] != second["id"]
    assert (await refused(farm, NTFY))[:2] == (409, "name_taken")
    path = f"/{second['id']}"
    assert (await refused(farm, NTFY, path=path, method="PUT"))[:2] == (409, "name_taken")


async def test_a_test_says_whether_it_was_sent(settings: Settings, sink: Sink) -> None:
    async with serving(replace(settings, notify_loopback=True)) as client:
        farm = Farm(client, settings)
        await farm.make_key()
        channel = await add(farm, {"name": "hook", "kind": "webhook", "settings": {"url": sink.url, "secret": "s"}})
        path = f"/{channel['id']}"
        answer = await ask(farm, "POST", f"{path}/test")
        assert (answer.status_code, answer.json()) == (200, {"sent": True, "error": None})
        assert sink.received[0].json()["event"] == "test"
        assert sink.received[0].json()["incident"] is None
        sink.answers(500, b"out of order")
        answer = await ask(farm, "POST", f"{path}/test")
        error = "The webhook's server refused the message (status 500): out of order."
        assert answer.json() == {"sent": False, "error": error}
        (now,) = (await ask(farm, "GET")).json()["channels"]
        assert (now["enabled"], now["last_error"]) == (True, error)
        assert now["last_sent_at"] is not None


@on_sqlite
async def test_without_the_setting_a_name_that_leads_to_loopback_is_refused(farm: Farm, sink: Sink) -> None:
    channel = await add(farm, {"name": "x", "kind": "webhook", "settings": {"url": f"http://localhost:{sink.port}"}})
    answer = (await ask(farm, "POST", f"/{channel['id']}/test")).json()
    assert answer["sent"] is False
    assert "COMMANDER_NOTIFY_LOOPBACK=true" in answer["error"]
    assert sink.connections == 0


@on_sqlite
async def test_channels_need_a_key(farm: Farm) -> None:
    assert (await farm.client.get(CHANNELS)).status_code == 401
