"""A commander that knows the calls of a rig's sentry and nothing else, for tests of the sentry alone.

The playbooks for the sentry and the sentry's reports are plain values here."""

import gzip
import hashlib
import re
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import msgspec
from cpu_gpu_sentry.updates.wheels import project_of
from protocol.command_messages import (
    Command,
    Commands,
    CommandsStatus,
    CommandState,
    CommandStatus,
    LadderEvent,
    LadderEvents,
    LadderSettings,
)
from protocol.enrolment_messages import KEY_HEADER, Identity
from protocol.inbox_messages import InboxItem, InboxItems
from protocol.messages import CpuGpuLog, LogReceipt, LogReport, Problem, RigName, SentryWelcome
from protocol.playbook_messages import OutputReport, Playbook, Playbooks, PlaybooksStatus, PlaybookStatus
from protocol.tokens import Token, TokenKind, new_token

from tests.playbook_software import certificates, sha256

LONGEST_WAIT_S = 50.0


@dataclass
class StandInCommander:
    """Trust it with SSL_CERT_FILE=`ca`. `lines` are by playbook and run, each at its number.

    `key` is that of the sentry to which the rig is bound; without it the token is not taken.
    """

    port: int
    ca: Path
    token: Token = field(default_factory=lambda: new_token(TokenKind.RIG, pin=None))
    key: str | None = None
    can_wait: bool = True
    is_removed: bool = False
    statuses: list[PlaybooksStatus] = field(default_factory=list)
    logs: list[CpuGpuLog] = field(default_factory=list)
    lines: dict[tuple[str, str], dict[int, str]] = field(default_factory=dict)
    sent_twice: int = 0
    questions: list[str | None] = field(default_factory=list)  # which tag each of them knew
    news: threading.Condition = field(default_factory=threading.Condition)
    body: bytes = msgspec.json.encode(Playbooks(playbooks=[]))
    orders: list[Command] = field(default_factory=list)
    ladder: LadderSettings | None = None
    command_statuses: list[CommandsStatus] = field(default_factory=list)
    events: list[LadderEvent] = field(default_factory=list)
    packages: dict[str, bytes] = field(default_factory=dict)  # wheels by file name

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def etag(self) -> str:
        return f'"{_version(self.body)}"'

    def want(self, *playbooks: Playbook) -> None:
        with self.news:
            self.body = msgspec.json.encode(Playbooks(playbooks=list(playbooks)))
            self.news.notify_all()

    def order(self, *orders: Command) -> None:
        """Delivers these commands until each has a result."""
        with self.news:
            self.orders += orders
            self.news.notify_all()

    def limit(self, settings: LadderSettings) -> None:
        with self.news:
            self.ladder = settings
            self.news.notify_all()

    def states_of(self, command_id: str) -> list[CommandStatus]:
        """All states that were ever sent of a command, in order."""
        return [each for status in self.command_statuses for each in status.commands if each.id == command_id]

    def state_of(self, command_id: str) -> CommandState | None:
        states = self.states_of(command_id)
        return states[-1].state if states else None

    def items(self) -> list[InboxItem]:
        """All items in the inbox, also those that the sentry has."""
        commands = [each for each in self.orders if self.state_of(each.id) in (None, CommandState.BEGUN)]
        bodies = {Playbooks.INBOX_KIND: self.body}
        if commands or self.orders:
            bodies[Commands.INBOX_KIND] = msgspec.json.encode(Commands(commands=commands))
        if self.ladder is not None:
            bodies[LadderSettings.INBOX_KIND] = msgspec.json.encode(self.ladder)
        return [InboxItem(kind=kind, version=_version(body), body=msgspec.Raw(body)) for kind, body in bodies.items()]

    def remove(self) -> None:
        with self.news:
            self.is_removed = True
            self.news.notify_all()

    def status_of(self, playbook_id: str) -> PlaybookStatus | None:
        latest: Sequence[PlaybookStatus] = self.statuses[-1].playbooks if self.statuses else ()
        return next((each for each in latest if each.playbook_id == playbook_id), None)

    def told(self, playbook_id: str) -> list[PlaybookStatus]:
        """Returns all statuses of the playbook that the sentry has reported, in order."""
        return [each for status in self.statuses for each in status.playbooks if each.playbook_id == playbook_id]


def _version(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:16]


