"""Sentries of today work with a commander of the last release: its recorded answers, read by the sentries' client."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import msgspec
import pytest
from cpu_gpu_sentry.connection import Session
from cpu_gpu_sentry.inbox import Inbox
from last_release import Exchange, exchanges, filled
from protocol.asic_messages import Adoption, AdoptionAnswer, AsicReceipt, AsicReport
from protocol.inbox_messages import InboxItem
from protocol.playbook_messages import Playbooks
from protocol.tokens import Token, TokenKind, new_token
from sentry_kit.client import CommanderClient, NotFound, RigRemoved
from signatures import guard_of

TOKENS = {"rig": TokenKind.RIG, "site": TokenKind.SITE, "": TokenKind.ASIC}


def answer_of(exchange: Exchange, request: httpx.Request) -> httpx.Response:
    """The recorded answer, if this is the recorded request."""
    assert (request.method, request.url.path) == (exchange.method, exchange.path)
    asic = str(new_token(TokenKind.ASIC, pin=None))
    body = b"" if exchange.answer is None else msgspec.json.encode(filled(exchange.answer, asic=asic))
    return httpx.Response(exchange.status, content=body, headers=exchange.answer_headers)


def client_of(*recorded: Exchange) -> CommanderClient:
    """A client of a commander that answers each request as it was recorded, in this order."""
    left = iter(recorded)
    transport = httpx.MockTransport(lambda request: answer_of(next(left), request))
    token = new_token(TOKENS[recorded[0].token], pin=None)
    return CommanderClient(httpx.AsyncClient(transport=transport, base_url="https://commander.lan"), token)


def by_name(file: str) -> dict[str, Exchange]:
    return {each.name: each for each in exchanges(file)}


async def test_every_answer_to_a_cpu_gpu_sentry_is_read() -> None:
    recorded = by_name("cpu_gpu_sentry")
    welcome = await client_of(recorded["welcome"]).welcome()
    assert (welcome.kind, welcome.rig.name if welcome.rig else None, welcome.report_every_s) == ("rig", "rig-07", 10)
    await client_of(recorded["specs"]).send_specs(b"{}")
    receipt = await client_of(recorded["a log with a miner"]).send_logs([b"{}"])
    assert (receipt.stored, receipt.rig) == (1, None)
    await client_of(recorded["status of a playbook that mines"]).send_playbooks_status(b"{}")
    await client_of(recorded["output"]).send_output(b"{}")
    answer = await client_of(recorded["question for playbooks after a change"]).playbooks(
        '"c6631093fe58976d004937d5"', 50
    )
    assert answer is not None
    playbook = msgspec.json.decode(answer.body, type=Playbooks).playbooks[0]
    assert (playbook.name, playbook.package.software, playbook.revision) == ("Stand-in CPU Alpha", "xmrig", 1)
    for each in exchanges("removed_rig"):
        client = client_of(each)
        with pytest.raises(RigRemoved):
            await (client.playbooks(None, 50) if each.path.endswith("/playbooks") else client.welcome())


class Received:
    """An inbox's handler of playbooks that keeps what it takes."""

    kind = Playbooks.INBOX_KIND

    def __init__(self) -> None:
        self.version: str | None = None
        self.playbooks: list[Playbooks] = []
        self.has_taken = asyncio.Event()

    async def take(self, token: Token, item: InboxItem) -> bool:
        self.playbooks.append(msgspec.json.decode(item.body, type=Playbooks))
        self.version = item.version
        self.has_taken.set()
        return True


@contextmanager
def ended(task: "asyncio.Task[None]") -> Iterator[None]:
    try:
        yield
    finally:
        task.cancel()


async def test_playbooks_arrive_though_there_is_no_inbox() -> None:
    (inbox,) = exchanges("no_inbox")
    with pytest.raises(NotFound):
        await client_of(inbox).inbox({}, 50)
    handler, question = Received(), by_name("cpu_gpu_sentry")["question for playbooks after a change"]
    session = Session(client_of(inbox, question), new_token(TokenKind.RIG, pin=None), worked=lambda: None)
    with ended(asyncio.ensure_future(Inbox([handler], lambda: 60.0, guard_of()).receive_for_ever(session))):
        await asyncio.wait_for(handler.has_taken.wait(), 10)
    assert [each.name for each in handler.playbooks[0].playbooks] == ["Stand-in CPU Alpha"]
    assert f'"{handler.version}"' == question.answer_headers["etag"]


async def test_every_answer_to_an_asic_sentry_is_read() -> None:
    recorded = by_name("asic_sentry")
    assert (await client_of(recorded["welcome of a site"]).welcome()).kind == "site"
    adopted = await client_of(recorded["adoption"]).post("api/v1/sentry/asic-rigs", Adoption(rigs=[]), AdoptionAnswer)
    assert [each.name for each in adopted.rigs] == ["KS5L-192.168.1.1", "KS5L-192.168.1.2"]
    receipt = await client_of(recorded["report of ASICs"]).post(
        "api/v1/sentry/asic-logs", AsicReport(items=[]), AsicReceipt
    )
    assert [(each.stored, each.error, each.rig) for each in receipt.results] == [(1, None, None)]
