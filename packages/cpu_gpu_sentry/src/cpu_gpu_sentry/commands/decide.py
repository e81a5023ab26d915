"""Decisions about commands: begin or refuse, and the result of one that a restart has cut off. Pure."""

from collections.abc import Collection

from msgspec.structs import replace
from protocol.command_messages import Command, CommandAction, CommandState, CommandStatus
from sentry_kit.masking import mask

from cpu_gpu_sentry.updates.installation import UpdateProgress

ALLOW = "CPU_GPU_SENTRY_ALLOW"
POWER = frozenset({CommandAction.REBOOT, CommandAction.SHUTDOWN})
REBOOT_WITHIN_S = 600.0


def first_status(
    command: Command,
    allowed: Collection[str],
    refusal: str | None,
    *,
    now_s: float,
    deadline_s: float,
    boot_id: str | None,
) -> CommandStatus:
    """Returns the first state of a new command. `refusal` says why this rig can't do it at all."""

    def status(state: CommandState, text: str) -> CommandStatus:
        return CommandStatus(id=command.id, action=command.action, state=state, text=text[:512], boot_id=boot_id)

    if command.action not in set(CommandAction):
        text = f"This sentry is too old: it does not know the command {command.action}. Update it."
        return status(CommandState.REFUSED, text)
    if command.action not in allowed:
        return status(CommandState.REFUSED, f"The setting {ALLOW} of this rig does not allow {command.action}.")
    if refusal is not None:
        return status(CommandState.REFUSED, refusal)
    if now_s >= deadline_s:
        return status(CommandState.EXPIRED, "The command came too late and was not begun.")
    return status(CommandState.BEGUN, "Begun.")


def after_restart(
    status: CommandStatus, boot_id: str | None, begun_for_s: float, update: UpdateProgress | None = None
) -> CommandStatus | None:
    """Returns the result of a command that had begun before this start of the sentry; None: it may still come.

    `update` is the progress of an update, which ends the sentry that began it.
    """
    if update is not None and update.outcome is not None:
        state = CommandState.DONE if update.outcome.is_done else CommandState.FAILED
        return replace(status, state=state, text=mask(update.outcome.text)[:512])
    if update is not None and update.goes_on:
        return None
    if status.action not in POWER:
        text = "The sentry was ended while it carried this out. It is not begun again."
        return replace(status, state=CommandState.FAILED, text=text)
    if _is_another_boot(status.boot_id, boot_id, begun_for_s):
        text = "The rig has rebooted." if status.action == CommandAction.REBOOT else "The rig was off, and is on again."
        return replace(status, state=CommandState.DONE, text=text)
    if begun_for_s >= REBOOT_WITHIN_S:
        minutes = REBOOT_WITHIN_S / 60
        return replace(status, state=CommandState.FAILED, text=f"The rig still runs {minutes:.0f} min later.")
    return None


def _is_another_boot(before: str | None, now: str | None, begun_for_s: float) -> bool:
    """Without ids, a boot that is younger than the command is another one."""
    return begun_for_s < 0 if before is None or now is None else before != now
