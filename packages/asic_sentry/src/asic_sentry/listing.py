"""Formats the results of `list` and `scan` for people and programs."""

from collections.abc import Sequence

import msgspec
from protocol import units

from asic_sentry.asics.asic import Asic, AsicState, Override, refusal_text, state_of
from asic_sentry.failures import PollFailure
from asic_sentry.scan import ScannedAsic

STATES = {
    AsicState.ONLINE: "online",
    AsicState.WAITING: "waiting for its first answer",
    AsicState.NOT_ANSWERING: "does not answer",
    AsicState.INVALID_TOKEN: "invalid token",
    AsicState.NOT_POLLED: "not polled",
}


class AsicOut(msgspec.Struct, frozen=True, kw_only=True):
    """One item of `list --json`. `power_w` and `coin` are the override."""

    ip: str
    port: int
    state: AsicState
    error: str | None
    failure: PollFailure | None
    failing_since: str | None
    name: str | None
    make: str | None
    model: str | None
    firmware_version: str | None
    mac: str | None
    power_w: float | None
    coin: str | None
    news: str | None


class ScannedAsicOut(msgspec.Struct, frozen=True, kw_only=True):
    """One item of `scan --json`."""

    ip: str
    port: int
    make: str | None
    model: str | None
    firmware_version: str | None
    mac: str | None
    added: bool


def asic_out(asic: Asic, override: Override, *, running: bool) -> AsicOut:
    specs = asic.identity.specs
    return AsicOut(
        ip=asic.ip,
        port=asic.identity.port,
        state=state_of(asic, running=running),
        error=asic.refusal,
        failure=asic.failure,
        failing_since=asic.failing_since.isoformat() if asic.failing_since else None,
        name=asic.rig.name,
        make=specs.make,
        model=specs.model or asic.operator_model,
        firmware_version=specs.firmware_version,
        mac=asic.mac,
        power_w=override.power_w,
        coin=override.coin,
        news=asic.news,
    )


def asic_lines(asics: Sequence[Asic], *, running: bool) -> list[str]:
    rows = [
        (asic.ip, asic.model_name or units.UNKNOWN, asic.rig.name or units.UNKNOWN, _status_text(asic, running))
        for asic in asics
    ]
    notice = (
        [] if running or not asics else ["The sentry does not run, so nothing is polled. Start it: asic-sentry run"]
    )
    return columns(rows) + notice


def _status_text(asic: Asic, running: bool) -> str:
    text = STATES[state_of(asic, running=running)]
    if asic.refusal is not None:
        return f"{text}: {refusal_text(asic.refusal)}"
    return f"{text} ({asic.failure.kind}): {asic.failure.detail}" if asic.failure and running else text


def scanned_out(asic: ScannedAsic, added: bool) -> ScannedAsicOut:
    specs, identity = asic.identity.specs, asic.identity
    return ScannedAsicOut(
        ip=identity.ip,
        port=identity.port,
        make=specs.make,
        model=specs.model,
        firmware_version=specs.firmware_version,
        mac=asic.mac,
        added=added,
    )


def scan_lines(asics: Sequence[ScannedAsicOut]) -> list[str]:
    return columns(
        [
            (each.ip, " ".join(word for word in (each.make, each.model) if word), each.mac or units.UNKNOWN,
             "added" if each.added else "")
            for each in asics
        ]
    )  # fmt: skip


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows:
        return []
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def as_json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value)).decode()
