#!/usr/bin/env python3
"""Asks a commander thousands of generated questions, made of its own OpenAPI document: `make fuzz`.

Schemathesis makes them, right ones and wrong ones, for each operation and each role, and once without a key. It is a
failure if an answer has status 5xx, has a status or a shape that the document does not name, or takes 20 seconds.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.farm import CommanderProcess

ROLES = ("", "metrics", "view", "operate", "own")
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
ANSWER_WITHIN_S = 20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("schemathesis", type=Path, help="the program `schemathesis`")
    parser.add_argument("--cases", type=int, default=15, help="generated cases an operation")
    parser.add_argument("--role", choices=ROLES, action="append", help="one role; default: each, and none")
    arguments = parser.parse_args()
    failed = [role or "no key" for role in arguments.role or ROLES if not fuzz(arguments, role)]
    print(f"Failed: {', '.join(failed)}." if failed else "No role found a failure.")
    return 1 if failed else 0


def fuzz(arguments: argparse.Namespace, role: str) -> bool:
    """Returns whether a fresh commander answers all that is asked with this role; prints what it does not."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        commander = CommanderProcess(place / "data")
        try:
            commander.start()
            document = place / "openapi.json"
            with commander.client(commander.api_key("first")) as owner:
                document.write_bytes(owner.get("/schema/openapi.json").raise_for_status().content)
                for path in ("cpu-gpu-rigs", "asic-rigs"):
                    owner.post(f"/api/v1/{path}", json={"name": "rig-1"}).raise_for_status()
            answers_are_right = _ask_all(arguments, commander, document, role)
            return _log_is_clean(commander) and answers_are_right
        finally:
            commander.stop()


def _ask_all(arguments: argparse.Namespace, commander: CommanderProcess, document: Path, role: str) -> bool:
    print(f"== {role or 'without a key'}", flush=True)
    command = [str(arguments.schemathesis.absolute()), "run", str(document), "--url", commander.url]
    command += ["--tls-verify", str(commander.ca), "--request-timeout", str(ANSWER_WITHIN_S)]
    command += ["--checks", CHECKS, "--max-examples", str(arguments.cases), "--continue-on-failure", "--no-shrink"]
    command += ["--warnings", "off", "--suppress-health-check", "all"]
    if role:
        key = commander.run("api-key", "create", role, "--role", role).stdout.split()[-1]
        command += ["--header", f"Authorization: Bearer {key}"]
    return subprocess.run(command, cwd=document.parent, check=False).returncode == 0


def _log_is_clean(commander: CommanderProcess) -> bool:
    errors = [line for line in commander.log.read_text(encoding="utf-8").splitlines() if " ERROR " in line]
    print(*errors[:20], sep="\n")
    return not errors


if __name__ == "__main__":
    sys.exit(main())
