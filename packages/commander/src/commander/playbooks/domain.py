"""What a playbook is, and what can be wrong with one."""

from dataclasses import dataclass, field
from datetime import datetime

from protocol.messages import FieldError
from protocol.playbook_messages import Platform, Playbook

from commander.problems import CommanderError, ErrorKind

NAME_MAX_LENGTH = 64
PLAYBOOKS_A_RIG = 64
REVISIONS_KEPT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkSpec:
    """One algorithm of a spec, as somebody chose it."""

    algorithm: str = ""
    coin: str = ""
    pool_id: int | None = None
    wallet_id: int | None = None
    password: str = "x"  # noqa: S105 - what pools expect where they want none


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaybookSpec:
    """What somebody wrote: everything that a playbook's script is rendered from, but the rig.

    `script` is a template for `platform`; `variables` are placeholders of its author's own.
    """

    name: str
    software_id: int
    platform: Platform
    script: str
    works: list[WorkSpec]
    variables: dict[str, str] = field(default_factory=dict)


class PlaybookError(CommanderError):
    """Root of what can be wrong with a request about a playbook; its text is for people."""


class BadPlaybook(PlaybookError):
    """Fields can't be taken; `fields` says which, by the names of the API, and why."""

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
    """What a playbook was like at one time: `what` was done to make it so, and by whom."""

    revision: int
    changed_at: datetime
    author: str
    what: str
    spec: PlaybookSpec
    wire: Playbook


def needs_restart(before: Playbook, after: Playbook) -> bool:
    """Whether the sentry has to stop what runs: it leaves a playbook alone whose software and script are the same."""
    return (before.package, before.script, before.platform) != (after.package, after.script, after.platform)


def platform_of(os: str | None) -> Platform:
    """Which scripts a rig runs, by what its sentry says of its operating system: Linux unless it is Windows."""
    return Platform.WINDOWS if (os or "").strip().casefold().startswith("windows") else Platform.LINUX
