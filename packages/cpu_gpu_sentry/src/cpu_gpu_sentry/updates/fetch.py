"""Fetches the wheels of a new version from the commander alone, and checks the hash of each.

The command may be signed, and the index of the store is not. So the command names every file that may be installed.
"""

import hashlib
from collections import deque
from collections.abc import Sequence

from packaging.requirements import Requirement
from protocol.command_messages import WheelHash
from sentry_kit.client import CommanderClient, NotFound

from cpu_gpu_sentry.updates.installation import UpdateFailed
from cpu_gpu_sentry.updates.wheels import (
    IndexedWheel,
    best,
    fits,
    name_of,
    needs,
    project_of,
    read_index,
    same_files,
)

_PAGE_LIMIT_BYTES = 4 * 1024 * 1024
_WHEEL_LIMIT_BYTES = 64 * 1024 * 1024
_MOST_WHEELS = 100


class Fetching:
    """The wheels of one version, each once: those that the command names, and everything that they need.

    `dependencies` are the files that may be taken for the needs. None: the command of an earlier version names none.
    """

    def __init__(self, client: CommanderClient, dependencies: Sequence[WheelHash] | None) -> None:
        self._client = client
        self._allowed = None if dependencies is None else {(each.file_name, each.sha256) for each in dependencies}
        self._files: dict[str, str] = {}  # by project
        self._wheels: dict[str, bytes] = {}

    async def fetch(self, named: Sequence[WheelHash]) -> list[bytes]:
        """Raises `UpdateFailed` or `CommanderError`."""
        for each in named:
            await self._take_named(each)
        waiting = deque(need for wheel in list(self._wheels.values()) for need in needs(wheel))
        seen: set[str] = set()
        while waiting:
            requirement = waiting.popleft()
            if str(requirement) in seen:
                continue
            seen.add(str(requirement))
            waiting += needs(await self._wheel_for(requirement), requirement.extras)
        return list(self._wheels.values())

    async def _take_named(self, named: WheelHash) -> None:
        """Fetches one of the command's own files. The command's hash counts, and the index must have the same."""
        project = project_of(named.file_name)
        indexed = same_files(await self._index(project), named.file_name)
        if indexed is None:
            raise UpdateFailed(f"The commander's store no longer has {named.file_name}; send the command again.")
        if indexed.sha256 != named.sha256:
            raise UpdateFailed(f"The commander's {named.file_name} is not the file that the command names.")
        await self._download(project, indexed)

    async def _wheel_for(self, requirement: Requirement) -> bytes:
        project = name_of(requirement)
        if project not in self._wheels:
            await self._download(project, best(self._only_allowed(await self._index(project)), requirement))
        elif not fits(self._files[project], requirement):
            raise UpdateFailed(f"The packages of this version need different versions of {project}.")
        return self._wheels[project]

    def _only_allowed(self, wheels: list[IndexedWheel]) -> list[IndexedWheel]:
        if self._allowed is None:
            return wheels
        return [each for each in wheels if (each.file_name, each.sha256) in self._allowed]

    async def _index(self, project: str) -> list[IndexedWheel]:
        path = f"packages/{project}/"
        try:
            page = await self._client.file(path, _PAGE_LIMIT_BYTES)
        except NotFound:
            raise UpdateFailed(
                f"The commander's store has no {project}; run commander fetch-packages on the commander."
            ) from None
        return read_index(page, self._client.address_of(path))

    async def _download(self, project: str, wheel: IndexedWheel) -> None:
        if len(self._wheels) >= _MOST_WHEELS:
            raise UpdateFailed(f"The version needs more than {_MOST_WHEELS} packages. Nothing was installed.")
        content = await self._client.file(wheel.url, _WHEEL_LIMIT_BYTES)
        if hashlib.sha256(content).hexdigest() != wheel.sha256:
            raise UpdateFailed(f"{wheel.file_name} does not have the hash that the commander names.")
        self._files[project], self._wheels[project] = wheel.file_name, content
