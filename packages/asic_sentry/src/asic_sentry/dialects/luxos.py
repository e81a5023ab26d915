"""LuxOS on Antminers: cgminer's API. `stats` and `pools` are an Antminer's; the other commands are its own.

`events` has what is wrong now: an event is there until its cause is gone. `temps` has four sensors of each board;
`METADATA` says which of them are at the intake and which at the exhaust.
"""

from collections.abc import Sequence

import msgspec
from protocol.asic_messages import AsicBoard, AsicSpecs
from sentry_kit.parsing import count, positive, temperature, text

from asic_sentry.dialects import cgminer
from asic_sentry.dialects.antminer import MAKE, parse_antminer, parse_antminer_specs
from asic_sentry.dialects.cgminer import answer_of, optional_section
from asic_sentry.dialects.dialect import Dialect
from asic_sentry.dialects.parsing import AsicReading, Row, checked, hottest, hottest_of, limited_faults, mac
from asic_sentry.models import Model

FIRMWARE = "LuxOS"
_HARMLESS = {
    *("SLEEP", "IDLE", "REBOOT_USER", "SHUTDOWN_USER", "REBOOT_SYSINIT"),
    *("MINER_TUNING", "MINER_TUNED", "HASH_ON_DISCONNECT"),
}
_CORNERS = ("TopLeft", "TopRight", "BottomLeft", "BottomRight")


def parse_luxos(replies: Sequence[bytes], model: Model | None) -> AsicReading:
    """Reads `stats`, `pools`, and what the version knows of `power`, `temps` and `events`; `summary` if values were
    missing."""
    reading = parse_antminer([*replies[:2], *replies[5:]], model)
    return checked(FIRMWARE, lambda: _with_own(reading, *replies[2:5]))


def _with_own(reading: AsicReading, power: bytes, temps: bytes, events: bytes) -> AsicReading:
    watts = positive((optional_section(power, "POWER") or [{}])[0].get("Watts"))
    boards = _with_sensors(reading.boards, temps)
    return msgspec.structs.replace(
        reading,
        power_w=reading.power_w if watts is None else watts,
        boards=boards,
        temperature_c=hottest([reading.temperature_c, hottest_of(boards)]),
        faults=[*reading.faults, *_faults(optional_section(events, "EVENTS"))],
    )


def _faults(events: Sequence[Row]) -> list[str]:
    """Returns events such as "fan failure" and "board 2 asic init failure", without those that the owner has caused."""
    found = []
    for event in events:
        code, board = text(event.get("Code")), count(event.get("ID"))
        if code is None or code in _HARMLESS:
            continue
        words = code.lower().replace("_", " ")
        is_of_board = text(event.get("Target")) == "BOARD" and board is not None
        found.append(f"board {board} {words.removeprefix('board ')}" if is_of_board else words)
    return limited_faults(found)


def _with_sensors(boards: Sequence[AsicBoard], temps: bytes) -> list[AsicBoard]:
    """Adds the sensors to the boards. LuxOS counts boards from 0, and their chains in `stats` from 1."""
    rows = {count(each.get("ID")): each for each in optional_section(temps, "TEMPS")}
    if not rows:
        return list(boards)
    metadata = answer_of(temps).get("METADATA")
    places = metadata[0] if isinstance(metadata, list) and metadata and isinstance(metadata[0], dict) else {}
    return [
        msgspec.structs.replace(
            board,
            inlet_temperature_c=_hottest_at("intake", rows.get(board.slot - 1, {}), places),
            outlet_temperature_c=_hottest_at("exhaust", rows.get(board.slot - 1, {}), places)
            or board.outlet_temperature_c,
        )
        for board in boards
    ]


def _hottest_at(side: str, row: Row, places: Row) -> float | None:
    corners = [corner for corner in _CORNERS if side in _label(places.get(corner))]
    return hottest(temperature(row.get(corner)) for corner in corners)


def _label(place: object) -> str:
    return (text(place.get("Label")) or "").lower() if isinstance(place, dict) else ""


def parse_luxos_specs(replies: Sequence[bytes | None]) -> AsicSpecs:
    """Reads `version`, and MAC, serial number, host name and profile in `config`."""
    about = parse_antminer_specs(replies[:1])
    return checked(FIRMWARE, lambda: _specs(about, (optional_section(replies[1] or b"", "CONFIG") or [{}])[0]))


def _specs(about: AsicSpecs, config: Row) -> AsicSpecs:
    profile = text(config.get("Profile"))
    program = about.software_version or FIRMWARE
    return msgspec.structs.replace(
        about,
        firmware_version=FIRMWARE,
        software_version=text(f"{program}, profile {profile}" if profile else program),
        mac=mac(config.get("MACAddr")),
        serial_number=text(config.get("SerialNumber")),
        hostname=text(config.get("Hostname")),
    )


LUXOS = Dialect(
    name="luxos",
    makes=frozenset({MAKE}),
    port=cgminer.PORT,
    poll_questions=(
        *(cgminer.command(name) for name in ("stats", "pools")),
        *(cgminer.command(name, optional=True) for name in ("power", "temps", "events")),
    ),
    parse=parse_luxos,
    specs_questions=(cgminer.command("version"), cgminer.command("config", optional=True)),
    parse_specs=parse_luxos_specs,
    probe=cgminer.PROBE,
    recognise=cgminer.recognise_as(FIRMWARE, "LUXminer"),
    probe_at_other_port=cgminer.PROBE_AT_OTHER_PORT,
    gap_question=cgminer.command("summary"),
    firmware=FIRMWARE,
    recorded=True,
)
