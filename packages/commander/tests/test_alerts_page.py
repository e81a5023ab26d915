"""The page of alerts and its forms of channels, as a browser without script gets them."""

import asyncio
import html
import re

import httpx
from commander.settings import Settings
from commander_farm import Farm, on_sqlite, serving
from msgspec.structs import replace
from notification_sinks import running_sink
from pages import error_beside, page, post

CHANNELS = "/api/v1/notification-channels"
TOKEN = "123456:AAbbccddeeffgg"
ALERTS = "/alerts"


async def channel_of(person: httpx.AsyncClient) -> dict[str, object]:
    (channel,) = (await person.get(CHANNELS)).json()["channels"]
    return dict(channel)


async def row(person: httpx.AsyncClient) -> str:
    """Returns the text of the only channel's row."""
    (found,) = re.findall(r'<tr id="channel-\d+">(.*?)</tr>', await page(person, ALERTS), re.DOTALL)
    return html.unescape(re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", found))).strip()


async def test_the_page_without_channels_says_what_to_do(person: httpx.AsyncClient) -> None:
    text = await page(person, ALERTS)
    assert 'data-live="/live?view=alerts"' in text
    assert re.search(r'<a href="/alerts" aria-current="page"[^>]*>.*?Alerts.*?</a>', text)
    assert "There are no channels yet" in text
    for kind in ("telegram", "email", "discord", "slack", "ntfy", "pushover", "webhook"):
        dialog = await page(person, f"/alerts?dialog=add-channel&amp;kind={kind}".replace("&amp;", "&"))
        assert f'<input type="hidden" name="kind" value="{kind}">' in dialog


async def test_a_channel_is_added_and_changed_by_its_form(person: httpx.AsyncClient) -> None:
    added = await post(
        person,
        "/alerts/channels",
        **{"name": "phone", "kind": "telegram", "bot_token": TOKEN, "chat_id": "-100123", "severities": "critical"},
        **{"select": "tag:hall:2", "only_after_min": "10", "quiet_from": "22:00", "quiet_until": "07:00"},
        **{"digest_at": "08:00", "time_zone": "Europe/Berlin"},
    )
    assert (added.status_code, added.headers["location"]) == (303, ALERTS)
    channel = await channel_of(person)
    assert channel["severities"] == ["critical"]
    assert channel["only_after_s"] == 600
    assert channel["quiet"] == {"from": "22:00", "until": "07:00", "time_zone": "Europe/Berlin"}
    assert (await row(person)).startswith(
        "phone Telegram critical only, tag:hall:2, after 10 min unacknowledged, quiet 22:00–07:00 Europe/Berlin, "
        "digest at 08:00 Europe/Berlin Nothing sent yet Never"
    )
    dialog = await page(person, f"/alerts?dialog=edit-channel&channel={channel['id']}")
    assert TOKEN not in dialog
    assert "Stored. Leave empty to keep it." in dialog
    for value in ("-100123", "tag:hall:2", "10", "22:00", "07:00", "08:00", "Europe/Berlin"):
        assert f'value="{value}"' in dialog
    edited = await post(
        person, f"/alerts/channels/{channel['id']}/edit", name="Anna", bot_token="", chat_id="42", enabled="no"
    )
    assert edited.status_code == 303
    channel = await channel_of(person)
    assert (channel["name"], channel["enabled"], channel["secrets_set"]) == ("Anna", False, ["bot_token"])
    assert (await row(person)).startswith("Anna Telegram all incidents Off Never")


async def test_a_mail_channel_takes_several_addresses(person: httpx.AsyncClient) -> None:
    mail = {"host": "mail.example", "port": "", "security": "tls", "sender": "farm@example.com"}
    await post(person, "/alerts/channels", name="mail", kind="email", recipients="a@example.com, b@example.com", **mail)
    channel = await channel_of(person)
    assert channel["settings"] == {
        "host": "mail.example",
        "port": 0,
        "security": "tls",
        "username": "",
        "sender": "farm@example.com",
        "recipients": ["a@example.com", "b@example.com"],
    }
    assert 'value="a@example.com, b@example.com"' in await page(
        person, f"/alerts?dialog=edit-channel&channel={channel['id']}"
    )


async def test_errors_stand_beside_their_fields_and_the_input_is_kept(person: httpx.AsyncClient) -> None:
    async def wrong(field: str, **fields: str) -> str:
        filled = {"name": "x", "kind": "ntfy", "topic": "farm"} | fields
        answer = await person.post("/alerts/channels", data=filled, headers=FORM, follow_redirects=False)
        assert answer.status_code == 422, answer.text
        assert 'data-url="/alerts?dialog=add-channel&amp;kind=ntfy"' in answer.text
        return html.unescape(error_beside(answer.text, field))

    assert await wrong("topic", topic="") == "Topic: this field is empty. Enter a value."
    assert (await wrong("topic", topic="no good topic")).startswith("Topic: this value has the wrong form.")
    assert await wrong("only_after_min", only_after_min="soon") == "Enter whole minutes, 1,440 at most."
    assert await wrong("quiet_until", quiet_from="22:00") == "Enter a time such as 22:00."
    assert await wrong("quiet_from", quiet_from="late", quiet_until="07:00") == "Enter a time such as 22:00."
    assert "Mars/Base is not a time zone" in await wrong(
        "time_zone", quiet_from="22:00", quiet_until="07:00", time_zone="Mars/Base"
    )
    assert await wrong("digest_at", digest_at="8") == "Enter a time such as 08:00."
    assert "never sent to 169.254.169.254" in await wrong("server", server="http://169.254.169.254")
    assert (await person.get(CHANNELS)).json() == {"channels": []}


async def test_a_channel_is_removed_after_a_question(person: httpx.AsyncClient) -> None:
    await post(person, "/alerts/channels", name="phone", kind="ntfy", topic="farm")
    channel_id = (await channel_of(person))["id"]
    assert "Remove phone?" in await page(person, f"/alerts?dialog=remove-channel&channel={channel_id}")
    removed = await post(person, f"/alerts/channels/{channel_id}/remove")
    assert "The channel was removed." in await page(person, removed.headers["location"])
    assert (await post(person, f"/alerts/channels/{channel_id}/remove")).headers["location"] == ALERTS


@on_sqlite
async def test_a_test_shows_its_outcome_and_the_last_error(settings: Settings) -> None:
    async with running_sink() as sink, serving(replace(settings, notify_loopback=True)) as client:
        farm = Farm(client, settings)
        await farm.log_in()
        await post(client, "/alerts/channels", name="hook", kind="webhook", url=sink.url)
        path = f"/alerts/channels/{(await channel_of(client))['id']}/test"
        sink.answers(500, b"out of order")
        failed = await post(client, path)
        assert "The test was not sent" in await page(client, failed.headers["location"])
        assert "Failing The webhook's server refused the message (status 500): out of order." in await row(client)
        sink.answers(200)
        sent = await post(client, path)
        assert "The test was sent." in await page(client, sent.headers["location"])
        assert "Works" in await row(client)


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def test_an_open_page_shows_a_new_error_by_itself(served_farm: Farm) -> None:
    farm = served_farm
    await farm.log_in()
    await post(farm.client, "/alerts/channels", name="hook", kind="webhook", url="http://hook.invalid/")
    seq = re.search(r'data-seq="([^"]+)"', await page(farm.client, ALERTS))
    assert seq
    cookie = "; ".join(f"{name}={value}" for name, value in farm.client.cookies.items())
    async with asyncio.timeout(30), farm.socket(f"/live?view=alerts&seq={seq[1]}", Cookie=cookie) as socket:
        await post(farm.client, f"/alerts/channels/{(await channel_of(farm.client))['id']}/test")
        text = ""
        while "hook.invalid could not be looked up" not in text:
            text += str(await socket.recv())
    assert 'id="alerts-channels"' in text
    assert 'class="state warning">Failing' in text
