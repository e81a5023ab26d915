"""Read-only by construction: all bytes that can ever be sent stand in one table, and only one module sends."""

import ast
from pathlib import Path

import pytest
from asic_sentry.dialects.registry import DIALECTS
from asic_sentry.transport import ALLOWED, Family, ask
from asic_wire import command_of
from fake_asics import READ_ONLY

SOURCE = Path(__file__).parents[1] / "src" / "asic_sentry"
READING = {
    *("summary", "stats", "litestats", "devs", "edevs", "pools", "version", "devdetails", "get_version"),
    *("get.device.info", "get.miner.status summary", "get.miner.status edevs", "get.miner.status pools"),
    *("GET /api/system/info", "POST /user/userpanel post=4"),
}


def test_every_request_that_can_be_sent_is_one_that_reads() -> None:
    sent = {command_of(request) for wire in ALLOWED.values() for request in wire.requests.values()}
    assert sent == READING


def test_the_fakes_know_the_same_commands_as_reading() -> None:
    assert READ_ONLY == READING


def test_every_dialect_asks_only_what_its_family_may() -> None:
    for dialect in DIALECTS:
        assert {*dialect.figures, *dialect.facts} <= set(ALLOWED[dialect.family].requests)
        assert dialect.optional <= set(dialect.facts)
        family, question = dialect.probe
        assert question in ALLOWED[family].requests


@pytest.mark.parametrize("command", ["restart", "summary+stats", "addpool", "set.miner.pools", "POST /cgi-bin/reboot"])
async def test_anything_else_can_not_even_be_asked(command: str) -> None:
    for family in Family:
        with pytest.raises(KeyError):
            await ask("192.0.2.1", 4028, family, command)


def test_only_the_transport_opens_connections_and_sends() -> None:
    opens = {"create_connection", "open_connection", "sendall", "sock_sendall", "urlopen", "AsyncClient", "sendto"}
    places = {
        path.name
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute | ast.Name)
        and (node.attr if isinstance(node, ast.Attribute) else node.id) in opens
    }
    assert places == {"transport.py"}


def test_nothing_in_the_dialects_could_log_in() -> None:
    for path in SOURCE.rglob("*.py"):
        code = path.read_text(encoding="utf-8").lower()
        assert "authorization" not in code
        assert "hashlib" not in code
