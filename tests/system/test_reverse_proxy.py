"""The configurations in docs/reverse-proxy.md work, with the real nginx and Caddy: pages, live updates, sentries."""

import json
import os
import ssl
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from authorities import older_authority
from free_ports import free_port
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.farm import PASSWORD, CommanderProcess, running_commander
from tests.proxies import caddy, installed, nginx, running_proxy, settings

pytestmark = pytest.mark.system
Configured = Callable[[Path, int, CommanderProcess], list[str]]


@pytest.mark.parametrize(("program", "configured"), [("nginx", nginx), ("caddy", caddy)])
def test_pages_live_updates_and_sentries_work_behind_it(program: str, configured: Configured, tmp_path: Path) -> None:
    executable = installed(program)
    port = free_port()
    older_authority(tmp_path / "tls", datetime.now(UTC), server_names=("localhost",))
    trust = ssl.create_default_context(cafile=tmp_path / "tls" / "ca.pem")
    with (
        running_commander(tmp_path, **settings(port)) as commander,
        running_proxy([executable, *configured(tmp_path, port, commander)], tmp_path, port),
        httpx.Client(base_url=f"https://localhost:{port}", verify=trust, timeout=60) as person,
    ):
        assert person.get("/healthz").status_code == 200
        assert person.post("/login", data={"password": PASSWORD}).status_code == 303
        added = person.post("/api/v1/cpu-gpu-rigs", json={"name": "rig-07"}).json()
        assert added["commander_url"] == f"https://localhost:{port}"
        hears_a_change(port, trust, person)
        enrolls_through_it(tmp_path, added)
        entries = person.get("/api/v1/audit").json()["entries"]
        assert {each["address"] for each in entries if each["who"] == "owner"} == {"127.0.0.1"}


def hears_a_change(port: int, trust: ssl.SSLContext, person: httpx.Client) -> None:
    cookies = "; ".join(f"{name}={value}" for name, value in person.cookies.items())
    url = f"wss://localhost:{port}/api/v1/events?channels=cpu-gpu-mining-rig-index"
    origin, headers = Origin(f"https://localhost:{port}"), {"Cookie": cookies}
    with connect(url, ssl=trust, origin=origin, additional_headers=headers, open_timeout=60) as socket:
        person.post("/api/v1/cpu-gpu-rigs", json={"name": "rig-08"}).raise_for_status()
        message = json.loads(socket.recv(timeout=60))
    assert (message["event"], message["data"]["name"]) == ("created", "rig-08")


def enrolls_through_it(folder: Path, added: dict[str, str]) -> None:
    """A sentry with a token without a pin trusts the CA that `SSL_CERT_FILE` names."""
    done = subprocess.run(
        [sys.executable, "-m", "cpu_gpu_sentry", "enroll", "--url", added["commander_url"], "--token", added["token"]],
        env=os.environ
        | {"CPU_GPU_SENTRY_DATA_DIR": str(folder / "sentry"), "SSL_CERT_FILE": str(folder / "tls" / "ca.pem")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "rig-07" in done.stdout
