"""The messages about playbooks: what a rig mines with, how that goes, and what the mining software prints.

The rules of `messages` hold here too. A script is finished but for `{api_port}` and `{api_token}`: only the sentry
knows a free port and a token.
"""

from enum import StrEnum
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from protocol.messages import Amount, Count, Message, Moment, Name, Text

Url = Annotated[str, Meta(max_length=2048)]
ScriptText = Annotated[str, Meta(max_length=65_536)]
Line = Annotated[str, Meta(max_length=2000)]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]

API_PORT = "{api_port}"  # stands in a script for the port that the sentry gives to this playbook on 127.0.0.1
API_TOKEN = "{api_token}"  # noqa: S105 - likewise for the access token of its API, which never leaves the rig


class Archive(StrEnum):
    """The format of a package; `none`: the download is the executable itself."""

    TAR_GZ = "tar.gz"
    TAR_XZ = "tar.xz"
    TAR_BZ2 = "tar.bz2"
    ZIP = "zip"
    NONE = "none"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> "Archive":
        return cls.UNKNOWN


class Platform(StrEnum):
    """The kind of script that a rig runs: `.sh` or `.bat`."""

    LINUX = "linux"
    WINDOWS = "windows"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> "Platform":
        return cls.UNKNOWN


class PlaybookState(StrEnum):
    """The state of a playbook on its rig."""

    WAITING = "waiting"
    DOWNLOADING = "downloading"
    INSTALLING = "installing"
    STARTING = "starting"
    MINING = "mining"
    RESTARTING = "restarting"
    PAUSED = "paused"
    FAILED = "failed"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> "PlaybookState":
        return cls.UNKNOWN


class WalletEvidence(StrEnum):
    """The place where the sentry finds a playbook's wallet, besides the report of the software's API."""

    ARGUMENTS = "arguments"  # in the arguments of its processes
    SCRIPT = "script"  # in the script that it was started with
    NEITHER = "neither"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> "WalletEvidence":
        return cls.UNKNOWN


class SoftwarePackage(Message, frozen=True, kw_only=True, gc=False):
    """Mining software as it is downloaded and unpacked for one platform.

    `software` is the name by which its figures are read (`xmrig`, `lolminer`, …) or any other: then it is run, but its
    figures are unknown. Without `sha256` the sentry keeps to the hash of what it downloaded first. `executable` is the
    path inside the archive.
    """

    software: Name
    version: Name
    url: Url
    archive: Archive
    executable: Text
    sha256: Sha256 | None = None


class PlaybookWork(Message, frozen=True, kw_only=True, gc=False):
    """One algorithm of a playbook, with its coin and its wallet."""

    algorithm: Name | None = None
    coin: Name | None = None
    pool: Text | None = None
    user: Text | None = None


class Playbook(Message, frozen=True, kw_only=True, gc=False):
    """Instructions to mine. `revision` grows with each change; a paused playbook stays installed and does not run.

    `script` is run in the folder that the package was unpacked to. `has_api` is False where the software has none.
    `root`: it runs as root if the sentry does; other playbooks run as an account without rights.
    """

    id: Name
    name: Text
    revision: Count
    package: SoftwarePackage
    platform: Platform
    script: ScriptText
    has_api: bool = True
    paused: bool = False
    root: bool = False
    works: Annotated[list[PlaybookWork], Meta(max_length=8)] = msgspec.field(default_factory=list)


class Playbooks(Message, frozen=True, kw_only=True, gc=False):
    """The playbooks of a rig, in the operator's order. Answer to `GET /api/v1/sentry/playbooks`."""

    INBOX_KIND: ClassVar[str] = "playbooks"

    playbooks: Annotated[list[Playbook], Meta(max_length=64)]


class PlaybookStatus(Message, frozen=True, kw_only=True, gc=False):
    """The state of one playbook on its rig.

    `percent` is that of a download. `reason` says why it failed or is restarted, `last_lines` what it printed then.
    `pinned_sha256` is the hash of the download if the package has none. `wallet_evidence` says where the sentry finds
    the wallets of its `works`. `runs_as` names the user that it runs as, in words for people.
    """

    playbook_id: Name
    revision: Count
    state: PlaybookState
    since: Moment | None = None
    percent: Amount | None = None
    reason: Annotated[str, Meta(max_length=2000)] | None = None
    last_lines: Annotated[list[Line], Meta(max_length=50)] = msgspec.field(default_factory=list)
    restarts: Count | None = None
    api_port: Count | None = None
    pinned_sha256: Sha256 | None = None
    wallet_evidence: WalletEvidence | None = None
    runs_as: Text | None = None


class PlaybooksStatus(Message, frozen=True, kw_only=True, gc=False):
    """Body of `PUT /api/v1/sentry/playbooks/status`: every playbook that the sentry has; one not named has none.

    `refused` says why the sentry does not take what its inbox brings now. It goes on with what it took before.
    """

    playbooks: Annotated[list[PlaybookStatus], Meta(max_length=64)]
    refused: Annotated[str, Meta(max_length=2000)] | None = None


class OutputLines(Message, frozen=True, kw_only=True, gc=False):
    """Lines that one run of a playbook printed, without colours; numbered from 0 in each `run`: none counts twice."""

    playbook_id: Name
    run: Name
    first_line: Count
    lines: Annotated[list[Line], Meta(max_length=5000)]


class OutputReport(Message, frozen=True, kw_only=True, gc=False):
    """Body of `POST /api/v1/sentry/output`."""

    output: Annotated[list[OutputLines], Meta(max_length=64)]
