"""The difference that a revision of a playbook made, line by line."""

import difflib

from commander.playbooks.domain import Revision

CONTEXT_LINES = 3


def described(revision: Revision) -> list[str]:
    """A revision as lines of text: what it runs, for whom, and its final script."""
    wire, package = revision.wire, revision.wire.package
    lines = [
        f"name: {wire.name}",
        f"software: {package.software} {package.version}",
        f"download: {package.url}",
        f"SHA-256: {package.sha256 or 'none'}",
        f"program: {package.executable}",
        f"paused: {'yes' if wire.paused else 'no'}",
        f"runs as root: {'yes' if wire.root else 'no'}",
    ]
    for work in wire.works:
        fields = (("algorithm", work.algorithm), ("coin", work.coin), ("pool", work.pool), ("wallet", work.user))
        lines += [f"{what}: {text}" for what, text in fields if text]
    return [*lines, "script:", *wire.script.splitlines()]


def diff(before: Revision | None, after: Revision) -> list[str]:
    """Lines that begin with +, - or a space; without an earlier revision everything is new."""
    old = described(before) if before else []
    lines = difflib.unified_diff(old, described(after), lineterm="", n=CONTEXT_LINES)
    return [line for line in lines if not line.startswith(("---", "+++"))]
