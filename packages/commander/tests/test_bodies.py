"""Bodies are read only for senders who may send them, within limits. An unreadable one has its documented status."""

import gzip
import re
from typing import Any

import httpx
import pytest
import zstandard
from commander.web.body_budget import BodyBudget, TooManyBodies
from commander.web.body_gate import BodyGate, address_of
from commander_farm import ASIC_LOGS, ASICS, LOGS, RIGS, Farm, a_log, an_asic_log, on_sqlite, post_form
from litestar.types import Receive, Scope, Send
from protocol.tokens import TokenKind, new_token

JSON = {"Content-Type": "application/json"}
STRANGERS_PATHS = [
    ("POST", LOGS),
    ("PUT", "/api/v1/sentry/specs"),
    ("PUT", "/api/v1/sentry/playbooks/status"),
    ("POST", "/api/v1/sentry/output"),
    ("POST", "/api/v1/sentry/asic-rigs"),
    ("POST", RIGS),
    ("PATCH", f"{RIGS}/1"),
    ("POST", "/api/v1/addresses"),
    ("POST", "/cpu-gpu"),
    ("POST", "/settings/api-keys"),
]


@on_sqlite
@pytest.mark.parametrize(("method", "path"), STRANGERS_PATHS)
async def test_a_stranger_gets_the_answer_before_the_body_is_looked_at(farm: Farm, method: str, path: str) -> None:
    """The body would be answered 415 if it was read."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {new_token(TokenKind.RIG, pin=None)}"}
    for body in (b"{", b" " * (4 * 1024 * 1024 + 1)):
        answer = await farm.client.request(method, path, content=body, headers=headers, follow_redirects=False)
        assert answer.status_code in (401, 303), answer.text


@on_sqlite
async def test_what_is_no_json_has_its_status_at_every_door(farm: Farm) -> None:
    for method, path, auth in await doors(farm):
        for body in (b"{", b'{"a": tru', b"\xff\xfe"):
            answer = await farm.client.request(method, path, content=body, headers=auth | JSON)
            assert (answer.status_code, answer.json()["code"]) == (415, "not_json"), (method, path, body, answer.text)


@on_sqlite
async def test_broken_packing_has_its_status_and_a_sentence(farm: Farm) -> None:
    packed = {"gzip": gzip.compress(b'{"logs": []}', mtime=0), "zstd": zstandard.compress(b'{"logs": []}')}
    streamed = zstandard.ZstdCompressor().compressobj()
    frames = [*packed.items(), ("zstd", streamed.compress(b'{"logs": []}') + streamed.flush())]
    for method, path, auth in await doors(farm):
        for encoding, body in frames:
            for cut in range(1, len(body)):
                headers = auth | JSON | {"Content-Encoding": encoding}
                answer = await farm.client.request(method, path, content=body[:cut], headers=headers)
                assert (answer.status_code, answer.json()["code"]) == (400, "bad_body"), (path, encoding, cut)
                assert encoding in answer.json()["detail"]


def nested(depth: int) -> list[bytes]:
    """Returns deep JSON of both shapes, alone and in an unknown field."""
    lists, objects = b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth
    inside = [b'{"x": %s}' % lists, b'{"name": %s}' % objects, b'{"logs": [{"x": %s}]}' % lists]
    asic = b'{"items": [{"token": "mw_asic_0", "logs": [%s], "specs": %s}]}' % (lists, objects)
    return [lists, objects, *inside, asic]


@on_sqlite
@pytest.mark.parametrize("depth", [150, 250, 800, 950, 1_000, 1_100, 50_000])
async def test_deep_json_is_an_error_of_its_sender_at_every_door(farm: Farm, depth: int) -> None:
    for method, path, auth in await doors(farm):
        for body in nested(depth):
            answer = await farm.client.request(method, path, content=body, headers=auth | JSON)
            assert answer.status_code < 500, (method, path, body[:40], answer.text)


@on_sqlite
@pytest.mark.parametrize("depth", [190, 250, 500, 700, 900])
async def test_a_deep_log_is_rejected_by_itself_or_can_be_looked_at(farm: Farm, depth: int) -> None:
    rig, asic = await farm.add(), await farm.add_asic()
    deep: Any = 1
    for _ in range(depth):
        deep = [deep]
    answer = await farm.report(rig, a_log(5), a_log() | {"from_the_future": deep})
    receipts: list[Any] = [answer.json()]
    receipts.append(await farm.report_asic(asic, an_asic_log(5), an_asic_log() | {"from_the_future": deep}))
    for receipt in receipts:
        assert (receipt["stored"], len(receipt["rejected"])) == ((2, 0) if depth < 200 else (1, 1)), receipt
    await farm.log_in()
    for each, api, pages in ((rig, RIGS, "/cpu-gpu"), (asic, ASICS, "/asics")):
        for path in (f"{api}/{each.id}", f"{api}/{each.id}/logs", f"{api}/{each.id}/history"):
            assert (await farm.get(path)).status_code == 200
        for path in (pages, f"{pages}/{each.id}", f"{pages}/{each.id}/log", f"{pages}/{each.id}/log.csv"):
            assert (await farm.client.get(path)).status_code == 200


@on_sqlite
async def test_a_form_has_limits_and_the_password_smaller_ones(person: httpx.AsyncClient) -> None:
    for path, size, fields in (("/login", 4_096, 10), ("/cpu-gpu", 65_536, 100), ("/settings/api-keys", 65_536, 100)):
        for form in ({"name": "x" * size}, {f"f{number}": "1" for number in range(fields + 1)}):
            answer = await post_form(person, path, **form)
            assert answer.status_code == 413, (path, answer.status_code)
            assert "fields at most" in answer.text
        assert (await post_form(person, path, name="a rig", password="x")).status_code != 413


@on_sqlite
async def test_a_playbook_is_copied_to_as_many_rigs_as_its_page_shows(person: httpx.AsyncClient) -> None:
    ticked = "&".join(f"rig={number}" for number in range(1, 501))
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await person.post("/cpu-gpu/1/playbooks/1/copies", content=ticked, headers=headers)
    assert answer.status_code == 404  # the form was read; there is no such playbook


@on_sqlite
async def test_asic_logs_need_no_authorization_and_neither_a_good_nor_a_bad_one_changes_the_answer(farm: Farm) -> None:
    asic = await farm.add_asic()
    bad = {"Authorization": f"Bearer {new_token(TokenKind.ASIC, pin=None)}"}
    for seconds, auth in enumerate(({}, bad, {"Authorization": "Basic x"}, asic.auth, await farm.site_token())):
        item = {"token": asic.token, "logs": [an_asic_log(seconds)]}
        answer = await farm.client.post(ASIC_LOGS, json={"items": [item]}, headers=auth)
        assert (answer.status_code, answer.json()["results"][0]["stored"]) == (200, 1), answer.text


def test_strangers_leave_room_for_the_farm_and_one_address_for_others() -> None:
    budget = BodyBudget(total=100, of_strangers=30, of_one_address=10)
    with budget.share("192.0.2.1") as first, budget.share("192.0.2.1") as again, budget.share("192.0.2.2") as other:
        first.take(6)
        with pytest.raises(TooManyBodies):
            again.take(5)
        other.take(10)
        with budget.share("192.0.2.3") as third, budget.share(None) as rig:
            with pytest.raises(TooManyBodies):
                third.take(15)
            rig.take(80)
            with pytest.raises(TooManyBodies):
                rig.take(5)


def test_what_is_given_back_can_be_taken_again_and_a_known_sender_leaves_the_strangers() -> None:
    budget = BodyBudget(total=100, of_strangers=10, of_one_address=10)
    for _ in range(3):
        with budget.share("192.0.2.1") as share:
            share.take(10)
            share.sender_is_known()
            with budget.share("192.0.2.1") as next_one:
                next_one.take(10)
    with budget.share(None) as rig:
        rig.take(100)


async def test_the_owner_logs_in_while_strangers_have_filled_their_room() -> None:
    """Bodies of logged-in people do not use strangers' room."""
    gate = BodyGate(whole_body, BodyBudget(of_strangers=10), check_token=nobody)
    with pytest.raises(TooManyBodies):
        await sent_through(gate, "/api/v1/cpu-gpu-rigs", b'{"name": "a rig"}')
    assert await sent_through(gate, "/login", b"password=correct+horse") == b"password=correct+horse"


