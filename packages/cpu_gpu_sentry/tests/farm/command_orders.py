"""Commands of a commander, and what a rig says about one that has begun, for the tests of commands."""

from protocol.command_messages import Command, CommandAction, CommandState, CommandStatus

ALL = frozenset(CommandAction)


def command(name: str, action: str = "diagnose", valid_s: float = 600.0) -> Command:
    return Command(id=name, action=action, valid_s=valid_s)


def status(action: str = "reboot", boot_id: str | None = "boot-1", name: str = "c") -> CommandStatus:
    return CommandStatus(id=name, action=action, state=CommandState.BEGUN, text="Begun.", boot_id=boot_id)
