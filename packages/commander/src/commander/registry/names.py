"""Names of rigs, and the errors of requests about a rig."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime

from protocol.tokens import Token

from commander.problems import CommanderError, ErrorKind

NAME_MAX_LENGTH = 64
_NAME = re.compile(r"[\w][\w .:#()+@/-]*")


class RigError(CommanderError):
    """Root of what can be wrong with a request about a rig; its text is for people."""


class BadName(RigError):
    """The text can't be a rig's name."""

    kind = ErrorKind(422, "bad_name", "Not a name", field="name")


class NameTaken(RigError):
    """Another rig has this name."""

    kind = ErrorKind(409, "name_taken", "Name taken", field="name")


class RigNotFound(RigError):
    """No such rig, or no longer."""

    kind = ErrorKind(404, "rig_not_found", "No such rig")


@dataclass(frozen=True, slots=True)
class Rig:
    id: int
    name: str
    created_at: datetime


def checked_name(text: str) -> str:
    """`text` as a rig's name: trimmed and composed (NFC)."""
    name = unicodedata.normalize("NFC", text).strip(" ")
    if not name:
        raise BadName("Give the rig a name.")
    if len(text) > NAME_MAX_LENGTH:
        raise BadName(f"A name has {NAME_MAX_LENGTH} characters at most; this one has {len(text)}.")
    if not _NAME.fullmatch(name):
        raise BadName(
            "A name begins with a letter or digit and holds letters, digits, spaces and . _ - : # ( ) + @ / only."
        )
    return name


def name_key(name: str) -> str:
    """Two names with one key are the same to a person, so only one rig may have it."""
    return unicodedata.normalize("NFKC", name).casefold()


def enroll_command(commander_url: str, token: Token | None = None) -> str:
    """Returns the command to type on the rig. URL and token have no character that is special to a shell.

    Without a token the command asks for it. Then it is in no list of processes and in no history of a shell.
    """
    return f"cpu-gpu-sentry enroll --url {commander_url}" + (f" --token {token}" if token else "")
