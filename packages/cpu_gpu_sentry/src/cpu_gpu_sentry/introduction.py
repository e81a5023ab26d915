"""Tells the commander on which machine this sentry is, and enrolls by itself where a farm token says so."""

import asyncio
import contextlib
import logging
import sqlite3
from typing import Protocol

from sentry_kit.client import CommanderClient, IsCopy, NotFound, Refused, TooLarge
from sentry_kit.errors import SentryError
from sentry_kit.masking import mask
from sentry_kit.rig_uploader import DiskTrouble, RigUploader
from sentry_kit.store import Enrolment, load_enrolment

from cpu_gpu_sentry.enrolment import save
from cpu_gpu_sentry.farm_enrolment import Change, ReadMachine, enrol_copy, enrol_with
from cpu_gpu_sentry.identity import FarmToken, become_copy, load_farm_token, own_key

log = logging.getLogger(__name__)

_AGAIN_S = 30.0


class IntroducedRig(Protocol):
    """The agent, as far as an introduction needs it."""

    uploader: RigUploader
    user_agent: str
    sentry_key: str | None

    @property
    def change(self) -> Change: ...

    async def reload(self) -> None: ...


class Introduction:
    """The introduction of one agent. `read_machine` returns the machine as it is now."""

    def __init__(self, rig: IntroducedRig, read_machine: ReadMachine) -> None:
        self._rig, self._read_machine = rig, read_machine
        self._changed = asyncio.Event()
        self._is_copy = False  # noticed, and not enrolled as a rig of its own yet

    async def introduce(self, client: CommanderClient) -> bool:
        """Returns whether the client's rig is this machine. If it is another one, the sentry enrolls as a copy."""
        enrolment = self._rig.uploader.enrolment
        try:
            key, machine = await self._rig.change(own_key), await asyncio.to_thread(self._read_machine)
        except DiskTrouble as error:
            if self._is_copy:
                raise
            log.warning("identity_unknown %s", error)  # the logs must not wait for the disk
            return True
        self._rig.sentry_key = key.of_token
        client.use_key(key.of_token)
        if key.former_key is None:
            try:
                await client.send_identity(key.on(machine))
            except NotFound:  # a commander of an earlier version
                return True
            except (Refused, TooLarge) as error:
                log.warning("identity_refused %s", mask(str(error)))  # the logs must not wait for it
                return True
            except IsCopy as error:
                log.warning("copy_noticed %s", error)
                self._note_copy()
                key = await self._rig.change(become_copy)
            else:
                return True
        self._note_copy()
        if enrolment is not None:
            await self._become(await enrol_copy(client, key, enrolment, self._rig.user_agent, machine))
        return False

    def _note_copy(self) -> None:
        """The commands and playbooks of the original must no longer reach this machine."""
        self._is_copy = True
        self._rig.uploader.forget_introduction()

    async def _become(self, enrolment: Enrolment) -> None:
        log.warning("enrolled_as_copy rig=%s", enrolment.rig_id)
        await self._rig.change(lambda db: save(db, enrolment))
        self._is_copy = False
        await self._rig.reload()

    def enrolment_changed(self) -> None:
        """The enrolment, or the farm token, may be another one now."""
        self._changed.set()

    async def enrol_for_ever(self) -> None:
        """Enrols whenever there is a farm token and no commander, as in an image that was prepared for many rigs."""
        while True:
            self._changed.clear()
            pause_s = await self._try_once()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._changed.wait()

    async def _try_once(self) -> float | None:
        """Returns after which time to try again; None if there is nothing to do until something changes.

        After the rig was removed there is nothing to do: a person then decides.
        """
        if self._rig.uploader.enrolment is not None:
            return None
        try:
            farm = await self._rig.change(load_farm_token)
        except SentryError as error:
            log.warning("farm_token_unreadable %s", error)
            return _AGAIN_S
        return None if farm is None else await self._try(farm)

    async def _try(self, farm: FarmToken) -> float | None:
        """Returns after which time to try again; None after success."""
        try:
            machine = await asyncio.to_thread(self._read_machine)
            enrolment = await enrol_with(farm, self._rig.user_agent, self._rig.change, machine)
            await self._rig.change(lambda db: _save_if_free(db, enrolment, farm))
        except SentryError as error:
            log.warning("not_enrolled %s", mask(str(error)))
            await self._rig.uploader.note_trouble(str(error))
            return _AGAIN_S
        await self._rig.uploader.note_trouble(None)
        await self._rig.reload()
        return None


def _save_if_free(db: sqlite3.Connection, enrolment: Enrolment, farm: FarmToken) -> None:
    """Stores the enrolment, unless a person has enrolled the sentry meanwhile."""
    if load_enrolment(db) is None:
        save(db, enrolment, farm)
