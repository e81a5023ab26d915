#!/usr/bin/env python3
"""Writes the version of a release into the five packages, and into what they require of each other.

`python devtools/set_version.py 0.2.0`. A test compares all places.
"""

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
VERSION = re.compile(r'^version = "(?P<version>[^"]+)"', re.MULTILINE)
REQUIRED = re.compile(r'"(?P<name>minewarden-[a-z-]+)==(?P<version>[^"]+)"')


def projects() -> list[Path]:
    return sorted((ROOT / "packages").glob("*/pyproject.toml"))


def versions(text: str) -> set[str]:
    """Returns every version of ours that a project's file names."""
    return {match["version"] for pattern in (VERSION, REQUIRED) for match in pattern.finditer(text)}


def with_version(text: str, version: str) -> str:
    own = VERSION.sub(f'version = "{version}"', text)
    return REQUIRED.sub(lambda match: f'"{match["name"]}=={version}"', own)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version", help="such as 0.2.0")
    version = parser.parse_args().version
    if not re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+|\.dev\d+)?", version):
        parser.error("a version looks like 0.2.0, 0.2.0rc1 or 0.2.0.dev1")
    for path in projects():
        path.write_text(with_version(path.read_text(encoding="utf-8"), version), encoding="utf-8")
    print(f"Now: a heading for {version} in CHANGELOG.md, `make setup`, `make test`, `make dist`.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
