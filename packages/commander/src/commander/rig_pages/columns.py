"""The columns of the index pages that people can choose; name, health and hashrate are always there."""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from protocol import units

from commander.live.rig_state import RigState
from commander.registry.kinds import RigKind
from commander.web import format as shown

NONE = "none"  # in an address: no column but those that are always there


class ColumnKey(StrEnum):
    TEMPERATURE = "temp"
    BOARDS = "boards"
    FAN = "fan"
    POWER = "power"
    REJECTED = "rejected"
    UPTIME = "uptime"
    SEEN = "seen"
    SHARE = "share"
    GPUS = "gpus"
    EFFICIENCY = "efficiency"
    MEMORY = "memory"
    MODEL = "model"
    POOL = "pool"
    WORKER = "worker"
    IP = "ip"
    SENTRY = "sentry"


LABELS = {
    ColumnKey.TEMPERATURE: "Temp.",
    ColumnKey.BOARDS: "Boards",
    ColumnKey.FAN: "Fan",
    ColumnKey.POWER: "Power",
    ColumnKey.REJECTED: "Rejected",
    ColumnKey.UPTIME: "Uptime",
    ColumnKey.SEEN: "Last seen",
    ColumnKey.SHARE: "Last share",
    ColumnKey.GPUS: "GPUs",
    ColumnKey.EFFICIENCY: "Efficiency",
    ColumnKey.MEMORY: "Memory temp.",
    ColumnKey.MODEL: "Model",
    ColumnKey.POOL: "Pool",
    ColumnKey.WORKER: "Worker, wallet",
    ColumnKey.IP: "IP address",
    ColumnKey.SENTRY: "Sentry",
}
_SHARED = (ColumnKey.FAN, ColumnKey.POWER, ColumnKey.REJECTED, ColumnKey.UPTIME, ColumnKey.SEEN)
USUAL = {
    RigKind.CPU_GPU: (ColumnKey.TEMPERATURE, *_SHARED),
    RigKind.ASIC: (ColumnKey.TEMPERATURE, ColumnKey.BOARDS, *_SHARED),
}
EXTRA = {
    RigKind.CPU_GPU: (
        *(ColumnKey.SHARE, ColumnKey.GPUS, ColumnKey.EFFICIENCY, ColumnKey.MEMORY, ColumnKey.MODEL),
        *(ColumnKey.POOL, ColumnKey.WORKER, ColumnKey.IP, ColumnKey.SENTRY),
    ),
    RigKind.ASIC: (ColumnKey.SHARE, ColumnKey.POOL, ColumnKey.WORKER, ColumnKey.IP),
}
Columns = tuple[ColumnKey, ...]
# Columns that a page without chosen columns has too, if its window is wide enough: see selections.css.
WIDE: Mapping[RigKind, Columns] = {
    RigKind.CPU_GPU: (ColumnKey.SHARE, ColumnKey.GPUS, ColumnKey.EFFICIENCY, ColumnKey.POOL, ColumnKey.IP),
    RigKind.ASIC: (ColumnKey.SHARE, ColumnKey.POOL, ColumnKey.IP),
}


class ExtraCell(NamedTuple):
    """A cell of a column that is not usual; `style` is its class. A `moment` is shown instead of `text`."""

    style: str
    label: str
    text: str
    moment: datetime | None = None


class ColumnChoice(NamedTuple):
    """A box of the form that chooses columns."""

    key: str
    label: str
    checked: bool


def columns_in(text: str, kind: RigKind) -> Columns | None:
    """Returns the columns that an address names, in the order of the page; None: the usual ones, and those of wide
    windows.

    Raises `ValueError` for a column that this kind of rig does not have.
    """
    if not text:
        return None
    names = {ColumnKey(name) for name in text.split(",") if name != NONE}
    available = (*USUAL[kind], *EXTRA[kind])
    if not names <= set(available):
        raise ValueError(f"no columns {text}")
    chosen = tuple(key for key in available if key in names)
    return None if chosen == _default(kind) else chosen


def _default(kind: RigKind) -> Columns:
    return (*USUAL[kind], *extra_columns(None, kind))


def columns_text(columns: Columns | None) -> str:
    """Returns the columns as an address names them; empty if none were chosen."""
    return "" if columns is None else ",".join(columns) or NONE


def column_choices(columns: Columns | None, kind: RigKind) -> list[ColumnChoice]:
    chosen = _default(kind) if columns is None else columns
    return [ColumnChoice(key, LABELS[key], key in chosen) for key in (*USUAL[kind], *EXTRA[kind])]


def column_classes(columns: Columns | None, kind: RigKind) -> str:
    """Returns the classes of the table: which usual columns are not there, and which others are."""
    if columns is None:
        return "wide"
    missing = [f"no-{key}" for key in USUAL[kind] if key not in columns]
    return " ".join([*missing, *(f"with-{key}" for key in extra_columns(columns, kind))])


def extra_columns(columns: Columns | None, kind: RigKind) -> Columns:
    return tuple(key for key in EXTRA[kind] if key in (WIDE[kind] if columns is None else columns))


def extra_cells(state: RigState, extra: Columns) -> list[ExtraCell]:
    return [_extra_cell(state, key) for key in extra]


def _extra_cell(state: RigState, key: ColumnKey) -> ExtraCell:
    if key is ColumnKey.SHARE:
        return ExtraCell(key, LABELS[key], units.UNKNOWN, state.share_at)
    return ExtraCell(key, LABELS[key], EXTRA_TEXTS[key](state) or units.UNKNOWN)


def _cards(state: RigState) -> str:
    return ", ".join(state.hardware.gpus) or ", ".join(state.hardware.models[:1])


def _gpus(state: RigState) -> str:
    """Returns "4", or "3 of 4" if the newest log has fewer cards than the specs."""
    reported, expected = state.summary.gpus, state.hardware.gpu_count
    if reported is None:
        return ""
    return f"{reported} of {expected}" if reported < expected else str(reported)


def _efficiency(state: RigState) -> str:
    """Returns the hashes for each watt and second of a rig that mines one coin: those of two do not add up."""
    hashrates, power_w = list(state.summary.hashrates_hs.values()), state.summary.power_w
    if len(hashrates) != 1 or hashrates[0] is None or not power_w:
        return ""
    return units.with_prefix(hashrates[0] / power_w, "H/W")


EXTRA_TEXTS: Mapping[ColumnKey, Callable[[RigState], str]] = {
    ColumnKey.GPUS: _gpus,
    ColumnKey.EFFICIENCY: _efficiency,
    ColumnKey.MEMORY: lambda state: shown.temperature(state.summary.memory_temperature_c).text,
    ColumnKey.MODEL: _cards,
    ColumnKey.POOL: lambda state: ", ".join(state.summary.mining.pools),
    ColumnKey.WORKER: lambda state: ", ".join(units.shortened(each) for each in state.summary.mining.workers),
    ColumnKey.IP: lambda state: state.summary.mining.ip or "",
    ColumnKey.SENTRY: lambda state: ", ".join(state.hardware.sentries),
}
