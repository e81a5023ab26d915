"""Playbooks, their specs and their errors."""

from dataclasses import dataclass, field
from datetime import datetime

from protocol.messages import FieldError
from protocol.playbook_messages import Platform, Playbook, SoftwarePackage

from commander.problems import CommanderError, ErrorKind

NAME_MAX_LENGTH = 64
PLAYBOOKS_A_RIG = 64
REVISIONS_KEPT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkSpec:
    """One algorithm of a spec, as its author chose it."""

    algorithm: str = ""
    coin: str = ""
    pool_id: int | None = None
    wallet_id: int | None = None
    password: str = "x"  # noqa: S105 - what pools expect where they want none


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaybookSpec:
    """A playbook as its author wrote it: what its script is rendered from, except for the rig.

    `script` is a template for `platform`; `variables` are the author's own placeholders. `root`: it needs the rights
    of root.
    """

    name: str
    software_id: int
    platform: Platform
    script: str
    works: list[WorkSpec]
    variables: dict[str, str] = field(default_factory=dict)
    root: bool = False


class PlaybookError(CommanderError):
    """Root of what can be wrong with a request about a playbook; its text is for people."""


class BadPlaybook(PlaybookError):
    """Fields can't be taken; `fields` has the reasons, by the names of the API."""

    kind = ErrorKind(422, "bad_playbook", "Not a playbook")

    def __init__(self, fields: dict[str, str]) -> None:
        super().__init__(" ".join(fields.values()))
        self.fields = fields

    def field_errors(self) -> list[FieldError]:
        """The fields that the error is about."""
        return [FieldError(field=name, message=text) for name, text in self.fields.items()]


class PlaybookNotFound(PlaybookError):
    """No such playbook or revision, or no longer."""

    kind = ErrorKind(404, "playbook_not_found", "No such playbook")


class PlaybookChanged(PlaybookError):
    """Somebody else has just changed or removed it."""

    kind = ErrorKind(409, "playbook_changed", "Playbook changed")


class TooManyPlaybooks(PlaybookError):
    """A rig takes no more of them."""

    kind = ErrorKind(409, "too_many_playbooks", "Too many playbooks")


@dataclass(frozen=True, slots=True)
class StoredPlaybook:
    """`wire` is what the rig's sentry is given; its revision is the newest of `spec`."""

    id: int
    rig_id: int
    position: int
    spec: PlaybookSpec
    wire: Playbook
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Revision:
    """A playbook at one time. `what` names the change that made it."""

    revision: int
    changed_at: datetime
    author: str
    what: str
    spec: PlaybookSpec
    wire: Playbook


def needs_restart(before: Playbook, after: Playbook) -> bool:
    """Returns whether the sentry has to stop what runs. With the same software, script and user it goes on."""
    return _what_runs(before) != _what_runs(after)


def _what_runs(playbook: Playbook) -> tuple[SoftwarePackage, str, Platform, bool]:
    return playbook.package, playbook.script, playbook.platform, playbook.root


def platform_of(os: str | None) -> Platform:
    """Returns a rig's system by the name that its sentry sends: Linux unless it is Windows."""
    return Platform.WINDOWS if (os or "").strip().casefold().startswith("windows") else Platform.LINUX
