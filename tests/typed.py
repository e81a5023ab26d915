"""Commands that README.md and deploy/README.md tell people to type."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.farm import ROOT


def blocks(page: Path) -> list[str]:
    """Every block of commands, without its indentation."""
    found = re.findall(r"(?:^ {4}.*\n)+", page.read_text(encoding="utf-8"), re.MULTILINE)
    return ["\n".join(line.strip() for line in block.splitlines()) for block in found]


def installing(page: Path, package: str) -> str:
    """The block that makes an environment and installs `package`, such as “commander”, into it."""
    found = [block for block in blocks(page) if re.search(rf"pip install .*/{package}$", block, re.MULTILINE)]
    assert len(found) == 1, found
    return found[0]


def checkout(folder: Path) -> Path:
    """The packages as `git clone` brings them: nothing that was built here."""
    built = shutil.ignore_patterns("node_modules", "dist", "__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "packages", folder / "packages", ignore=built)
    return folder


CACHES = Path.home() / ".cache"
# What pip and npm have downloaded before is a person's own cache; modules that nobody imports need no compiling.
THRIFT = {
    "PIP_CACHE_DIR": str(CACHES / "pip"),
    "PIP_NO_COMPILE": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "npm_config_cache": str(CACHES / "npm"),
}


def type_in(folder: Path, commands: str, home: Path) -> str:
    """Types them in a shell of their own; what it printed.

    `python3` is the one that runs the tests. `/opt` is in `home`: the real one needs root.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{own.get('PATH', '')}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands.replace("/opt/", "~/opt/")],
        cwd=folder,
        env=THRIFT | own | {"PATH": path, "HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
