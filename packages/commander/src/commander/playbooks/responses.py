"""Playbooks as JSON, for scripts."""

from datetime import datetime

import msgspec
from protocol.playbook_messages import Platform, PlaybookStatus, PlaybookWork, SoftwarePackage

from commander.live.playbooks import PlaybookNow
from commander.playbooks.domain import Revision, StoredPlaybook


class WorkAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One algorithm, as its author chose it."""

    algorithm: str
    coin: str
    pool_id: int | None
    wallet_id: int | None
    password: str


class PlaybookAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`script` is the template; `rendered_script`, `package` and `mines` are what the rig's sentry gets.

    `status` is the newest one from the sentry; null while there is none.
    """

    id: int
    rig_id: int
    name: str
    position: int
    revision: int
    paused: bool
    root: bool
    changed_at: datetime
    software_id: int
    platform: Platform
    script: str
    works: list[WorkAnswer]
    variables: dict[str, str]
    rendered_script: str
    package: SoftwarePackage
    mines: list[PlaybookWork]
    status: PlaybookStatus | None
    told_at: datetime | None


class RevisionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A playbook at one time: which change (`what`) was made, by whom and when. `diff` is against the one before."""

    revision: int
    changed_at: datetime
    author: str
    what: str
    diff: str
    rendered_script: str


def playbook_answer(stored: StoredPlaybook, now: PlaybookNow | None) -> PlaybookAnswer:
    spec, wire = stored.spec, stored.wire
    return PlaybookAnswer(
        id=stored.id,
        rig_id=stored.rig_id,
        name=spec.name,
        position=stored.position,
        revision=wire.revision,
        paused=wire.paused,
        root=wire.root,
        changed_at=stored.changed_at,
        software_id=spec.software_id,
        platform=spec.platform,
        script=spec.script,
        works=[msgspec.convert(work, WorkAnswer, from_attributes=True) for work in spec.works],
        variables=spec.variables,
        rendered_script=wire.script,
        package=wire.package,
        mines=wire.works,
        status=now.status if now else None,
        told_at=now.reported_at if now else None,
    )


def revision_answer(revision: Revision, diff: str) -> RevisionAnswer:
    return RevisionAnswer(
        revision=revision.revision,
        changed_at=revision.changed_at,
        author=revision.author,
        what=revision.what,
        diff=diff,
        rendered_script=revision.wire.script,
    )
