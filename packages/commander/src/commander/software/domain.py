"""Mining software, and the errors about an entry."""

from dataclasses import dataclass
from enum import StrEnum

from protocol.messages import FieldError
from protocol.playbook_messages import Archive, Platform

from commander.problems import CommanderError, ErrorKind

NAME_MAX_LENGTH = 64
SCRIPT_MAX_LENGTH = 32_768


class Hardware(StrEnum):
    """The hardware that the software mines with."""

    CPU = "cpu"
    GPU = "gpu"
    BOTH = "cpu+gpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """The software for one platform. `script` is the template that a new playbook begins with.

    An empty `url` means that the address of the download is unknown; no playbook can use it until it is entered.
    """

    url: str = ""
    archive: Archive = Archive.TAR_GZ
    executable: str = ""
    script: str = ""
    sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MiningSoftware:
    """Mining software. `software` names the reader of its API; `algorithms` is how many coins it mines at once."""

    name: str
    software: str
    version: str
    hardware: Hardware = Hardware.GPU
    algorithms: int = 1
    has_api: bool = True
    note: str = ""
    linux: Download | None = None
    windows: Download | None = None

    def download(self, platform: Platform) -> Download | None:
        return self.windows if platform is Platform.WINDOWS else self.linux

    @property
    def title(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """Mining software in the catalogue; `shipped`: it came with the commander."""

    id: int
    shipped: bool
    about: MiningSoftware


class SoftwareError(CommanderError):
    """Root of what can be wrong with a request about mining software; its text is for people."""


class BadSoftware(SoftwareError):
    """Fields can't be taken; `fields` says which, and why."""

    kind = ErrorKind(422, "bad_software", "Not mining software")

    def __init__(self, fields: dict[str, str]) -> None:
        super().__init__("; ".join(fields.values()))
        self.fields = fields

    def field_errors(self) -> list[FieldError]:
        """The fields that the error is about."""
        return [FieldError(field=name, message=text) for name, text in self.fields.items()]


class SoftwareTaken(SoftwareError):
    """This version of it is in the catalogue already."""

    kind = ErrorKind(409, "version_taken", "Version taken", field="version")


class SoftwareNotFound(SoftwareError):
    """No such entry, or no longer."""

    kind = ErrorKind(404, "software_not_found", "No such mining software")
