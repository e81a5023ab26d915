"""A sentry that knows its commander's authority sends nothing to any other server: not a byte, and never the token."""

import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from commander.settings import Settings
from commander.tls import prepare_tls
from free_ports import free_port

from tests.farm import CommanderProcess, eventually
from tests.sentry import SentryProcess, running_sentry

pytestmark = pytest.mark.system


class Impostor(socketserver.ThreadingTCPServer):
    """A TLS server with a commander's certificate of its own, which answers every request with its authority."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, folder: Path, port: int) -> None:
        settings = Settings(data_dir=folder, host="127.0.0.1", port=port, public_url=f"https://127.0.0.1:{port}")
        folder.mkdir()
        made = prepare_tls(settings, now=datetime.now(UTC))
        assert made is not None
        self.ca_pem = made.facts.ca_pem or b""
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(made.cert, made.key)
        self.visits = 0
        self.heard: list[bytes] = []
        super().__init__(("127.0.0.1", port), _Visit)


class _Visit(socketserver.BaseRequestHandler):
    server: Impostor

    def handle(self) -> None:
        impostor = self.server
        impostor.visits += 1
        self.request.settimeout(10)
        try:
            with impostor.tls.wrap_socket(self.request, server_side=True) as stream:
                if heard := stream.recv(65536):
                    impostor.heard.append(heard)
                    body = impostor.ca_pem
                    stream.sendall(
                        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body
                    )
        except OSError:  # an alert: the sentry did not like the certificate
            return


@contextmanager
def impostor_at(folder: Path, port: int) -> Iterator[Impostor]:
    with Impostor(folder, port) as impostor:
        threading.Thread(target=impostor.serve_forever, daemon=True).start()
        try:
            yield impostor
        finally:
            impostor.shutdown()


def new_token(commander: CommanderProcess) -> str:
    with commander.client(commander.api_key()) as people:
        return str(people.post("/api/v1/cpu-gpu-rigs", json={"name": "rig-07"}).json()["token"])


def test_a_sentry_with_a_pinned_authority_sends_not_a_byte_to_another_commander(
    commander: CommanderProcess, tmp_path: Path
) -> None:
    token = new_token(commander)
    with running_sentry(tmp_path / "sentry") as sentry:
        sentry.enroll(commander.url, token)
        eventually(lambda: sentry.status()["last_stored_at"] is not None, within_s=60, what="the first log")
        commander.kill()
        with impostor_at(tmp_path / "impostor", commander.port) as impostor:
            eventually(lambda: impostor.visits >= 3, within_s=60, what="three attempts")
            assert impostor.heard == []
            status = sentry.status()
            assert status["state"] == "spooling"
            assert "not from the authority that this sentry trusts" in status["last_error"]
        commander.start()
        sentry.becomes("online", within_s=60)
        eventually(lambda: sentry.status()["spooled_logs"] <= 1, within_s=60, what="the spool's way home")


def test_a_first_enrolment_at_an_impostor_asks_for_the_certificate_only_and_is_refused(
    commander: CommanderProcess, tmp_path: Path
) -> None:
    token = new_token(commander)
    port = free_port()
    sentry = SentryProcess(tmp_path / "sentry")
    with impostor_at(tmp_path / "impostor", port) as impostor:
        done = sentry.run("enroll", "--url", f"https://127.0.0.1:{port}", "--token", token)
    assert done.returncode == 1
    assert done.stderr.startswith("This is not the commander that the token was made by")
    assert [request.split(b"\r\n")[0] for request in impostor.heard] == [b"GET /ca.pem HTTP/1.1"]
    assert b"authorization" not in impostor.heard[0].lower()
    assert token.split("_")[2].encode() not in impostor.heard[0]
    assert sentry.status()["state"] == "not_enrolled"
