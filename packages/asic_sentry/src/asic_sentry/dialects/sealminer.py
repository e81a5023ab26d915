"""SealMiner (Bitdeer's bdminer): cgminer's API. `stats` has everything: "0 Temp 1", "2 Chip Count", "PSU Error"."""

from collections.abc import Iterator, Sequence

from protocol.asic_messages import AsicBoard, AsicSpecs
from sentry_kit.parsing import count, positive, scaled, temperature, text

from asic_sentry.dialects import cgminer
from asic_sentry.dialects.cgminer import pools_of, section
from asic_sentry.dialects.dialect import Dialect
from asic_sentry.dialects.parsing import (
    AsicReading,
    Row,
    checked,
    expected_chips,
    fan_speeds,
    first_rate,
    hottest,
    hottest_of,
    limited_boards,
    limited_faults,
    mac,
    rejected_percent,
    sample,
)
from asic_sentry.failures import bad_response
from asic_sentry.models import Model

MAKE = "SealMiner"
_WINDOWS = (("MHS(1m)", 60), ("MHS(30s)", 30), ("MHS(5m)", 300), ("MHS(15m)", 900))
_SLOTS, _SENSORS = range(16), range(8)


def parse_sealminer(replies: Sequence[bytes], model: Model | None) -> AsicReading:
    """Reads `stats`, `summary` and `pools`."""
    return sample(MAKE, lambda: _parse(replies, model))


def _stats(reply: bytes) -> Row:
    rows = section(reply, "STATS")
    stats = next((each for each in rows if any(key.startswith("MHS(") for key in each)), None)
    if stats is None:
        raise bad_response("`stats` has no hashrates of a SealMiner.")
    return stats


def _parse(replies: Sequence[bytes], model: Model | None) -> AsicReading:
    stats, summary = _stats(replies[0]), section(replies[1], "SUMMARY")[0]
    boards = limited_boards(_boards(stats, model))
    rate = first_rate(_WINDOWS, 1e6, stats)
    return AsicReading(
        uptime_s=count(stats.get("Elapsed")),
        hashrate_hs=rate.hashrate_hs,
        hashrate_window_s=rate.window_s,
        average_hashrate_hs=scaled(stats.get("MHS(15m)"), 1e6),
        expected_hashrate_hs=scaled(stats.get("MHS(Ideal)"), 1e6) or None,
        power_w=positive(stats.get("PSU Input Power")),
        temperature_c=hottest([hottest_of(boards), temperature(stats.get("Temp"))]),
        boards=boards,
        fans_rpm=fan_speeds(stats[f"{slot} Speed"] for slot in _SLOTS if f"{slot} Speed" in stats),
        pools=pools_of(replies[2]),
        rejected_percent=rejected_percent(summary.get("Accepted"), summary.get("Rejected")),
        faults=_faults(stats),
        algorithm="SHA-256",
    )


def _boards(stats: Row, model: Model | None) -> Iterator[AsicBoard]:
    """The first sensors of a board are at its inlet, the last ones at its outlet: all are shown, the hottest counts."""
    for slot in _SLOTS:
        if f"{slot} Chip Count" not in stats and f"{slot} Online" not in stats:
            continue
        chips, bad = count(stats.get(f"{slot} Chip Count")), count(stats.get(f"{slot} Bad Chip Count"))
        yield AsicBoard(
            slot=slot,
            hashrate_hs=scaled(stats.get(f"{slot} MHS(Sample)"), 1e6),
            outlet_temperature_c=hottest(temperature(stats.get(f"{slot} Temp {sensor}")) for sensor in _SENSORS),
            chips=chips if chips is None else max(0, chips - (bad or 0)),
            expected_chips=expected_chips(model, chips),
        )


def _faults(stats: Row) -> list[str]:
    """Returns the error codes, an error of the power supply, boards that are offline, and bad chips."""
    codes = text(stats.get("Error Code"))
    faults = limited_faults(f"error {code}" for code in (codes or "").replace(",", " ").split())
    supply = (text(stats.get("PSU Error")) or "").lower().removeprefix("0x").strip("0")
    faults += ["power"] if supply else []
    faults += ["board"] if any(stats.get(f"{slot} Online") is False for slot in _SLOTS) else []
    return faults + (["chips"] if count(stats.get("Bad Chip Count")) else [])


def parse_sealminer_specs(replies: Sequence[bytes | None]) -> AsicSpecs:
    """Reads `stats`."""
    return checked(MAKE, lambda: _specs(_stats(replies[0] or b"")))


def _specs(stats: Row) -> AsicSpecs:
    return AsicSpecs(
        make=MAKE,
        model=text(stats.get("Model")),
        firmware_version=text(stats.get("Firmware")),
        software_version=text(stats.get("Software Version")),
        mac=mac(stats.get("MAC")),
        serial_number=text(stats.get("Ctrl Board SN")),
    )


SEALMINER = Dialect(
    name="sealminer",
    makes=frozenset({MAKE}),
    port=cgminer.PORT,
    poll_questions=tuple(cgminer.command(name) for name in ("stats", "summary", "pools")),
    parse=parse_sealminer,
    specs_questions=(cgminer.command("stats"),),
    parse_specs=parse_sealminer_specs,
    probe=cgminer.PROBE,
    recognise=cgminer.recognise_as(MAKE, "bdminer"),
    probe_at_other_port=cgminer.PROBE_AT_OTHER_PORT,
    firmware="stock",
    recorded=True,
)
