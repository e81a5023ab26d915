"""The CPU/GPU sentry's settings: `CPU_GPU_SENTRY_…` in the environment."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta
from protocol.command_messages import CommandAction
from sentry_kit.settings import Days, Megabytes, Password, Port, Seconds, default_data_dir, read_settings

PREFIX = "CPU_GPU_SENTRY_"
DISTRIBUTION = "minewarden-cpu-gpu-sentry"
_ACTIONS = "|".join(CommandAction)
ONLY_IF_ALLOWED = {CommandAction.SHUTDOWN}  # only a person at the rig can switch it on again
Allowed = Annotated[
    str,
    Meta(
        pattern=rf"^\s*(none|({_ACTIONS})(\s*,\s*({_ACTIONS}))*)\s*$",
        description=f"“none”, or some of {', '.join(CommandAction)}, separated by commas",
    ),
]
Program = Annotated[str, Meta(min_length=1, max_length=1000, description="a program with its arguments, as in a shell")]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the CPU/GPU sentry. An interval that is `None` comes from the commander.

    A playbook's miner that does nothing for `miner_silent_s` is restarted, but not in its first `miner_grace_s`.
    `allow` lists the commands that a commander may give to this rig. `reboot_command` is run in place of systemd.
    """

    data_dir: Path = msgspec.field(default_factory=lambda: default_data_dir("cpu-gpu-sentry"))
    ui_host: str = "127.0.0.1"
    ui_port: Port = 8471
    ui_password: Password | None = None
    report_every_s: Seconds | None = None
    playbooks_every_s: Seconds | None = None
    spool_days: Days = 7
    spool_mb: Megabytes = 256
    miner_silent_s: Seconds = 600
    miner_grace_s: Seconds = 600
    allow: Allowed = ",".join(each for each in CommandAction if each not in ONLY_IF_ALLOWED)
    reboot_command: Program | None = None

    @property
    def allowed_commands(self) -> frozenset[str]:
        """Returns the actions that this rig lets a commander order."""
        return frozenset(each.strip() for each in self.allow.split(",")) & frozenset(CommandAction)


def settings_from(environ: Mapping[str, str]) -> Settings:
    return read_settings(Settings, PREFIX, environ)
