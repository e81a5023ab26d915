"""The exposure of each service to what it could do, as `systemd-analyze security` counts it."""

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from asic_sentry.service_unit import SERVICE as ASIC_SENTRY
from commander.service_unit import SERVICE as COMMANDER
from cpu_gpu_sentry.service_unit import SERVICE as CPU_GPU_SENTRY
from protocol.services import HARDENING, Service, unit_text

from tests.farm import ROOT

HIGHEST_EXPOSURES = {COMMANDER: 4.0, CPU_GPU_SENTRY: 6.0, ASIC_SENTRY: 3.0}
NAMES = {each.name: each for each in HIGHEST_EXPOSURES}
_OTHER_VERSIONS = 0.4  # of systemd count a little differently


def analyze(service: Service, folder: Path) -> str:
    """Returns what systemd says of the unit that `install-service` writes. Skips where it can't look at a file."""
    unit = folder / f"{service.name}.service"
    unit.write_text(unit_text(service, f"/opt/minewarden/bin/{service.program} {service.argument}"))
    words = ["systemd-analyze", "security", "--no-pager", "--offline=true", str(unit)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError:
        pytest.skip("there is no systemd-analyze here")
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze looks at running services only")
    assert done.returncode == 0, done.stderr
    return done.stdout


def exposure(text: str) -> float:
    found = re.search(r"Overall exposure level for \S+: (\d+\.\d)", text)
    assert found, text
    return float(found[1])


@pytest.mark.parametrize("name", NAMES)
def test_no_service_is_given_more_than_its_work_needs(name: str, tmp_path: Path) -> None:
    found = exposure(analyze(NAMES[name], tmp_path))
    assert found <= HIGHEST_EXPOSURES[NAMES[name]]
    page = (ROOT / "docs" / "installing.md").read_text(encoding="utf-8")
    row = re.search(rf"^\| `{name}` \| (\d\.\d) \|", page, re.MULTILINE)
    assert row
    assert abs(float(row[1]) - found) <= _OTHER_VERSIONS


def test_the_page_about_security_says_what_needs_each_thing_that_stays_open_to_a_rigs_sentry(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    section = page.partition("## What the services may do\n")[2].partition("\n## ")[0]
    rows = [re.findall(r"`([@\w-]+)`", row) for row in re.findall(r"^\| (`.+?) \|", section, re.MULTILINE)]
    lines = re.findall(r"^✗ (\S+)", analyze(CPU_GPU_SENTRY, tmp_path), re.MULTILINE)
    left_open = {name: row for row in rows for name in row if name.startswith(tuple(map(thing_of, lines)))}
    assert [row for row in rows if row not in left_open.values()] == [], "nothing of this is open any longer"
    assert [line for line in lines if not any(name.startswith(thing_of(line)) for name in left_open)] == []


def test_the_lines_that_the_page_about_security_offers_open_what_the_unit_closes(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    table = page.partition("| lines of the drop-in |\n")[2].partition("\n\n")[0]
    offered = re.findall(r"`((?:CapabilityBoundingSet|SystemCallFilter|RestrictAddressFamilies)=(\S+))`", table)
    assert len(offered) >= 4
    closed = {thing_of(line) for line in re.findall(r"^✓ (\S+)", analyze(CPU_GPU_SENTRY, tmp_path), re.MULTILINE)}
    wider = replace(CPU_GPU_SENTRY, lines=(*CPU_GPU_SENTRY.lines, *dict.fromkeys(line for line, _ in offered)))
    opened = {thing_of(line) for line in re.findall(r"^✗ (\S+)", analyze(wider, tmp_path), re.MULTILINE)}
    assert {thing for _, thing in offered} <= closed & opened


def thing_of(line: str) -> str:
    """Returns how the first thing that a line of systemd names begins: `CAP_SETUID` of `…=~CAP_SET(UID|GID|PCAP)`."""
    found = re.search(r"@[\w-]+|(?:CAP|AF)_\w+", line.replace("(", "")) or re.match(r"\w+", line)
    assert found, line
    return found[0]


@pytest.mark.parametrize("kind", ["web", "ingest"])
def test_nodes_of_a_scaled_out_farm_are_restricted_like_the_commander(kind: str) -> None:
    lines = (ROOT / "deploy" / f"minewarden-{kind}@.service").read_text(encoding="utf-8").splitlines()
    assert set(HARDENING) - set(lines) == set()
    assert any(line.startswith("CapabilityBoundingSet=") for line in lines)
