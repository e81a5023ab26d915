"""The actions of commands: one function for each action of the closed set."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from protocol.command_messages import Command, CommandAction, CommandArguments, CommandState
from protocol.units import counted

from cpu_gpu_sentry.commands import findings, mining
from cpu_gpu_sentry.commands.diagnose import Rig, diagnose
from cpu_gpu_sentry.commands.fetch_log import fetch_log
from cpu_gpu_sentry.commands.result import Result, waits
from cpu_gpu_sentry.ladder.ladder import Ladder
from cpu_gpu_sentry.ladder.sources import Sources
from cpu_gpu_sentry.machine.power import Power, PowerAct
from cpu_gpu_sentry.playbooks.supervisor import Supervisor
from cpu_gpu_sentry.recent_log import RecentLog
from cpu_gpu_sentry.updates.update import Updates


@dataclass(frozen=True, slots=True)
class Actions:
    """Everything that a command may touch."""

    supervisor: Supervisor
    ladder: Ladder
    power: Power
    sources: Sources
    recent_log: RecentLog
    rig: Callable[[], Rig]
    clock_ahead_s: Callable[[], Awaitable[float | None]]
    updates: Updates

    async def carry_out(self, command: Command) -> Result:
        """Raises `SentryError` with a sentence if it fails."""
        match CommandAction(command.action):
            case CommandAction.RESTART_PLAYBOOK:
                return await mining.restart_playbook(self.supervisor, self.ladder, command)
            case CommandAction.START_MINING:
                return await mining.start_mining(self.supervisor, self.ladder)
            case CommandAction.STOP_MINING:
                return await mining.stop_mining(self.supervisor, self.ladder)
            case CommandAction.REBOOT:
                await self.power.carry_out(PowerAct.REBOOT)
                return waits("The rig was asked to reboot.")
            case CommandAction.SHUTDOWN:
                await self.power.carry_out(PowerAct.SHUTDOWN)
                return waits("The rig was asked to shut down.")
            case CommandAction.DIAGNOSE:
                return await self._diagnose()
            case CommandAction.FETCH_LOG:
                return await self._fetch_log(command.arguments or CommandArguments())
            case CommandAction.UPDATE_SENTRY:
                return await self.updates.update(command)

    async def _diagnose(self) -> Result:
        answers = await diagnose(self.rig(), self.sources, self.clock_ahead_s)
        return Result(CommandState.DONE, findings.summary(answers), findings=answers[:200])

    async def _fetch_log(self, arguments: CommandArguments) -> Result:
        logs = await fetch_log(arguments, list(self.recent_log.lines), self.sources, self.supervisor)
        lines = sum(len(each.lines) for each in logs)
        return Result(CommandState.DONE, f"Fetched {counted(lines, 'line')} of {counted(len(logs), 'log')}.", logs=logs)
