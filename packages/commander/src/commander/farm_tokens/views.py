"""Farm tokens as pages show them."""

from datetime import datetime
from typing import NamedTuple

from protocol import units
from protocol.tokens import Token

from commander.farm_tokens.domain import FarmToken, FarmTokenState
from commander.registry.names import enroll_command
from commander.web.shell import Fragments, macro
from commander.wheels.line import Installing, linux_line, windows_line

WORDS = {
    FarmTokenState.VALID: ("Valid", "good"),
    FarmTokenState.EXPIRED: ("Expired", "idle"),
    FarmTokenState.USED_UP: ("Used up", "idle"),
    FarmTokenState.REVOKED: ("Revoked", "idle"),
}


class FarmTokenRow(NamedTuple):
    """A line of the table. `left` says how many uses are left."""

    id: int
    name: str
    word: str
    tone: str
    left: str
    name_pattern: str
    tags: str
    approval: str
    expires_at: datetime
    made_by: str
    is_valid: bool


class FarmTokenCard(NamedTuple):
    """A new farm token, shown once: alone and in the commands to type, each with its label.

    Without packages in the commander, the lines that install a sentry do not work.
    """

    name: str
    about: str
    token: str
    commands: list[tuple[str, str]]
    has_packages: bool


def row_of(each: FarmToken, now: datetime) -> FarmTokenRow:
    state = each.state(now)
    word, tone = WORDS[state]
    left = f"{units.count_text(each.uses - each.used)} of {units.count_text(each.uses)} uses left"
    return FarmTokenRow(
        id=each.id,
        name=each.name,
        word=word,
        tone=tone,
        left=left,
        name_pattern=each.name_pattern,
        tags=", ".join(each.tags),
        approval="by hand" if each.approve_by_hand else "not needed",
        expires_at=each.expires_at,
        made_by=each.made_by,
        is_valid=state is FarmTokenState.VALID,
    )


def card_of(made: FarmToken, token: Token, installing: Installing) -> FarmTokenCard:
    rigs = "1 rig" if made.uses == 1 else f"{units.count_text(made.uses)} rigs"
    then = "Each rig then waits for your approval." if made.approve_by_hand else "Each rig then gets its playbooks."
    about = f"For {rigs}, until {made.expires_at:%Y-%m-%d %H:%M} UTC. {then}"
    return FarmTokenCard(made.name, about, str(token), _commands(installing, token), installing.is_ready)


def _commands(installing: Installing, token: Token) -> list[tuple[str, str]]:
    """Returns the commands to type on each rig, each with its label."""
    return [
        ("On each rig with Linux", linux_line(installing, "cpu-gpu", str(token))),
        ("On each rig with Windows, in PowerShell", windows_line(installing, "cpu-gpu", str(token))),
        ("Where a sentry is installed already; it asks for the token", enroll_command(installing.url)),
    ]


def list_fragments(tokens: list[FarmToken], now: datetime) -> Fragments:
    """Returns the part of the page that changes."""
    return {"farm-tokens": macro("farm_tokens/list.html", "table", [row_of(each, now) for each in tokens])}
