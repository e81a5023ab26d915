"""Mining software for people's scripts."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import Body, FromPath
from litestar.types import ControllerRouterHandler
from protocol.playbook_messages import Archive

from commander.accounts.confirmations import Confirmations
from commander.accounts.domain import author_of
from commander.dependents import Use, UseAnswer, use_answers
from commander.software.actions import SoftwareActions, SoftwareWithUses
from commander.software.domain import CatalogueEntry, Download, Hardware, MiningSoftware
from commander.web.api_docs import BEARER, problems

Text = Annotated[str, msgspec.Meta(max_length=2_048)]


class DownloadBody(msgspec.Struct, frozen=True, kw_only=True):
    """The software for one platform. Without `sha256` a sentry keeps to the hash of what it downloaded first."""

    url: Text
    archive: Archive
    executable: Text
    script: Annotated[str, msgspec.Meta(max_length=65_536)]
    sha256: Text | None = None


class SoftwareBody(msgspec.Struct, frozen=True, kw_only=True):
    """`software` names the reader of its figures; `algorithms` is 2 where it can mine two coins at once."""

    name: Text
    software: Text
    version: Text
    hardware: Hardware = Hardware.GPU
    algorithms: Annotated[int, msgspec.Meta(ge=1, le=2)] = 1
    has_api: bool = True
    note: Text = ""
    linux: DownloadBody | None = None
    windows: DownloadBody | None = None


class SoftwareAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Mining software. Without a `url` no playbook can use it. `shipped`: it came with the commander."""

    id: int
    shipped: bool
    name: str
    software: str
    version: str
    hardware: Hardware
    algorithms: int
    has_api: bool
    note: str
    linux: DownloadBody | None
    windows: DownloadBody | None
    used_by: list[UseAnswer]


class SoftwareApi(Controller):
    """The catalogue of mining software."""

    path = "/api/v1/mining-software"
    tags = ("mining software",)
    security = BEARER

    @get(responses=problems(401))
    async def list_software(self, software_actions: NamedDependency[SoftwareActions]) -> list[SoftwareAnswer]:
        """All of it, by name, newest version first."""
        return [software_answer(each.entry, each.used_by) for each in await software_actions.all()]

    @post(responses=problems(400, 401, 409, 413, 415, 422))
    async def add_software(
        self, data: Annotated[SoftwareBody, Body()], software_actions: NamedDependency[SoftwareActions]
    ) -> SoftwareAnswer:
        """Add a program, or another version of one."""
        return software_answer(await software_actions.add(_about(data)), [])

    @put("/{software_id:int}", responses=problems(400, 401, 404, 409, 413, 415, 422))
    async def change_software(
        self,
        software_id: FromPath[int],
        data: Annotated[SoftwareBody, Body()],
        request: Request[Any, Any, Any],
        software_actions: NamedDependency[SoftwareActions],
        confirmations: NamedDependency[Confirmations],
    ) -> SoftwareAnswer:
        """Change an entry; playbooks that use it get a new revision, and their rigs install it again and restart."""
        author, used_by = author_of(request.user), (await software_actions.find(software_id)).used_by
        confirmations.check_for_rigs(request.user, {use.rig_id for use in used_by})
        changed: SoftwareWithUses = await software_actions.change(
            software_id, _about(data), author=author, confirmed=True
        )
        return software_answer(changed.entry, changed.used_by)

    @delete("/{software_id:int}", responses=problems(400, 401, 404, 409))
    async def remove_software(
        self, software_id: FromPath[int], software_actions: NamedDependency[SoftwareActions]
    ) -> None:
        """Remove an entry that no playbook uses; 409 `in_use` names those that do."""
        await software_actions.remove(software_id)


def software_answer(entry: CatalogueEntry, used_by: list[Use]) -> SoftwareAnswer:
    return SoftwareAnswer(
        id=entry.id,
        shipped=entry.shipped,
        used_by=use_answers(used_by),
        **{name: getattr(entry.about, name) for name in _PLAIN},
        linux=_body(entry.about.linux),
        windows=_body(entry.about.windows),
    )


_PLAIN = ("name", "software", "version", "hardware", "algorithms", "has_api", "note")


def _body(download: Download | None) -> DownloadBody | None:
    return None if download is None else msgspec.convert(download, DownloadBody, from_attributes=True)


def _about(data: SoftwareBody) -> MiningSoftware:
    return msgspec.convert(data, MiningSoftware, from_attributes=True)


HANDLERS: list[ControllerRouterHandler] = [SoftwareApi]
