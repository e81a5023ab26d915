"""Settings from the environment. A sentry's settings are one msgspec struct: a field is a setting.

`CPU_GPU_SENTRY_UI_PORT` is the field `ui_port` of the struct that is read with the prefix `CPU_GPU_SENTRY_`.
The description of a field says what was expected; it is part of the sentence that a wrong value ends with.
"""

import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeVar, get_args, get_type_hints

import msgspec
import platformdirs
from msgspec import Meta
from protocol.reasons import reason

from sentry_kit.errors import BadSetting, StorageError
from sentry_kit.read_only import is_read_only

Port = Annotated[int, Meta(ge=1, le=65535, description="a port from 1 to 65535")]
Seconds = Annotated[float, Meta(ge=1, le=3600, description="a number of seconds from 1 to 3600")]
Days = Annotated[float, Meta(gt=0, le=30, description="a number of days, at most 30")]
Megabytes = Annotated[float, Meta(gt=0, le=100_000, description="a number of megabytes, at most 100000")]
Password = Annotated[str, Meta(min_length=12, description="a password of at least 12 characters")]

_FOR_OTHERS = stat.S_IWGRP | stat.S_IWOTH

S = TypeVar("S", bound=msgspec.Struct)


def read_settings(kind: type[S], prefix: str, environ: Mapping[str, str]) -> S:
    """Returns the settings in `environ`. Raises `BadSetting` for an unknown name or an unreadable value."""
    fields = get_type_hints(kind, include_extras=True)
    values: dict[str, object] = {}
    for name, text in environ.items():
        if not name.startswith(prefix):
            continue
        field = name.removeprefix(prefix).lower()
        if field not in fields:
            field_name = ", ".join(prefix + field_name.upper() for field_name in fields)
            raise BadSetting(f"{name} is not a setting; there are {field_name}.")
        values[field] = _value(name, text.strip(), fields[field])
    return msgspec.convert(values, kind)


def _value(name: str, text: str, field: object) -> object:
    try:
        if not text:
            raise ValueError(name)
        return Path(text) if field is Path else msgspec.convert(text, field, strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        is_secret = name.endswith("_PASSWORD")  # it must not appear in a log
        what = "is not one that can be used" if is_secret else f"is “{text}”"
        raise BadSetting(f"{name} {what}; expected {expected(field)}.") from error


def expected(field: object) -> str:
    for part in (field, *get_args(field)):
        for note in getattr(part, "__metadata__", ()):
            if isinstance(note, Meta) and note.description:
                return note.description
    return "a text"


def default_data_dir(program: str) -> Path:
    """Returns the platform's data folder of this user."""
    return Path(platformdirs.user_data_dir(f"minewarden-{program}", appauthor=False))


def prepare_data_dir(path: Path) -> Path:
    """Makes `path` a directory that only its owner can read."""
    try:
        if not path.is_dir():
            path.mkdir(mode=0o700, parents=True)
            path.chmod(0o700)
        needed = os.R_OK | os.X_OK | (0 if is_read_only(path) else os.W_OK)
        if not os.access(path, needed):
            raise PermissionError(path)
    except OSError as error:
        raise StorageError(
            f"The data directory {path} can't be used ({reason(error)}); "
            "choose another with the setting that ends in _DATA_DIR, or correct its permissions."
        ) from error
    if sys.platform != "win32" and (mode := stat.S_IMODE(path.stat().st_mode)) & _FOR_OTHERS:
        raise StorageError(
            f"Other users may change the data directory {path} (mode {mode:o}), and with it what runs here; "
            f"run chmod 700 {path}."
        )
    return path
