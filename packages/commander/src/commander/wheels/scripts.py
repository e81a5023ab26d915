"""Renders the scripts that install a sentry: the same files for all commanders, with this one's address and CA."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from commander import VERSION
from commander.wheels.store import Wheel

_TEMPLATES = resources.files("commander") / "wheels" / "templates"
_PLACE = re.compile(r"@([A-Z_0-9]+)@")


@dataclass(frozen=True, slots=True)
class Sentry:
    """A sentry as its script needs it.

    `account` is the user that it runs as; without one it is root. `children` is the user of what it starts.
    """

    script: str
    kind: str
    program: str
    setting: str
    account: str
    children: str
    home_dir: str
    data_dir: str
    tokens: str
    usage: str
    stopping: str

    @property
    def module(self) -> str:
        return self.program.replace("-", "_")

    @property
    def distribution(self) -> str:
        return f"minewarden-{self.program}"


CPU_GPU = Sentry(
    script="cpu-gpu",
    kind="CPU/GPU rigs",
    program="cpu-gpu-sentry",
    setting="CPU_GPU_SENTRY_DATA_DIR",
    account="",
    children="minewarden-miner",
    home_dir="/var/lib/minewarden-cpu-gpu-sentry",
    data_dir="/var/lib/minewarden-cpu-gpu-sentry",
    tokens="mw_rig_* | mw_farm_*",
    usage="",
    stopping="stop and delete what playbooks mine",
)
# The ASIC sentry runs as a user without rights, which must not change the program that root starts again.
ASIC = Sentry(
    script="asic",
    kind="ASICs",
    program="asic-sentry",
    setting="ASIC_SENTRY_DATA_DIR",
    account="minewarden-asic-sentry",
    children="",
    home_dir="/opt/minewarden-asic-sentry",
    data_dir="/var/lib/minewarden-asic-sentry",
    tokens="mw_site_* | mw_asic_*",
    usage="[--scan CIDR] [--ip IP] ",
    stopping="leave the ASICs as they are: they mine on",
)


def shell_script(sentry: Sentry, url: str, ca_pem: str, pip: Wheel) -> str:
    """Returns the script for a POSIX shell. `ca_pem` is the authority to trust alone; empty for the system's roots."""
    quoted = {
        "URL": url,
        "PROGRAM": sentry.program,
        "MODULE": sentry.module,
        "DISTRIBUTION": sentry.distribution,
        "VERSION": VERSION,
        "SETTING": sentry.setting,
        "ACCOUNT": sentry.account,
        "CHILDREN": sentry.children,
        "HOME_DIR": sentry.home_dir,
        "DATA_DIR": sentry.data_dir,
        "PIP_WHEEL": pip.file_name,
        "PIP_SHA256": pip.sha256,
    }
    plain = {
        "KIND": sentry.kind,
        "ADDRESS": url,
        "CA": ca_pem.strip(),
        "TOKENS": sentry.tokens,
        "USAGE": sentry.usage,
        "STOPPING": sentry.stopping,
        "CONNECTING": _template(f"{sentry.script}.part.sh"),
    }
    return _filled(_template("sentry.sh"), {name: shlex.quote(each) for name, each in quoted.items()} | plain)


def powershell_script(url: str, ca_pem: str, pip: Wheel) -> str:
    """Returns the script for Windows; see `shell_script`."""
    quoted = {
        "URL": url,
        "VERSION": VERSION,
        "DISTRIBUTION": CPU_GPU.distribution,
        "PIP_WHEEL": pip.file_name,
        "PIP_SHA256": pip.sha256,
    }
    literals = {name: "'" + each.replace("'", "''") + "'" for name, each in quoted.items()}
    return _filled(_template("cpu-gpu.ps1"), literals | {"ADDRESS": url, "CA": ca_pem.strip()})


def refusing_shell_script(sentence: str) -> str:
    """Returns a script that says why nothing can be installed."""
    return f"#!/bin/sh\nprintf '%s\\n' {shlex.quote(sentence)} >&2\nexit 1\n"


def refusing_powershell_script(sentence: str) -> str:
    text = sentence.replace("'", "''")
    return f"[Console]::Error.WriteLine('{text}')\nexit 1\n"


def _template(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _filled(template: str, values: Mapping[str, str]) -> str:
    """Puts in each value once: what a value contains is not read again."""
    return _PLACE.sub(lambda match: values[match[1]], template)
