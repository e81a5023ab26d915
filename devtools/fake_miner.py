#!/usr/bin/env python3
"""A stand-in for a mining software: answers its statistics API with moving, plausible figures, and mines
nothing.

It serves what the sentry asks that software for, over HTTP or TCP, on a loopback port; `--help` lists which. The
answers stand in `fake_miner_http.py` and `fake_miner_lines.py`. The figures follow from the wall time alone, so that
two requests in one second agree.

    devtools/fake_miner.py --software xmrig --port 18080
    devtools/fake_miner.py --software teamredminer --port 18081 --devices 8 --fault truncated

As the software of a playbook it also behaves badly on demand: it prints in colours, ends with an error, does not heed
SIGTERM, and starts children that outlive it.
"""

import argparse
import json
import re
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any

import fake_miner_http
import fake_miner_lines

SOFTWARE = fake_miner_http.SOFTWARE | fake_miner_lines.SOFTWARE
FAULTS = {
    "silent": "accepts the connection and never answers",
    "refuse": "listens nowhere: connections are refused",
    "garbage": "answers bytes that are no JSON",
    "truncated": "answers the first half of its JSON",
    "zero": "answers with 0 H/s",
    "null": "answers with null for every hashrate",
    "slow": "answers after 10 seconds",
    "no-job": "answers as before the pool's first job, and prints that it can't reach the pool",
    "unquoted": "answers JSON in which a word has no quotes",
}
_RATES = {
    "hashrate", "Total_Performance", "Worker_Performance", "speed", "KHS 30s", "KHS av", "MHS av", "hashrate_raw",
    "total_hashrate", "total_hashrate_raw",
}  # fmt: skip
_NAMES = {"algo", "algorithm", "Algorithm", "name"}
_TEXT_NAME = re.compile(r"\bALGO=[^;|]*")
_NO_POOL = 'net      pool.example:443 connect error: "connection refused"'
_TEXT_RATES = re.compile(r"\b(HS|KHS|H/s)=[^;|]*")


def with_hashrate(answer: Any, value: float | None) -> Any:
    """`answer` with every hashrate in it replaced."""
    if isinstance(answer, str):
        return _TEXT_RATES.sub(rf"\1={'' if value is None else value}", answer)
    if isinstance(answer, dict):
        changed = {
            key: _flat(each, value) if key in _RATES else with_hashrate(each, value) for key, each in answer.items()
        }
        return {**changed, "result": _of_getstat(answer["result"], value)} if "result" in answer else changed
    return [with_hashrate(each, value) for each in answer] if isinstance(answer, list) else answer


def _of_getstat(result: list[str], value: float | None) -> list[str]:
    """Of Claymore's list of texts: the total, which shares follow, and the cards."""
    rate = "" if value is None else str(value)
    total = ";".join([rate, *result[2].split(";")[1:]])
    return [*result[:2], total, ";".join(rate for _ in result[3].split(";")), *result[4:]]


def _flat(rates: Any, value: float | None) -> Any:
    if isinstance(rates, dict):
        return {key: _flat(each, value) for key, each in rates.items()}
    return [value] * len(rates) if isinstance(rates, list) else value


def before_a_job(answer: Any) -> Any:
    """`answer` without the algorithm, which comes with the pool's first job."""
    if isinstance(answer, str):
        return _TEXT_NAME.sub("ALGO=", answer)
    if isinstance(answer, dict):
        return {key: None if key in _NAMES else before_a_job(each) for key, each in answer.items()}
    return [before_a_job(each) for each in answer] if isinstance(answer, list) else answer


def body_of(answer: Any, fault: str | None) -> bytes:
    if fault in ("zero", "null", "no-job"):
        answer = with_hashrate(answer, None if fault == "null" else 0)
    answer = before_a_job(answer) if fault == "no-job" else answer
    body = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
    if fault == "unquoted" and isinstance(answer, dict):
        body = body.replace(b"{", b'{"unquoted": 004, ', 1)
    if fault == "garbage":
        return b"\xff\xfe<html>not a miner</html>"
    return body[: len(body) // 2] if fault == "truncated" else body


class Miner:
    """State of the fake miner that both servers share. `stopping` lets the faults that wait end with the program."""

    def __init__(self, software: str, devices: int, fault: str | None, access_token: str | None = None) -> None:
        self.access_token = access_token
        self.answers, self.devices, self.fault = SOFTWARE[software], devices, fault
        self.started = time.time()
        self.stopping = threading.Event()

    def waits(self) -> bool:
        """Returns whether it gives no answer at all, after the wait of a slow one."""
        return self.fault in ("silent", "slow") and self.stopping.wait(10 if self.fault == "slow" else None)

    def answer_to(self, asked: str) -> Any:
        """None if it does not know the question."""
        make, now = self.answers.get(asked), time.time()
        return None if make is None else make(self.devices, now - self.started, now)


class HttpServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], miner: Miner) -> None:
        super().__init__(address, _HttpHandler)
        self.miner = miner


