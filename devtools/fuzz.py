#!/usr/bin/env python3
"""Asks a commander thousands of generated questions, made of its own OpenAPI document: `make fuzz`.

Schemathesis makes them, right ones and wrong ones: for each operation without a key and with a key of each role, and
for the sentries' operations with each kind of token. It is a failure if an answer has status 5xx, other than a 503 that
the document names, has a status or a shape that it does not name, or takes 20 seconds; if the commander logs an error;
if the key or token is not valid any more at the end; and if a sender had fewer than 10,000 cases.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.farm import CommanderProcess

ROLES = ("metrics", "view", "operate", "own")
TOKENS = ("rig", "site", "farm")
SENDERS = ("none", *ROLES, *TOKENS)
SENTRIES = "/api/v1/sentry"
FEWEST_CASES = 10_000
EXAMPLES = 45  # an operation; Schemathesis adds about 60 to each that do not depend on it
EXAMPLES_OF_SENTRIES = 800  # they have an eighth of the operations, and two of them have one case
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
CONFIGURATION = """
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 503]  # a 503 that the document does not name fails another check
"""
ANSWER_WITHIN_S = 20


@dataclass(frozen=True)
class Outcome:
    """The run of one sender. `cases` is None if Schemathesis wrote no number."""

    sender: str
    cases: int | None
    failures: tuple[str, ...]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("schemathesis", type=Path, help="the program `schemathesis`")
    parser.add_argument(
        "--cases",
        type=int,
        help=f"generated cases an operation; default: {EXAMPLES}, and {EXAMPLES_OF_SENTRIES} with tokens of sentries",
    )
    parser.add_argument("--role", choices=SENDERS, action="append", help="a role or a kind of token; default: all")
    arguments = parser.parse_args()
    outcomes = [fuzz(arguments.schemathesis, sender, arguments.cases) for sender in arguments.role or SENDERS]
    print(*map(line_of, outcomes), sep="\n")
    return 1 if any(outcome.failures for outcome in outcomes) else 0


def line_of(outcome: Outcome) -> str:
    cases = "?" if outcome.cases is None else f"{outcome.cases:,}"
    return f"{outcome.sender:8} {cases:>8} cases: {'; '.join(outcome.failures) or 'no failure'}"


def fuzz(schemathesis: Path, sender: str, cases: int | None = None) -> Outcome:
    """Asks a fresh commander all that this sender can ask; prints what is wrong."""
    print(f"== {sender}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        commander = CommanderProcess(place / "data")
        try:
            commander.start()
            document = place / "openapi.json"
            (place / "schemathesis.toml").write_text(CONFIGURATION, encoding="utf-8")
            with commander.client(commander.api_key("first")) as owner:
                document.write_bytes(owner.get("/schema/openapi.json").raise_for_status().content)
                secret = _secret(commander, owner, sender)
            answers_are_right = _ask_all(schemathesis, commander, document, sender, secret, cases)
            asked = _asked(place / "report.json")
            found = {
                "wrong answers, above": not answers_are_right,
                "errors in the log, above": not _log_is_clean(commander),
                "its key or token is not valid any more": not _is_valid(commander, sender, secret),
                f"fewer than {FEWEST_CASES:,} cases; give a larger CASES": (asked or 0) < FEWEST_CASES,
            }
            return Outcome(sender, asked, tuple(failure for failure, is_so in found.items() if is_so))
        finally:
            commander.stop()


def _secret(commander: CommanderProcess, owner: httpx.Client, sender: str) -> str:
    """Returns the sender's key or token, after the farm has a rig of each kind; empty for a sender without one."""
    made = {
        kind: owner.post(f"/api/v1/{path}", json=body).raise_for_status().json()["token"]
        for kind, path, body in (
            ("rig", "cpu-gpu-rigs", {"name": "rig-1"}),
            ("asic", "asic-rigs", {"name": "asic-1"}),
            ("site", "site-tokens", {"name": "site-1"}),
            ("farm", "farm-tokens", {"name": "farm-1", "uses": 1000}),
        )
    }
    if sender in ROLES:
        return commander.run("api-key", "create", sender, "--role", sender).stdout.split()[-1]
    return str(made.get(sender, ""))


def _ask_all(
    schemathesis: Path, commander: CommanderProcess, document: Path, sender: str, secret: str, cases: int | None
) -> bool:
    examples = cases or (EXAMPLES_OF_SENTRIES if sender in TOKENS else EXAMPLES)
    command = [str(schemathesis.absolute()), "run", str(document), "--url", commander.url]
    command += ["--tls-verify", str(commander.ca), "--request-timeout", str(ANSWER_WITHIN_S)]
    command += ["--checks", CHECKS, "--max-examples", str(examples), "--continue-on-failure", "--no-shrink"]
    command += ["--warnings", "off", "--suppress-health-check", "all", "--report-json-path", "report.json"]
    if sender in TOKENS:
        command += ["--include-path-regex", f"^{SENTRIES}"]
    if sender == "rig":  # which gets another token there, and all further answers would be 401
        command += ["--exclude-path", f"{SENTRIES}/enrol"]
    if secret:
        command += ["--header", f"Authorization: Bearer {secret}"]
    return subprocess.run(command, cwd=document.parent, check=False).returncode == 0


def _asked(report: Path) -> int | None:
    """Returns how many cases the report counts; None if there is no report, or another than is known here."""
    try:
        return int(json.loads(report.read_bytes())["test_cases"]["generated"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _log_is_clean(commander: CommanderProcess) -> bool:
    errors = [line for line in commander.log.read_text(encoding="utf-8").splitlines() if " ERROR " in line]
    print(*errors[:20], sep="\n")
    return not errors


def _is_valid(commander: CommanderProcess, sender: str, secret: str) -> bool:
    """Returns whether the commander still knows the secret. With another, all answers would be 401, which is right."""
    if not secret:
        return True
    with commander.client(secret) as client:
        return client.get(SENTRIES if sender in TOKENS else "/metrics").status_code == 200


if __name__ == "__main__":
    sys.exit(main())
