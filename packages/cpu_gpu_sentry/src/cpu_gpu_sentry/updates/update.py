"""Carries out `update_sentry`: fetches and makes the new version, then leaves it to the launcher."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial

from protocol.command_messages import Command, CommandArguments
from sentry_kit.client import CommanderClient
from sentry_kit.worker import Worker

from cpu_gpu_sentry.commands.result import Result, done, waits
from cpu_gpu_sentry.updates.installation import BY_HAND, Installation, UpdateFailed

_BUILD_LIMIT_S = 300.0


@dataclass(frozen=True, slots=True)
class Updates:
    """Updates this sentry. `open_client` opens a client of the sentry's own commander."""

    installation: Installation
    open_client: Callable[[], AbstractAsyncContextManager[CommanderClient]]

    async def update(self, command: Command) -> Result:
        """Raises `SentryError` if it fails; the present version then runs on."""
        arguments, state = command.arguments or CommandArguments(), self.installation.state
        if not arguments.version or not arguments.wheels:
            raise UpdateFailed("The command names no version; update the commander.")
        if arguments.version == self.installation.version:
            return done(f"Version {arguments.version} runs already.")
        if (refusal := self.installation.why_refused) is not None or state is None:
            raise UpdateFailed(refusal or BY_HAND)
        if self.installation.is_busy:
            raise UpdateFailed("Another update is being tried; send the command again when it has ended.")
        # Only an update needs these: they cost memory.
        from cpu_gpu_sentry.updates.build import build
        from cpu_gpu_sentry.updates.fetch import Fetching

        async with self.open_client() as client:
            wheels = await Fetching(client, arguments.dependencies).fetch(arguments.wheels)
        await self._in_thread(partial(build, state, arguments.version, wheels))
        await self._in_thread(partial(self.installation.ask_for, command.id, arguments.version))
        return waits(f"Version {arguments.version} is installed, and is started now.")

    async def _in_thread(self, function: Callable[[], None]) -> None:
        """A thread of its own: the sentry can be ended meanwhile."""
        thread = Worker("update")
        try:
            await thread.call(function, timeout_s=_BUILD_LIMIT_S)
        finally:
            thread.end(within_s=0)