class LineServer(ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], miner: Miner) -> None:
        super().__init__(address, _LineHandler)
        self.miner = miner


class _HttpHandler(BaseHTTPRequestHandler):
    server: HttpServer

    def do_GET(self) -> None:
        miner = self.server.miner
        if miner.waits():
            return
        if miner.access_token is not None and (status := self._refusal(miner.access_token)) is not None:
            self.send_error(status)
            return
        answer = miner.answer_to(self.path)
        if answer is None:
            self.send_error(404)
            return
        body = body_of(answer, miner.fault)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _refusal(self, token: str) -> int | None:
        """Answers as xmrig does: 401 without a token, 403 with a wrong one."""
        given = self.headers.get("Authorization")
        return 401 if given is None else None if given == f"Bearer {token}" else 403

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: a miner is asked every few seconds."""


class _LineHandler(StreamRequestHandler):
    server: LineServer

    def handle(self) -> None:
        """One question, one answer, as the sentry asks; what is not known is closed upon."""
        miner = self.server.miner
        asked = fake_miner_lines.asked_for(self.request.recv(4096))
        if miner.waits():
            return
        answer = miner.answer_to(asked)
        if answer is not None:
            self.wfile.write(body_of(answer, miner.fault) + fake_miner_lines.end_of(answer))


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="A stand-in for a mining software: answers like it, mines nothing.",
        epilog="faults: " + "; ".join(f"{name}: {does}" for name, does in FAULTS.items()),
    )
    parser.add_argument("--software", required=True, choices=sorted(SOFTWARE))
    parser.add_argument("--port", required=True, type=int)
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
    parser.add_argument("--devices", type=int, default=4, help="cards, or threads of a CPU miner; default: %(default)s")
    parser.add_argument("--fault", choices=sorted(FAULTS), help="what goes wrong; see below")
    parser.add_argument("--access-token", metavar="T", help="that its API wants (over HTTP)")
    parser.add_argument("--print-every", type=float, default=10, metavar="S", help="a line; default: %(default)s s")
    parser.add_argument("--crash-after", type=float, metavar="S", help="end with exit code 7 after so many seconds")
    parser.add_argument("--ignore-sigterm", action="store_true", help="as a program that hangs does")
    parser.add_argument("--children", type=int, default=0, help="processes to start, in sessions of their own")
    return parser.parse_args(argv)


def mine(given: argparse.Namespace, stop: threading.Event) -> int:
    """Prints as miners do until `stop`, or until it is time to crash."""
    begun, number = time.monotonic(), 0
    while True:
        left = None if given.crash_after is None else given.crash_after - (time.monotonic() - begun)
        if stop.wait(min(given.print_every, left if left is not None else given.print_every)):
            return 0
        if left is not None and time.monotonic() - begun >= given.crash_after:
            print("\x1b[1;31mfatal:\x1b[0m the stand-in was told to crash", flush=True)
            return 7
        number += 1
        if given.fault == "no-job":
            print(f"\x1b[36m{time.strftime('%H:%M:%S')}\x1b[0m {_NO_POOL}", flush=True)
            continue
        print(f"\x1b[36m{time.strftime('%H:%M:%S')}\x1b[0m \x1b[1;32maccepted\x1b[0m ({number}/0) stand-in", flush=True)


def start_children(number: int) -> None:
    """In sessions of their own: who stops the miner has to find them."""
    for _child in range(number):
        command = [sys.executable, "-c", "import time; time.sleep(3600)"]
        subprocess.Popen(command, start_new_session=True)


def main() -> int:
    given = arguments()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN if given.ignore_sigterm else lambda *_: stop.set())
    start_children(given.children)
    if given.fault == "refuse":
        print(f"fake {given.software} refuses connections on {given.host} port {given.port}", flush=True)
        return mine(given, stop)
    miner = Miner(given.software, max(1, given.devices), given.fault, given.access_token)
    over_tcp = given.software in fake_miner_lines.SOFTWARE
    try:
        server = (LineServer if over_tcp else HttpServer)((given.host, given.port), miner)
    except OSError as error:
        print(f"Port {given.port} can't be used ({error.strerror}); choose another.", file=sys.stderr)
        return 1
    threading.Thread(target=server.serve_forever, daemon=True).start()
    scheme = "tcp" if over_tcp else "http"
    print(f"fake {given.software} (a stand-in, it mines nothing) on {scheme}://{given.host}:{given.port}", flush=True)
    code = mine(given, stop)
    miner.stopping.set()
    server.shutdown()
    server.server_close()
    return code


if __name__ == "__main__":
    sys.exit(main())
