#!/usr/bin/env python3
"""A farm to look at: a commander, this machine's own sentry with a stand-in for a miner, and simulated rigs beside it.

Everything is kept in ./demo-data (or `DEMO_DATA_DIR`), so that the next start shows the same farm. Runs until Ctrl-C.
`COMMANDER_…` settings are passed on; the port is another one if 8443 is taken.
"""

import fcntl
import functools
import json
import os
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import httpx
from demo_asics import COUNT, show_asics, site_token
from demo_pages import CannotShow, say_pages
from free_ports import free_port

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("DEMO_DATA_DIR") or ROOT / "demo-data").absolute()
TOOLS = Path(sys.executable).parent
THIS_MACHINE = f"{socket.gethostname()[:40]} (this machine)"
SIMULATED_RIGS, SIMULATED_ASICS, SIMULATED_EVERY_S, OWN_EVERY_S = 25, 20, 5, 2
READY_WITHIN_S = 30


@dataclass
class Demo:
    """Its child processes by name, in the order in which they were started."""

    commander_port: int
    sentry_port: int
    miner_port: int
    asic_sentry_port: int
    asics_port: int
    password: str
    api_key: str = ""
    children: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        scheme = "http" if os.environ.get("COMMANDER_TLS") == "off" else "https"
        return f"{scheme}://127.0.0.1:{self.commander_port}"

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "COMMANDER_DATA_DIR": str(DATA / "commander"),
            "COMMANDER_PORT": str(self.commander_port),
            "COMMANDER_PASSWORD": self.password,
            "CPU_GPU_SENTRY_DATA_DIR": str(DATA / "sentry"),
            "CPU_GPU_SENTRY_UI_PORT": str(self.sentry_port),
            "CPU_GPU_SENTRY_REPORT_EVERY_S": str(OWN_EVERY_S),
            "ASIC_SENTRY_DATA_DIR": str(DATA / "asic-sentry"),
            "ASIC_SENTRY_UI_PORT": str(self.asic_sentry_port),
            "ASIC_SENTRY_POLL_EVERY_S": str(OWN_EVERY_S),
            "API_KEY": self.api_key,  # not on a command line, where every user of the machine could read it
        }

    def start(self, name: str, command: Sequence[str | Path], lock: IO[str]) -> None:
        """A child of its own session: Ctrl-C is for this program, which then ends its children one by one.

        Each holds the lock too, so that a demo that was killed can't meet its own orphans.
        """
        with (DATA / f"{name}.log").open("wb") as log:
            self.children[name] = subprocess.Popen(
                [str(part) for part in command],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=[lock.fileno()],
            )

    def check(self) -> None:
        """Raises `CannotShow` if one of the children has ended."""
        for name, child in self.children.items():
            if child.poll() is not None:
                lines = (DATA / f"{name}.log").read_text(errors="replace").strip().splitlines()
                raise CannotShow(f"The {name} ended: {lines[-1] if lines else 'it said nothing'}")

    def end(self) -> None:
        for child in reversed(self.children.values()):
            child.terminate()
        deadline = time.monotonic() + 12
        for child in reversed(self.children.values()):
            try:
                child.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def command(self, *arguments: str) -> str:
        """One of the short commands; its output."""
        done = subprocess.run(
            [str(TOOLS / arguments[0]), *arguments[1:]],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode:
            raise CannotShow(f"`{arguments[0]} {arguments[1]}` failed: {done.stderr.strip()}")
        return done.stdout


def main() -> int:
    try:
        with the_only_one() as lock:
            demo = Demo(
                commander_port=chosen_port("commander", int(os.environ.get("COMMANDER_PORT", "8443"))),
                sentry_port=chosen_port("sentry", 8471),
                miner_port=chosen_port("miner", 18080),
                asic_sentry_port=chosen_port("asic-sentry", 8472),
                asics_port=chosen_port("asics", 18100),
                password=kept_password(),
            )
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda *_: demo.ended.set())
            try:
                show(demo, lock)
            finally:
                demo.end()
    except (CannotShow, OSError, ValueError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    print("The demo has ended; `make demo` shows the same farm again.")
    return 0


def show(demo: Demo, lock: IO[str]) -> None:
    demo.start("commander", [TOOLS / "commander", "serve"], lock)
    with await_commander(demo) as people:
        demo.api_key = new_key(demo)
        people.headers["Authorization"] = f"Bearer {demo.api_key}"
        enrol_this_machine(demo, people)
        site = site_token(people)
    script = ROOT / "devtools" / "fake_miner.py"
    demo.start("miner", [sys.executable, script, "--software", "xmrig", "--port", str(demo.miner_port)], lock)
    demo.command("cpu-gpu-sentry", "watch", "xmrig", "--port", str(demo.miner_port))
    demo.start("sentry", [TOOLS / "cpu-gpu-sentry", "run"], lock)
    demo.start("farm", farm_command(demo), lock)
    start = functools.partial(demo.start, lock=lock)
    show_asics(start, demo.command, demo.url, site, demo.asics_port)
    say(demo)
    say_pages(demo.command, DATA, lambda: demo.ended.wait(0.1))
    while not demo.ended.wait(0.5):
        demo.check()


def say(demo: Demo) -> None:
    said = (DATA / "commander.log").read_text(errors="replace").split()
    public = next((word for word in said if word.startswith(("http://", "https://"))), demo.url)
    also = "" if public == demo.url else f"   (on this machine also {demo.url})"
    print(
        f"\n  Minewarden's demo\n"
        f"    open      {public}{also}\n"
        f"    password  {demo.password}\n"
        f"    shows     “{THIS_MACHINE}”: real figures of this machine; its miner is a stand-in that mines nothing\n"
        f"              {SIMULATED_RIGS} rigs and {SIMULATED_ASICS} ASICs named “simulated-…” that do not exist\n"
        f"              {COUNT} ASICs named “stand-in …” that an ASIC sentry polls on addresses of this machine\n"
        f"    ends      with Ctrl-C\n\n"
        f"  The browser will say that it does not know the certificate: the commander made its own.\n",
        flush=True,
    )


@contextmanager
def the_only_one() -> Iterator[IO[str]]:
    DATA.mkdir(mode=0o700, exist_ok=True)
    with (DATA / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CannotShow(f"A demo runs already with {DATA}; end it first.") from error
        yield lock


def chosen_port(what: str, wanted: int) -> int:
    """`wanted` if it is free, or any; the choice is kept for the next start."""
    kept = DATA / f"{what}-port"
    before = int(kept.read_text()) if kept.exists() else wanted
    port = next((port for port in (wanted, before) if is_free(port)), 0) or free_port()
    kept.write_text(f"{port}\n")
    return port


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104 - the commander listens there too
        except OSError:
            return False
    return True


def kept_password() -> str:
    if given := os.environ.get("COMMANDER_PASSWORD"):
        return given
    path = DATA / "password"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text("-".join(secrets.token_hex(2) for _ in range(4)))
    return path.read_text().strip()


@contextmanager
def await_commander(demo: Demo) -> Iterator[httpx.Client]:
    """A client that trusts the commander's own certificate authority, as soon as the commander serves."""
    ca = DATA / "commander" / "tls" / "ca.pem"
    deadline = time.monotonic() + READY_WITHIN_S
    while not demo.ended.wait(0.1):
        demo.check()
        if time.monotonic() > deadline:
            raise CannotShow(f"The commander did not start within {READY_WITHIN_S} s; see {DATA / 'commander.log'}.")
        if demo.url.startswith("https") and not ca.exists():
            continue
        verify = ssl.create_default_context(cafile=ca) if ca.exists() else True
        with httpx.Client(base_url=demo.url, verify=verify, timeout=20, trust_env=False) as client:
            if is_healthy(client):
                yield client
                return
    raise CannotShow("Ended before the commander had started.")


def is_healthy(client: httpx.Client) -> bool:
    try:
        return client.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


def new_key(demo: Demo) -> str:
    """The key's text is not kept anywhere, so each start makes another."""
    if "make demo\t" in demo.command("commander", "api-key", "list"):
        demo.command("commander", "api-key", "revoke", "make demo")
    return demo.command("commander", "api-key", "create", "make demo", "--role", "own").split()[-1]


def enrol_this_machine(demo: Demo, people: httpx.Client) -> None:
    """The ordinary way: a rig is added in the commander, and its token given to the sentry."""
    rigs = {rig["name"]: rig["id"] for rig in answered(people.get("/api/v1/cpu-gpu-rigs"))}
    if THIS_MACHINE in rigs:
        rig = answered(people.post(f"/api/v1/cpu-gpu-rigs/{rigs[THIS_MACHINE]}/token"))
    else:
        rig = answered(people.post("/api/v1/cpu-gpu-rigs", json={"name": THIS_MACHINE}))
    demo.command("cpu-gpu-sentry", "enroll", "--url", demo.url, "--token", rig["token"])
    forget_watches(demo)


def forget_watches(demo: Demo) -> None:
    """The stand-in may have had another port the last time."""
    status = json.loads(demo.command("cpu-gpu-sentry", "status", "--json"))
    for miner in status.get("watches") or []:
        demo.command("cpu-gpu-sentry", "unwatch", "--port", str(miner["port"]))


def answered(answer: httpx.Response) -> Any:
    if answer.is_error:
        raise CannotShow(f"The commander refused: {answer.text[:300]}")
    return answer.json()


def farm_command(demo: Demo) -> list[str]:
    script = str(ROOT / "devtools" / "simulate_farm.py")
    command = [sys.executable, script, "--commander", demo.url, "--rigs", str(SIMULATED_RIGS)]
    command += ["--asics", str(SIMULATED_ASICS)]
    ca = DATA / "commander" / "tls" / "ca.pem"
    return [*command, "--every", str(SIMULATED_EVERY_S), *(["--ca", str(ca)] if ca.exists() else [])]


if __name__ == "__main__":
    sys.exit(main())
