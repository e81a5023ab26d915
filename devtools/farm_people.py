"""The people's side of a simulated farm: adds its rigs with an API key, and removes them."""

import asyncio
from typing import NamedTuple

import msgspec
from farm_wire import Answer, Commander, WireError

RIGS = "/api/v1/cpu-gpu-rigs"
ASICS = "/api/v1/asic-rigs"
TRIES = 20
BETWEEN_TRIES_S = 0.5


class CannotSimulate(Exception):
    """The farm can't be set up; the text says what to do."""


class KnownRig(msgspec.Struct, frozen=True):
    id: int
    name: str


class Enrolled(NamedTuple):
    number: int
    rig_id: int
    token: str


class Created(msgspec.Struct, frozen=True):
    id: int
    token: str


class People:
    """The commander's API for scripts; `path` is that of the kind of rig."""

    def __init__(self, commander: Commander, api_key: str, *, path: str = RIGS) -> None:
        self._commander = commander
        self._path = path
        self._headers = {"Authorization": f"Bearer {api_key}"}

    async def rigs(self) -> dict[str, int]:
        answer = await self._ask("GET", self._path, None)
        return {rig.name: rig.id for rig in msgspec.json.decode(answer.body, type=list[KnownRig])}

    async def enrol(self, number: int, name: str, known: dict[str, int]) -> Enrolled:
        """A new rig, or a new token for the one that has the name already."""
        if (rig_id := known.get(name)) is not None:
            answer = await self._ask("POST", f"{self._path}/{rig_id}/token", None)
        else:
            answer = await self._ask("POST", self._path, msgspec.json.encode({"name": name}))
        created = msgspec.json.decode(answer.body, type=Created)
        return Enrolled(number, created.id, created.token)

    async def remove(self, rig_id: int) -> None:
        await self._ask("DELETE", f"{self._path}/{rig_id}", None)

    async def _ask(self, method: str, path: str, body: bytes | None) -> Answer:
        """Tries again for a while: the farm may be started together with its commander."""
        request = self._commander.request(method, path, self._headers, body or (b"" if method == "POST" else None))
        for tried in range(TRIES):
            try:
                answer = await self._commander.send(request)
            except WireError as error:
                if tried == TRIES - 1:
                    raise CannotSimulate(f"The commander does not answer ({error}); check --commander.") from error
            else:
                if answer.status < 400:
                    return answer
                if answer.status not in (429, 503):
                    raise CannotSimulate(_refusal(answer))
            await asyncio.sleep(BETWEEN_TRIES_S)
        raise CannotSimulate("The commander is too busy to add rigs; try again.")


def _refusal(answer: Answer) -> str:
    if answer.status == 401:
        return "The API key is not valid; make one with `commander api-key create NAME --role own`."
    return f"The commander refused ({answer.status}): {answer.body[:300].decode(errors='replace')}"


async def enrol_all(people: People, prefix: str, rigs: int) -> list[Enrolled]:
    known = await people.rigs()
    numbers = range(1, rigs + 1)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(people.enrol(number, f"{prefix}{number:03d}", known)) for number in numbers]
    return [task.result() for task in tasks]


async def remove_all(people: People, enrolled: list[Enrolled]) -> None:
    async with asyncio.TaskGroup() as group:
        for each in enrolled:
            group.create_task(people.remove(each.rig_id))
