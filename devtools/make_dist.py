#!/usr/bin/env python3
"""Builds the five wheels into a folder: `make dist`. The same code gives the same bytes, on any day, in any folder."""

import argparse
import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("protocol", "sentry_kit", "cpu_gpu_sentry", "asic_sentry", "commander")
SUMS = "SHA256SUMS"
NO_CHECKOUT = "1767225600"  # 2026-01-01: a folder without git has no time of its own


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="the folder for the wheels; wheels that are there are removed")
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout; default: this one")
    arguments = parser.parse_args()
    out = arguments.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("*.whl"):
        old.unlink()
    epoch = os.environ.get("SOURCE_DATE_EPOCH") or committed_at(arguments.root)
    environment = os.environ | {"SOURCE_DATE_EPOCH": epoch}
    for package in PACKAGES:
        build(arguments.root / "packages" / package, out, environment)
    lines = [f"{hashlib.sha256(wheel.read_bytes()).hexdigest()}  {wheel.name}" for wheel in sorted(out.glob("*.whl"))]
    (out / SUMS).write_text("\n".join(lines) + "\n", encoding="ascii")
    print("\n".join(lines))
    return 0


def build(package: Path, out: Path, environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(out)]
    os.umask(0o022)  # a wheel keeps the modes of its files
    subprocess.run(command, cwd=package, env=environment, check=True, stdout=subprocess.DEVNULL)


def committed_at(root: Path) -> str:
    """Returns the time of the last commit, in seconds since 1970."""
    command = ["git", "-C", str(root), "log", "-1", "--format=%ct"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else NO_CHECKOUT


if __name__ == "__main__":
    sys.exit(main())
