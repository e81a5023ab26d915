"""Kinds of channels against real HTTP servers: what is sent, and what each answer means."""

import hashlib
import hmac
from collections.abc import AsyncIterator
from urllib.parse import parse_qs

import msgspec
import pytest
from commander.notifications.failures import DeliveryFailure
from commander.notifications.kinds.kind import ChannelKind, SafeNetwork
from commander.notifications.kinds.registry import KINDS
from commander.notifications.messages import Message, cut
from commander.notifications.news import Event
from commander.notifications.safe_http import SafeHttp
from notification_sinks import Received, Sink, a_message, running_sink

NETWORK = SafeNetwork(SafeHttp(loopback=True), loopback=True)
TOKEN = "123456:AAbbccddeeffgg"
HEADING = "Critical: 38 rigs stopped reporting within 20 s"


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    async with running_sink() as made:
        yield made


def settings_of(kind: str, sink: Sink) -> dict[str, object]:
    settings: dict[str, dict[str, object]] = {
        "telegram": {"bot_token": TOKEN, "chat_id": "-100123", "server": sink.url},
        "discord": {"webhook_url": f"{sink.url}/api/webhooks/1/secret-in-path"},
        "slack": {"webhook_url": f"{sink.url}/services/T/B/secret-in-path"},
        "ntfy": {"server": sink.url, "topic": "farm", "token": "tk_secret"},
        "pushover": {"app_token": "a" * 30, "user_key": "u" * 30, "server": sink.url},
        "webhook": {"url": f"{sink.url}/hook?key=secret-in-path", "secret": "s3cret"},
    }
    return settings[kind]


HTTP_KINDS = ("telegram", "discord", "slack", "ntfy", "pushover", "webhook")


async def send(kind: str, sink: Sink, message: Message) -> Received:
    """Sends by that kind, and returns the request that the server got."""
    await _send(KINDS[kind], settings_of(kind, sink), message)
    return sink.received[-1]


async def _send(kind: ChannelKind, settings: dict[str, object], message: Message) -> None:
    await kind.send(msgspec.convert(settings, kind.settings), message, NETWORK)


async def test_a_webhook_gets_the_incident_with_a_signature(sink: Sink) -> None:
    request = await send("webhook", sink, a_message())
    assert (request.method, request.path) == ("POST", "/hook?key=secret-in-path")
    body = request.json()
    assert body["event"] == "opened"
    assert body["incident"] == {"id": 7, "title": "38 rigs"}
    assert body["url"] == "https://farm.example:8443/incidents"
    assert body["sent_at"] == "2026-11-29T03:12:00.000Z"
    timestamp = request.headers["minewarden-timestamp"]
    assert timestamp == "1795921920"
    expected = hmac.new(b"s3cret", timestamp.encode() + b"." + request.body, hashlib.sha256).hexdigest()
    assert request.headers["minewarden-signature"] == f"sha256={expected}"


async def test_telegram_gets_the_text_and_buttons(sink: Sink) -> None:
    request = await send("telegram", sink, a_message())
    body = request.json()
    assert request.path == f"/bot{TOKEN}/sendMessage"
    assert body["chat_id"] == "-100123"
    assert str(body["text"]).startswith(HEADING + "\nIn common: tag switch:sw-3")
    assert str(body["text"]).endswith("\n\nhttps://farm.example:8443/incidents")
    assert "parse_mode" not in body
    assert [button["callback_data"] for button in body["reply_markup"]["inline_keyboard"][0]] == [  # type: ignore[index]
        "acknowledge:7",
        "mute:7",
    ]


@pytest.mark.parametrize("event", [Event.CLOSED, Event.TEST, Event.SUMMARY])
async def test_what_nobody_can_acknowledge_has_no_buttons(sink: Sink, event: Event) -> None:
    assert "reply_markup" not in (await send("telegram", sink, a_message(event))).json()


async def test_discord_gets_text_that_mentions_nobody(sink: Sink) -> None:
    message = a_message(lines=("@everyone *look* at rig_01 <https://evil.example>",))
    body = (await send("discord", sink, message)).json()
    assert body["allowed_mentions"] == {"parse": []}
    assert r"\*look\* at rig\_01 \<https://evil.example\>" in str(body["content"])


async def test_slack_gets_text_that_can_not_be_markup(sink: Sink) -> None:
    body = (await send("slack", sink, a_message(lines=("<!channel> a & b",)))).json()
    assert "&lt;!channel&gt; a &amp; b" in str(body["text"])