@contextmanager
def stand_in_commander(folder: Path) -> Iterator[StandInCommander]:
    certificate, ca = certificates(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = _Server(("127.0.0.1", 0), _Api)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.commander = StandInCommander(server.server_address[1], ca)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.commander
    finally:
        server.shutdown()
        with server.commander.news:
            server.commander.news.notify_all()
        thread.join(10)
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    commander: StandInCommander

    def handle_error(self, request: object, client_address: object) -> None:
        """A sentry that is killed breaks its connections."""


class _Api(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 120
    server: _Server

    def do_GET(self) -> None:
        if self.path == "/healthz":
            self._answer(200, b"{}")
        elif self.path.startswith("/packages/"):
            self._packages()
        elif self._is_allowed():
            if self.path.startswith("/api/v1/sentry/inbox"):
                self._inbox()
            elif self.path.endswith("/playbooks"):
                self._playbooks()
            else:
                rig = RigName(id=7, name="rig-07")
                welcome = SentryWelcome(
                    kind="rig", rig=rig, report_every_s=10, playbooks_every_s=60, commander_version="1"
                )
                self._answer(200, msgspec.json.encode(welcome))

    def do_PUT(self) -> None:
        body = self._body()
        if self._is_allowed():
            if self.path.endswith("/identity"):
                self._take_identity(msgspec.json.decode(body, type=Identity))
            elif self.path.endswith("/commands/status"):
                self._take_command_status(msgspec.json.decode(body, type=CommandsStatus))
            elif self.path.endswith("/status"):
                self.server.commander.statuses.append(msgspec.json.decode(body, type=PlaybooksStatus))
            self._answer(204)

    def do_POST(self) -> None:
        body = self._body()
        if not self._is_allowed():
            return
        if self.path.endswith("/events"):
            self.server.commander.events += msgspec.json.decode(body, type=LadderEvents).events
            self._answer(204)
        elif self.path.endswith("/output"):
            self._take_output(msgspec.json.decode(body, type=OutputReport))
            self._answer(204)
        else:
            logs = [
                msgspec.json.decode(each, type=CpuGpuLog) for each in msgspec.json.decode(body, type=LogReport).logs
            ]
            self.server.commander.logs += logs
            self._answer(200, msgspec.json.encode(LogReceipt(stored=len(logs), duplicates=0)))

    def _packages(self) -> None:
        """The index of wheels (PEP 503), and the wheels themselves."""
        packages, name = self.server.commander.packages, self.path.rstrip("/").rpartition("/")[2]
        if self.path.startswith("/packages/files/"):
            self._answer(200, packages[name])
            return
        found = [each for each in packages if project_of(each) == name]
        links = [f'<a href="/packages/files/{each}#sha256={sha256(packages[each])}">{each}</a>' for each in found]
        if links:
            self._answer(200, f"<!DOCTYPE html>{''.join(links)}".encode())
        else:
            self._problem(404, "not_found")

    def _playbooks(self) -> None:
        """As sentries of earlier versions ask."""
        is_news, body, etag = self._wait_for_news(self.headers.get("If-None-Match"))
        if self._is_allowed():
            self._answer(200 if is_news else 304, body if is_news else b"", etag)

    def _inbox(self) -> None:
        commander, versions = self.server.commander, dict(parse_qsl(urlsplit(self.path).query))
        known = versions.get(Playbooks.INBOX_KIND)
        commander.questions.append(f'"{known}"' if known else None)

        def news() -> list[InboxItem]:
            return [each for each in commander.items() if versions.get(each.kind) != each.version]

        with commander.news:
            commander.news.wait_for(lambda: commander.is_removed or bool(news()), self._wait_s())
            items = news()
        if self._is_allowed():
            self._answer(200, msgspec.json.encode(InboxItems(items=items)))

    def _take_identity(self, identity: Identity) -> None:
        if identity.key == self.headers.get(KEY_HEADER):
            self.server.commander.key = identity.key

    def _take_command_status(self, status: CommandsStatus) -> None:
        commander = self.server.commander
        with commander.news:
            commander.command_statuses.append(status)
            commander.news.notify_all()

    def _wait_s(self) -> float:
        wait = re.fullmatch(r"wait=(\d+)", self.headers.get("Prefer", ""))
        return min(LONGEST_WAIT_S, float(wait[1])) if wait and self.server.commander.can_wait else 0

    def _wait_for_news(self, known: str | None) -> tuple[bool, bytes, str]:
        """Returns whether there is news, and the playbooks with their tag."""
        commander = self.server.commander
        commander.questions.append(known)
        with commander.news:
            is_news = commander.news.wait_for(lambda: commander.is_removed or commander.etag != known, self._wait_s())
            return is_news, commander.body, commander.etag

    def _take_output(self, report: OutputReport) -> None:
        for each in report.output:
            lines = self.server.commander.lines.setdefault((each.playbook_id, each.run), {})
            for number, line in enumerate(each.lines, start=each.first_line):
                self.server.commander.sent_twice += number in lines
                lines[number] = line

    def _is_allowed(self) -> bool:
        commander = self.server.commander
        if self.headers.get("Authorization") != f"Bearer {commander.token}":
            self._problem(401, "invalid_token")
            return False
        if commander.key not in (None, self.headers.get(KEY_HEADER)):
            self._problem(401, "invalid_token")
            return False
        if commander.is_removed:
            self._problem(410, "rig_removed")
            return False
        return True

    def _problem(self, status: int, code: str) -> None:
        self._answer(status, msgspec.json.encode(Problem(title="No", status=status, detail="Not so.", code=code)))

    def _body(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _answer(self, status: int, body: bytes = b"", etag: str = "") -> None:
        self.send_response(status)
        if etag:
            self.send_header("ETag", etag)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""
