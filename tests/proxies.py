"""Real reverse proxies, with the configurations of docs/reverse-proxy.md."""

import os
import re
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.farm import ROOT, CommanderProcess, eventually

PAGE = (ROOT / "docs" / "reverse-proxy.md").read_text(encoding="utf-8")


def block(language: str, containing: str) -> str:
    found = [each for each in re.findall(rf"```{language}\n(.+?)```", PAGE, re.DOTALL) if containing in each]
    assert len(found) == 1
    return str(found[0])


def settings(port: int, *more: str) -> dict[str, str]:
    """Those above the first heading of the page, and those below the headings `more`, with another name."""
    sections = PAGE.split("\n## ")
    wanted = [sections[0], *(each for each in sections if each.startswith(tuple(more)))]
    found = dict(re.findall(r"^    (COMMANDER_\w+)=(\S+)$", "\n".join(wanted), re.MULTILINE))
    assert len(found) == 4 + 2 * len(more)
    return found | {"COMMANDER_PUBLIC_URL": f"https://localhost:{port}"}


def here(text: str, folder: Path, port: int, commander: CommanderProcess) -> str:
    """Returns the configuration with this test's files, ports and names."""
    for old, new in {
        "/etc/ssl/farm.example.pem": str(folder / "tls" / "server.pem"),
        "/etc/ssl/private/farm.example.key": str(folder / "tls" / "server.key"),
        "/etc/nginx/": f"{folder}/",
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "server_name farm.example": "server_name localhost",
        "farm.example {": f"https://localhost:{port} {{\n\tbind 127.0.0.1",
        "127.0.0.1:8443": f"127.0.0.1:{commander.port}",
    }.items():
        text = text.replace(old, new)
    return text


def nginx(folder: Path, port: int, commander: CommanderProcess) -> list[str]:
    return with_site(folder, here(block("nginx", "listen 443"), folder, port, commander))


def with_site(folder: Path, site: str) -> list[str]:
    """Returns the arguments of an nginx that serves this site alone, and needs no rights."""
    paths = "".join(
        f"{name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;\n" if os.geteuid() == 0 else ""  # else its workers can't write into the folder
    (folder / "nginx.conf").write_text(
        f"{user}daemon off;\npid {folder}/nginx.pid;\nerror_log stderr;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{paths}{site}\n}}\n"
    )
    return ["-p", str(folder), "-c", str(folder / "nginx.conf")]


def caddy(folder: Path, port: int, commander: CommanderProcess) -> list[str]:
    options = "{\n\tadmin off\n\tauto_https disable_redirects\n}\n"
    (folder / "Caddyfile").write_text(options + here(block("caddy", "\ttls "), folder, port, commander))
    return ["run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


def installed(program: str) -> str:
    """Returns the path of the program; skips the test where it is not installed."""
    executable = shutil.which(program) or shutil.which(program, path="/usr/sbin")
    if executable is None:
        pytest.skip(f"{program} is not installed: apt-get install {program}")
    return executable


@contextmanager
def running_proxy(command: list[str], folder: Path, port: int) -> Iterator[None]:
    with (folder / "proxy.log").open("wb") as log:
        environment = os.environ | {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    try:
        eventually(lambda: _answers(port, process, folder / "proxy.log"), within_s=60, what="the proxy's start")
        yield
    finally:
        process.terminate()
        process.wait(timeout=60)


def _answers(port: int, process: "subprocess.Popen[bytes]", log: Path) -> bool:
    assert process.poll() is None, log.read_text(errors="replace")[-2000:]
    try:
        httpx.get(f"https://localhost:{port}/", verify=ssl.create_default_context(), timeout=5)
    except httpx.TransportError as error:
        return "certificate" in str(error).lower()  # it listens; its certificate is not from a public CA
    return True