async def test_ntfy_gets_title_priority_and_token(sink: Sink) -> None:
    request = await send("ntfy", sink, a_message())
    body = request.json()
    assert (request.path, request.headers["authorization"]) == ("/", "Bearer tk_secret")
    assert (body["topic"], body["title"], body["priority"]) == ("farm", HEADING, 5)
    assert body["click"] == "https://farm.example:8443/incidents"
    assert (await send("ntfy", sink, a_message(Event.CLOSED))).json()["priority"] == 2


async def test_pushover_gets_its_form(sink: Sink) -> None:
    request = await send("pushover", sink, a_message())
    fields = parse_qs(request.body.decode())
    assert request.path == "/1/messages.json"
    assert fields["token"] == ["a" * 30]
    assert fields["title"] == [HEADING]
    assert fields["priority"] == ["1"]
    assert fields["message"][0].startswith("In common: tag switch:sw-3")


@pytest.mark.parametrize(
    ("kind", "field", "most"),
    [("telegram", "text", 4_096), ("discord", "content", 2_000), ("slack", "text", 4_000)],
)
async def test_a_long_message_is_cut_and_keeps_its_address(sink: Sink, kind: str, field: str, most: int) -> None:
    message = a_message(lines=tuple(f"😀 rig-{number} does not answer" for number in range(2_000)))
    text = str((await send(kind, sink, message)).json()[field])
    assert most - 10 <= len(text.encode("utf-16-le")) // 2 <= most
    assert text.endswith("…\n\nhttps://farm.example:8443/incidents")


async def test_ntfy_and_pushover_count_their_own_way(sink: Sink) -> None:
    message = a_message(lines=("ü" * 5_000,))
    assert 3_990 <= len(str((await send("ntfy", sink, message)).json()["message"]).encode()) <= 4_000
    assert len(parse_qs((await send("pushover", sink, message)).body.decode())["message"][0]) == 1_024


@pytest.mark.parametrize("most", [1, 2, 3, 10])
def test_a_text_is_never_longer_than_allowed(most: int) -> None:
    assert len(cut("😀" * 50, most).encode("utf-16-le")) // 2 <= most
    assert cut("ab", 2) == "ab"


@pytest.mark.parametrize("kind", HTTP_KINDS)
@pytest.mark.parametrize(
    ("status", "is_final"),
    [(401, True), (403, True), (404, True), (410, True), (500, False), (502, False), (418, False)],
)
async def test_an_answer_says_whether_trying_again_is_of_use(
    sink: Sink, kind: str, status: int, is_final: bool
) -> None:
    sink.answers(status, b"no\nway")
    with pytest.raises(DeliveryFailure, match=f"{status}.*no way") as caught:
        await send(kind, sink, a_message())
    assert caught.value.is_final is is_final
    assert caught.value.retry_after_s is None
    assert not {"secret-in-path", TOKEN, "s3cret"} & set(str(caught.value).replace("/", " ").split())


@pytest.mark.parametrize("kind", HTTP_KINDS)
async def test_a_wait_that_is_asked_for_is_known(sink: Sink, kind: str) -> None:
    sink.answers(429, b"{}", Retry_After="90")
    with pytest.raises(DeliveryFailure) as caught:
        await send(kind, sink, a_message())
    assert (caught.value.retry_after_s, caught.value.is_final) == (90.0, False)


async def test_telegrams_own_words_are_understood(sink: Sink) -> None:
    sink.answers(429, b'{"ok":false,"description":"Too Many Requests","parameters":{"retry_after":17}}')
    with pytest.raises(DeliveryFailure) as caught:
        await send("telegram", sink, a_message())
    assert caught.value.retry_after_s == 17
    sink.answers(400, b'{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}')
    with pytest.raises(DeliveryFailure, match=r"chat not found\. Send /start to the bot") as caught:
        await send("telegram", sink, a_message())
    assert caught.value.is_final
    sink.answers(400, b'{"description":"group chat was upgraded","parameters":{"migrate_to_chat_id":-100987}}')
    with pytest.raises(DeliveryFailure, match="-100987"):
        await send("telegram", sink, a_message())


async def test_pushover_says_which_key_is_wrong(sink: Sink) -> None:
    sink.answers(400, b'{"user":"invalid","errors":["user identifier is invalid"],"status":0}')
    with pytest.raises(DeliveryFailure, match="user identifier is invalid") as caught:
        await send("pushover", sink, a_message())
    assert caught.value.is_final


async def test_pushover_refuses_one_message_or_the_channel(sink: Sink) -> None:
    sink.answers(400, b'{"message":"cannot be blank","errors":["message cannot be blank"],"status":0}')
    with pytest.raises(DeliveryFailure) as caught:
        await send("pushover", sink, a_message())
    assert (caught.value.is_final, caught.value.is_refusal) == (False, True)
