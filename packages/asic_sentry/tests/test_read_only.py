"""Read-only by construction: dialects declare all bytes that can ever be sent, and only the transport sends.

`golden/requests.txt` lists every byte sequence. A change of it must be reviewed: each line must only read.
"""

import ast
import json
from pathlib import Path

import pytest
from asic_sentry.dialects.dialect import LibraryCall, Question
from asic_sentry.dialects.registry import ALLOWED, DIALECTS
from asic_sentry.transport import ask
from asic_web_makes import BRAIINS_GRAPHQL
from asic_wire import command_of
from fake_asics import READ_ONLY

GOLDEN = Path(__file__).parent / "golden" / "requests.txt"
SOURCE = Path(__file__).parents[1] / "src" / "asic_sentry"
READING = {
    *("summary", "stats", "litestats", "devs", "edevs", "pools", "version", "devdetails", "get_version"),
    *("get.device.info", "get.miner.status summary", "get.miner.status edevs", "get.miner.status pools"),
    *("GET /api/system/info", "POST /user/userpanel post=4"),
    *(f"GET /cgi-bin/{name}.cgi" for name in ("stats", "pools", "summary", "get_power", "get_system_info")),
    *("temps", "fans", "tunerstatus", "asccount", "power", "config", "events"),
    *("GET /summary", "GET /temps", "GET /capabilities", "GET /network"),
    *(f"GET /api/v1/{name}" for name in ("system", "network", "hardware", "mining", "pools", "cooling", "errors")),
    *("GET /api/v1/telemetry?level=miner,hashboard", "GET /api/v1/summary", "GET /api/v1/info"),
    *(f"GET /api/v1/{name}" for name in ("perf-summary", "version", "performance/tuner-state", "cooling/state")),
    *(f"GET /api/v1/miner/{name}" for name in ("stats", "hw/hashboards", "details", "errors")),
    *("GET /fan", "GET /psu", "GET /temperature", "GET /ipreport"),
    *("GET /mcb/status", "GET /mcb/setting", "GET /mcb/cgminer?cgminercmd=devs"),
    *("POST /api/getAll {}", "POST /api/getErrorDetail {}"),
    *BRAIINS_GRAPHQL,  # queries: GraphQL changes something only by a `mutation`
}


def questions() -> list[tuple[str, Question | LibraryCall]]:
    return [(dialect, question) for dialect, by_name in ALLOWED.items() for question in by_name.values()]


def line(dialect: str, question: Question | LibraryCall) -> str:
    if isinstance(question, LibraryCall):
        return f"{dialect} {question.name}: a call of its library\n"
    lines = [f"{dialect} {question.name}: {question.request!r}\n"]
    if question.access is not None:  # a header, and for a token one more request
        lines += [f"{dialect} {question.name}, with what was entered: {sent!r}\n" for sent in question.access.requests]
    return "".join(lines)


def test_the_golden_file_has_every_byte_sequence_that_can_ever_be_sent() -> None:
    assert "".join(line(*each) for each in questions()) == GOLDEN.read_text(encoding="utf-8")


def test_every_request_that_can_be_sent_is_one_that_reads() -> None:
    sent = {command_of(question.request) for _, question in questions() if isinstance(question, Question)}
    assert sent == READING


def test_no_query_of_graphql_changes_anything() -> None:
    requests = [question.request for _, question in questions() if isinstance(question, Question)]
    queries = [request for request in requests if b"graphql" in request]
    assert queries
    for request in queries:
        query = json.loads(request.partition(b"\r\n\r\n")[2])["query"]
        assert query.startswith("{")  # a query without its word; a mutation and a subscription need theirs
        assert query.count("{") == query.count("}")
        assert "mutation" not in query


def test_the_fakes_know_the_same_commands_as_reading() -> None:
    assert READ_ONLY == READING


def test_every_question_of_a_dialect_can_be_asked_by_its_name() -> None:
    for dialect in DIALECTS:
        others = {dialect.probe, dialect.probe_at_other_port, dialect.gap_question} - {None}
        asked = {*dialect.poll_questions, *dialect.specs_questions, *others}
        assert {question.name: question for question in asked if question} == ALLOWED[dialect.name]
        assert len(asked) == len(ALLOWED[dialect.name])


@pytest.mark.parametrize("command", ["restart", "summary+stats", "addpool", "set.miner.pools", "POST /cgi-bin/reboot"])
async def test_anything_else_can_not_even_be_asked(command: str) -> None:
    for dialect in ALLOWED:
        with pytest.raises(KeyError):
            await ask("192.0.2.1", 4028, dialect, command)


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


def test_only_one_file_can_log_in_and_no_password_of_a_maker_is_known() -> None:
    for path in SOURCE.rglob("*.py"):
        code = path.read_text(encoding="utf-8").lower()
        assert path.name == "access.py" or "authorization" not in code
        assert "hashlib" not in code
        assert not any(f'"{word}"' in code for word in ("admin", "root:root", "password123"))
