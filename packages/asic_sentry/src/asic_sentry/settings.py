"""The ASIC sentry's settings: `ASIC_SENTRY_…` in the environment."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
from sentry_kit.settings import Days, Megabytes, Password, Port, Seconds, default_data_dir, read_settings

PREFIX = "ASIC_SENTRY_"
DISTRIBUTION = "minewarden-asic-sentry"
ASIC_USER = "root"  # the usual name of the user of an ASIC's own pages


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the ASIC sentry. An interval that is `None` comes from the commander."""

    data_dir: Path = msgspec.field(default_factory=lambda: default_data_dir("asic-sentry"))
    ui_host: str = "127.0.0.1"
    ui_port: Port = 8472
    ui_password: Password | None = None
    poll_every_s: Seconds | None = None
    spool_days: Days = 7
    spool_mb: Megabytes = 1024


def settings_from(environ: Mapping[str, str]) -> Settings:
    return read_settings(Settings, PREFIX, environ)
