"""The same parts of the benchmark in another checkout, right after those of this one.

`make bench AGAINST=FOLDER` needs a checkout with `make setup` done, such as `git worktree add FOLDER COMMIT` makes one.
Each part runs there in its own environment, so both see the same machine at nearly the same time.
"""

import os
import subprocess
from pathlib import Path

from bench.peers import FOLDER as PEERS
from bench.table import row


def other_checkout() -> Path | None:
    """Returns the checkout to compare with. Raises `SystemExit` with a sentence if its environment is not made."""
    named = os.environ.get("AGAINST")
    if not named:
        return None
    folder = Path(named).resolve()
    if not (folder / ".venv/bin/python").exists():
        raise SystemExit(f"{folder} has no environment. Run `make setup` there.")
    return folder


def rows_of(folder: Path, part: str) -> None:
    """Prints the rows of one part as measured there, or that it could not be measured: it may have no such part."""
    described = subprocess.run(
        ["git", "-C", folder, "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    row(f"{part} at {described.stdout.strip() or folder}:", "")
    environment = {name: value for name, value in os.environ.items() if name not in ("AGAINST", "PEERS", PEERS)}
    done = subprocess.run(
        [folder / ".venv/bin/python", "-m", "bench.run", part],
        cwd=folder,
        env=environment | {"PYTHONPATH": "devtools"},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        row("  it could not be measured there", "-", "the lines above say why")
        return
    rows = done.stdout.splitlines()[3:]  # without its machine and its heading
    print("".join(f"{line}\n" for line in rows), end="", flush=True)
