"""PostgreSQL's own programs: the newest on this machine. The password reaches them out of sight of other users."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from commander.backup import BackupProblem

PACKAGE = "postgresql-client"


def tool(name: str, *, server_major: int) -> str:
    """The path of `pg_dump`, `pg_restore` or `psql`. Raises `BackupProblem` if none is as new as the server."""
    versions = {path: _major(path) for path in _candidates(name)}
    if not versions:
        raise BackupProblem(f"{name} is missing: install PostgreSQL's client programs (Debian: {PACKAGE}).")
    newest = max(versions, key=lambda path: versions[path])
    if versions[newest] < server_major:
        raise BackupProblem(
            f"{name} is version {versions[newest]} and the server {server_major}: install the client programs of "
            f"version {server_major} (Debian: {PACKAGE}-{server_major})."
        )
    return newest


def _candidates(name: str) -> list[str]:
    debian = [str(path) for path in Path("/usr/lib/postgresql").glob(f"*/bin/{name}")]
    in_path = shutil.which(name)
    return debian + ([in_path] if in_path else [])


def _major(path: str) -> int:
    try:
        output = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=False).stdout  # noqa: S603 - a program of the system
    except (OSError, subprocess.SubprocessError):
        return 0
    version = re.search(r"(\d+)[.\d]*", output)
    return int(version[1]) if version else 0


def without_password(url: str) -> tuple[str, dict[str, str]]:
    """The URL for a command line, and the environment that has the password: others can read only the former."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    name, colon, password = user.partition(":")
    netloc = f"{name}@{host}" if name else host
    environment = {**os.environ, **({"PGPASSWORD": unquote(password)} if colon else {})}
    return urlunsplit(parts._replace(netloc=netloc)), environment
