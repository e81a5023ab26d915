"""The files of deploy/, as far as they can be tried without a container engine and without systemd."""

import ipaddress
import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # only this test reads YAML

from tests.farm import ROOT
from tests.typed import blocks

DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
UNITS = sorted(DEPLOY.glob("*.service"))
HEAVY = {".venv", ".tools", ".git", "node_modules", "dist", "__pycache__", "tests"}


def files_here() -> list[str]:
    """Every file of the working tree, as paths from its root; what was built and fetched is there as well."""
    found = [Path(folder, name) for folder, _, names in os.walk(ROOT) for name in names]
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


def ignored(paths: list[str], folder: Path) -> set[str]:
    """Returns what .dockerignore leaves out. Its patterns mean the same to git, which this asks."""
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    rules = f"core.excludesFile={ROOT / '.dockerignore'}"
    asked = ["git", "-C", str(folder), "-c", rules, "check-ignore", "--no-index", "--stdin", "-z"]
    done = subprocess.run(asked, input="\0".join(paths), capture_output=True, text=True, check=True)
    return set(done.stdout.split("\0"))


def test_an_image_is_made_from_what_it_copies_and_nothing_else(tmp_path: Path) -> None:
    copied = re.findall(r"^COPY (packages/\S+) ", (DEPLOY / "Containerfile").read_text(), re.MULTILINE)
    assert {path.name for path in (ROOT / "packages").iterdir()} == {path.removeprefix("packages/") for path in copied}
    here = files_here()
    kept = sorted(set(here) - ignored(here, tmp_path))
    assert {"/".join(path.split("/")[:2]) for path in kept} == {*copied, "requirements.lock"}
    assert not [path for path in kept if HEAVY & set(path.split("/"))]
    assert sum((ROOT / path).stat().st_size for path in kept) < 10_000_000
    for needed in ("frontend/package-lock.json", "frontend/build.mjs", "hatch_build.py", "src/commander/app.py"):
        assert f"packages/commander/{needed}" in kept


def test_the_image_installs_as_the_page_about_services_does() -> None:
    installed = re.search(r"pip install (.*)", (DEPLOY / "Containerfile").read_text())
    assert installed
    words = installed[1].replace("--no-cache-dir ", "").replace("/src/", "./")
    assert any(f"pip install {words}" in block for block in blocks(DEPLOY / "README.md"))


def test_the_balancer_has_an_address_that_no_other_container_is_given() -> None:
    (network,) = COMPOSE["networks"]["default"]["ipam"]["config"]
    balancer = ipaddress.IPv4Address(COMPOSE["services"]["balancer"]["networks"]["default"]["ipv4_address"])
    assert balancer in ipaddress.IPv4Network(network["subnet"])
    assert balancer not in ipaddress.IPv4Network(network["ip_range"])
    assert ipaddress.IPv4Network(network["ip_range"]).subnet_of(ipaddress.IPv4Network(network["subnet"]))
    assert str(balancer) != network["gateway"]
    for web in ("web-1", "web-2"):
        assert COMPOSE["services"][web]["environment"]["COMMANDER_TRUSTED_PROXIES"] == str(balancer)


def test_web_nodes_share_the_key_of_secrets_in_a_folder_that_the_image_has() -> None:
    folders = {COMPOSE["services"][web]["environment"]["COMMANDER_CA_DIR"] for web in ("web-1", "web-2")}
    (folder,) = folders
    assert f"minewarden-commander {folder}" in (DEPLOY / "Containerfile").read_text()
    for web in ("web-1", "web-2"):
        assert f"shared:{folder}" in COMPOSE["services"][web]["volumes"]
    assert "shared" in COMPOSE["volumes"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_each_unit_starts_a_program_that_there_is_and_the_page_enables_it(unit: Path) -> None:
    text, page = unit.read_text(), (DEPLOY / "README.md").read_text()
    started = re.search(r"^ExecStart=/opt/minewarden/bin/(\S+)", text, re.MULTILINE)
    assert started
    assert started[1] in programs()
    name = unit.name.replace("@.service", "@1").removesuffix(".service")
    assert re.search(rf"systemctl enable --now [^`\n]*\b{name}\b", page), name
    user = re.search(r"^User=(\S+)", text, re.MULTILINE)
    assert user is None or re.search(rf"useradd .* {user[1]}$", page, re.MULTILINE)


def test_the_installed_command_takes_settings_as_data_and_runs_none_of_them(tmp_path: Path) -> None:
    settings, prefix, folder = tmp_path / "commander.env", tmp_path / "prefix", tmp_path / "bin"
    written = tmp_path / "written"
    settings.write_text(
        f"# COMMANDER_HOST=127.0.0.1\ntouch {written}\n"
        f"COMMANDER_BACKUP_PASSPHRASE=$(touch {written}) `id` $HOME \\n; = x\n"
        "  COMMANDER_PUBLIC_URL = https://farm.example\n"
        "  COMMANDER_HOSTS=\"farm.lan, mine.lan\"  \nCOMMANDER_PASSWORD='it''s \"mine\"'\n"
        "LD_PRELOAD=/tmp/evil.so\nPATH=/tmp\nSSL_CERT_FILE=/etc/ssl/our-ca.pem\nCOMMANDER_PORT=443"
    )
    for path, text in (
        (prefix / "bin" / "commander", '#!/bin/sh\nenv -0\nprintf "ARGUMENTS=%s" "$*"\n'),
        (folder / "runuser", '#!/bin/sh\n[ "$1 $2 $3" = "-u minewarden-commander --" ] && shift 3 && exec "$@"\n'),
    ):
        path.parent.mkdir(parents=True)
        path.write_text(text)
        path.chmod(0o755)
    script = (DEPLOY / "install-commander.sh").read_text().replace('\nmain "$@"\n', "\nwrite_command\n")
    command = tmp_path / "commander"
    for name, path in (("PREFIX", prefix), ("COMMAND", command), ("SETTINGS", settings)):
        script, count = re.subn(rf"^{name}=.*$", f"{name}={path}", script, flags=re.MULTILINE)
        assert count == 1, name
    subprocess.run(["sh", "-c", script], check=True)
    environment = {"PATH": f"{folder}:/usr/bin:/bin"}
    for words in (["api-key", "list"], ["install-service"]):
        done = subprocess.run([command, *words], env=environment, capture_output=True, text=True, check=True)
        found = dict(pair.partition("=")[::2] for pair in done.stdout.split("\0"))
        assert {name: value for name, value in found.items() if name not in ("PWD", "OLDPWD", "SHLVL", "_")} == {
            **environment,
            "ARGUMENTS": " ".join(words),
            "COMMANDER_DATA_DIR": "/var/lib/minewarden-commander",
            "COMMANDER_BACKUP_PASSPHRASE": f"$(touch {written}) `id` $HOME \\n; = x",
            "COMMANDER_HOSTS": "farm.lan, mine.lan",
            "COMMANDER_PASSWORD": "it''s \"mine\"",
            "COMMANDER_PORT": "443",
            "COMMANDER_PUBLIC_URL": "https://farm.example",
            "SSL_CERT_FILE": "/etc/ssl/our-ca.pem",
        }
    assert not written.exists()


def programs() -> set[str]:
    projects = [tomllib.loads(path.read_text())["project"] for path in (ROOT / "packages").glob("*/pyproject.toml")]
    return {name for project in projects for name in project.get("scripts", {})}
