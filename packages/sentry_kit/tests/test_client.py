import gzip
from collections.abc import Callable

import httpx
import msgspec
import pytest
from protocol.enrolment_messages import KEY_HEADER
from protocol.messages import FieldError, LogReceipt, Problem, RejectedLog
from protocol.playbook_messages import Playbooks
from protocol.tokens import TokenKind, new_token
from sentry_kit.client import (
    RUN_HEADER,
    Busy,
    CommanderClient,
    CommanderError,
    InvalidToken,
    PlaybooksAnswer,
    Refused,
    RigRemoved,
    TooLarge,
    commander_client,
)
from sentry_kit.rig_uploader import backoff_s

TOKEN = new_token(TokenKind.RIG, pin=None)
Answer = Callable[[httpx.Request], httpx.Response]


def client_of(answer: Answer) -> CommanderClient:
    http = httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="https://commander.lan")
    return CommanderClient(http, TOKEN, run="this run")


def problem(status: int, code: str, **headers: str) -> Answer:
    body = msgspec.json.encode(Problem(title="No", status=status, detail="Not so.", code=code))
    return lambda _request: httpx.Response(status, content=body, headers=headers)


async def test_a_report_carries_the_token_the_run_and_its_logs_as_they_are() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        receipt = LogReceipt(stored=1, duplicates=0, rejected=[RejectedLog(index=1, reason="no")])
        return httpx.Response(200, content=msgspec.json.encode(receipt))

    receipt = await client_of(answer).send_logs([b'{"taken_at":"a"}', b'{"b":2}'])
    assert (receipt.stored, receipt.rejected[0].reason) == (1, "no")
    assert seen[0].headers["Authorization"] == f"Bearer {TOKEN}"
    assert seen[0].headers[RUN_HEADER] == "this run"
    assert seen[0].content == b'{"logs":[{"taken_at":"a"},{"b":2}]}'


async def test_each_request_carries_the_sentry_s_key_and_a_commander_s_reason_for_another_one_is_shown() -> None:
    seen: list[str | None] = []
    reason = "This token belongs to a machine whose sentry has another key."
    wrong = Problem(
        title="No",
        status=401,
        detail=reason,
        code="invalid_token",
        errors=[FieldError(field=KEY_HEADER, message=reason)],
    )

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get(KEY_HEADER))
        return httpx.Response(401, content=msgspec.json.encode(wrong))

    client = client_of(answer)
    for key in (None, "a" * 32):
        if key:
            client.use_key(key)
        for call in (client.welcome(), client.send_specs(b"{}"), client.file("packages", 1000)):
            with pytest.raises(InvalidToken, match="another key"):
                await call
    assert seen == [None] * 3 + ["a" * 32] * 3


async def test_a_large_report_is_compressed() -> None:
    logs = [b'{"n":%d}' % number for number in range(1000)]

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["Content-Encoding"] == "gzip"
        sent = msgspec.json.decode(gzip.decompress(request.content))
        return httpx.Response(200, json={"stored": len(sent["logs"]), "duplicates": 0})

    assert (await client_of(answer).send_logs(logs)).stored == 1000


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (problem(401, "invalid_token"), InvalidToken),
        (problem(410, "rig_removed"), RigRemoved),
        (problem(413, "too_large"), TooLarge),
        (problem(422, "invalid"), Refused),
        (problem(400, "not_json"), Refused),
        (problem(429, "throttled"), Busy),
        (problem(503, "overloaded"), Busy),
    ],
)
async def test_every_answer_that_calls_for_something_else_has_its_error(
    answer: Answer, error: type[CommanderError]
) -> None:
    with pytest.raises(error):
        await client_of(answer).welcome()


@pytest.mark.parametrize("status", [301, 400, 401, 404, 410, 422, 500])
async def test_the_answer_of_something_that_is_no_commander_is_not_obeyed(status: int) -> None:
    with pytest.raises(CommanderError) as caught:
        await client_of(lambda _request: httpx.Response(status, text="<html>a proxy</html>")).welcome()
    assert type(caught.value) is CommanderError


@pytest.mark.parametrize("body", [b"", b"<html>log in to the hotel's WLAN</html>", b"{}", b"\xff"])
async def test_success_without_sense_is_no_commander(body: bytes) -> None:
    with pytest.raises(CommanderError, match="is not a commander"):
        await client_of(lambda _request: httpx.Response(200, content=body)).welcome()


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("86400", 300.0),
        ("soon", None),
        ("", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
    ],
)
async def test_retry_after_is_read_and_bounded(header: str, wait_s: float | None) -> None:
    with pytest.raises(Busy) as caught:
        await client_of(problem(503, "overloaded", **{"Retry-After": header})).welcome()
    assert caught.value.retry_after_s == wait_s


async def test_a_network_in_trouble_is_a_sentence() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    with pytest.raises(CommanderError, match="can be reached at https://commander"):
        await client_of(answer).welcome()


@pytest.mark.parametrize("ca_pem", ["", "noise", "-----BEGIN CERTIFICATE-----\nMII\ufffd\n-----END CERTIFICATE-----\n"])
async def test_a_certificate_that_is_damaged_is_a_sentence(ca_pem: str) -> None:
    with pytest.raises(CommanderError, match="enroll again"):
        async with commander_client("https://commander.lan", None, ca_pem, "a-sentry/1"):
            pass


def test_waiting_grows_to_30_s_but_not_beyond_the_report_interval() -> None:
    assert [backoff_s(failures, 60, 1) for failures in (1, 2, 3, 4, 5, 6, 50)] == [1, 2, 4, 8, 16, 30, 30]
    assert backoff_s(50, 10, 1) == 10
    assert backoff_s(3, 60, 0) == 2


async def test_playbooks_are_asked_for_with_the_tag_that_is_known_and_time_to_wait() -> None:
    asked: list[httpx.Request] = []
    body = msgspec.json.encode(Playbooks(playbooks=[]))

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if request.headers.get("If-None-Match") == '"a"':
            return httpx.Response(304)
        return httpx.Response(200, content=body, headers={"ETag": '"a"'})

    client = client_of(answer)
    assert await client.playbooks(None, 50.0) == PlaybooksAnswer(body, '"a"')
    assert await client.playbooks('"a"', 0.5) is None
    assert [request.headers["Prefer"] for request in asked] == ["wait=50", "wait=1"]
    assert asked[0].extensions["timeout"]["read"] == 60


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"playbooks":[{"id":1}]}'])
async def test_playbooks_that_make_no_sense_are_no_commander_s(body: bytes) -> None:
    with pytest.raises(CommanderError, match="is not a commander"):
        await client_of(lambda _request: httpx.Response(200, content=body)).playbooks(None, 1)


async def test_status_and_output_are_told() -> None:
    seen: list[tuple[str, str, bytes]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((request.method, request.url.path, request.content))
        return httpx.Response(204)

    client = client_of(answer)
    await client.send_playbooks_status(b'{"playbooks":[]}')
    await client.send_output(b'{"output":[]}')
    assert seen == [
        ("PUT", "/api/v1/sentry/playbooks/status", b'{"playbooks":[]}'),
        ("POST", "/api/v1/sentry/output", b'{"output":[]}'),
    ]
