"""The CPU/GPU sentry's settings: `CPU_GPU_SENTRY_…` in the environment."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
from sentry_kit.settings import Days, Megabytes, Password, Port, Seconds, default_data_dir, read_settings

PREFIX = "CPU_GPU_SENTRY_"
DISTRIBUTION = "minewarden-cpu-gpu-sentry"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the CPU/GPU sentry. An interval that is `None` comes from the commander.

    A playbook's miner that does nothing for `miner_silent_s` is restarted, but not in its first `miner_grace_s`.
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


def settings_from(environ: Mapping[str, str]) -> Settings:
    return read_settings(Settings, PREFIX, environ)