async def whole_body(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that answers with the body of the request."""
    event = await receive()
    assert event["type"] == "http.request"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": event["body"], "more_body": False})


async def nobody(scope: Scope) -> None:
    raise AssertionError(scope["path"])


async def sent_through(gate: BodyGate, path: str, body: bytes) -> bytes:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(gate), base_url="http://commander") as client:  # type: ignore[arg-type]
        return (await client.post(path, content=body)).content


@pytest.mark.parametrize(
    ("one", "other", "are_one"),
    [
        ("2001:db8:0:1::5", "2001:db8:0:1:ffff::6", True),
        ("2001:db8:0:1::5", "2001:db8:0:2::5", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("", "", True),
    ],
)
def test_one_machine_is_one_stranger_whatever_addresses_it_has(one: str, other: str, are_one: bool) -> None:
    names = [address_of({"client": (host, 1)}) for host in (one, other)]  # type: ignore[arg-type]
    assert (names[0] == names[1]) is are_one


async def doors(farm: Farm) -> list[tuple[str, str, dict[str, str]]]:
    """Returns every call of the API with a body, each with an `Authorization` that is valid there."""
    rig, site = await farm.add(), await farm.site_token()
    document = (await farm.get("/schema/openapi.json")).json()
    found = []
    for path, methods in document["paths"].items():
        for method in {"post", "put", "patch"} & methods.keys():
            if "requestBody" in methods[method]:
                is_site = path.endswith("/asic-rigs") and "sentry" in path
                auth = site if is_site else rig.auth if path.startswith("/api/v1/sentry") else farm.auth
                found.append((method.upper(), re.sub(r"{\w+}", str(rig.id), path), auth))
    assert len(found) > 15
    return found
