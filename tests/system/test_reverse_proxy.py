"""The configurations in docs/reverse-proxy.md work, with the real nginx and Caddy: pages, live updates, sentries."""

import json
import os
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from authorities import older_authority
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.farm import PASSWORD, ROOT, CommanderProcess, eventually, free_port, running_commander

pytestmark = pytest.mark.system
Configured = Callable[[Path, int, CommanderProcess], list[str]]
PAGE = (ROOT / "docs" / "reverse-proxy.md").read_text(encoding="utf-8")


def block(language: str, containing: str) -> str:
    found = [each for each in re.findall(rf"```{language}\n(.+?)```", PAGE, re.DOTALL) if containing in each]
    assert len(found) == 1
    return str(found[0])


def settings(port: int) -> dict[str, str]:
    """Those of the page, with another name."""
    found = dict(re.findall(r"^    (COMMANDER_\w+)=(\S+)$", PAGE, re.MULTILINE))
    assert set(found) == {"COMMANDER_TLS", "COMMANDER_HOST", "COMMANDER_TRUSTED_PROXIES", "COMMANDER_PUBLIC_URL"}
    return found | {"COMMANDER_PUBLIC_URL": f"https://localhost:{port}"}


def here(text: str, folder: Path, port: int, commander: CommanderProcess) -> str:
    for old, new in {
        "/etc/ssl/farm.example.pem": str(folder / "tls" / "server.pem"),
        "/etc/ssl/private/farm.example.key": str(folder / "tls" / "server.key"),
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "server_name farm.example": "server_name localhost",
        "farm.example {": f"https://localhost:{port} {{\n\tbind 127.0.0.1",
        "127.0.0.1:8443": f"127.0.0.1:{commander.port}",
    }.items():
        text = text.replace(old, new)
    return text


def nginx(folder: Path, port: int, commander: CommanderProcess) -> list[str]:
    site = here(block("nginx", "listen 443"), folder, port, commander)
    paths = "".join(
        f"{name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off;\npid {folder}/nginx.pid;\nerror_log stderr;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{paths}{site}\n}}\n"
    )
    return ["-p", str(folder), "-c", str(folder / "nginx.conf")]


def caddy(folder: Path, port: int, commander: CommanderProcess) -> list[str]:
    options = "{\n\tadmin off\n\tauto_https disable_redirects\n}\n"
    (folder / "Caddyfile").write_text(options + here(block("caddy", "\ttls "), folder, port, commander))
    return ["run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


@contextmanager
def proxy(command: list[str], folder: Path, port: int) -> Iterator[None]:
    with (folder / "proxy.log").open("wb") as log:
        environment = os.environ | {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    try:
        eventually(lambda: answers(port, process, folder / "proxy.log"), within_s=30, what="the proxy's start")
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


def answers(port: int, process: "subprocess.Popen[bytes]", log: Path) -> bool:
    assert process.poll() is None, log.read_text(errors="replace")[-2000:]
    try:
        httpx.get(f"https://localhost:{port}/", verify=ssl.create_default_context(), timeout=5)
    except httpx.ConnectError as error:
        return "certificate" in str(error).lower()  # it listens; its certificate is not from a public CA
    return True


@pytest.mark.parametrize(("program", "configured"), [("nginx", nginx), ("caddy", caddy)])
def test_pages_live_updates_and_sentries_work_behind_it(program: str, configured: Configured, tmp_path: Path) -> None:
    executable = shutil.which(program) or shutil.which(program, path="/usr/sbin")
    if executable is None:
        pytest.skip(f"{program} is not installed: apt-get install {program}")
    port = free_port()
    older_authority(tmp_path / "tls", datetime.now(UTC), server_names=("localhost",))
    trust = ssl.create_default_context(cafile=tmp_path / "tls" / "ca.pem")
    with (
        running_commander(tmp_path, **settings(port)) as commander,
        proxy([executable, *configured(tmp_path, port, commander)], tmp_path, port),
        httpx.Client(base_url=f"https://localhost:{port}", verify=trust, timeout=20) as person,
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
    headers = {"Cookie": cookies}
    with connect(url, ssl=trust, origin=Origin(f"https://localhost:{port}"), additional_headers=headers) as socket:
        person.post("/api/v1/cpu-gpu-rigs", json={"name": "rig-08"}).raise_for_status()
        message = json.loads(socket.recv(timeout=20))
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
