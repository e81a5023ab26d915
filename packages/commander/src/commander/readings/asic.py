"""Reads an ASIC's log, and the faults of the machine in it."""

from collections.abc import Iterator

from protocol.asic_messages import AsicBoard, AsicLog, AsicSpecs
from protocol.messages import UNKNOWN_ALGORITHM
from protocol.tokens import Token

from commander.readings.cpu_gpu import highest, total
from commander.readings.faults import Fault
from commander.readings.summary import RigSummary, Work
from commander.readings.traits import mining_of_asic

REPORTED = {
    "temperature": "Too hot",
    "fan": "Fan fault",
    "power": "Power supply fault",
    "network": "Network fault",
    "chips": "Chips fail",
    "board": "Board fault",
    "hardware": "Hardware fault",
    "rate": "Hashrate fault",
    "shutdown": "Shut down",
}


def summary_of(log: AsicLog) -> RigSummary:
    """The log in a few figures. It is worked out for every log that comes in."""
    work = Work(log.coin, log.algorithm or UNKNOWN_ALGORITHM)
    has_work = (log.hashrate_hs, log.algorithm, log.coin) != (None, None, None)
    return RigSummary(
        hashrates_hs={work: log.hashrate_hs} if has_work else {},
        power_w=log.power_w,
        temperature_c=log.temperature_c,
        fan_rpm=highest(log.fans_rpm),
        accepted=total([pool.accepted for pool in log.pools]),
        rejected=total([pool.rejected for pool in log.pools]),
        uptime_s=log.uptime_s,
        told_rejected_percent=log.rejected_percent,
        faults=tuple(faults_of(log)),
        boards=len(log.boards) or None,
        fans=sum(rpm is not None for rpm in log.fans_rpm) or None,
        mining=mining_of_asic(log),
    )


def faults_of(log: AsicLog) -> Iterator[Fault]:
    """Returns the faults that the ASIC reports itself, and those that its figures show."""
    if log.hashrate_hs == 0:
        yield Fault("no_hashrate", "Not mining")
    for name in log.faults:
        yield Fault("asic_fault", REPORTED.get(name, name[:1].upper() + name[1:]))
    for board in log.boards:
        if fault := board_fault(board, log):
            yield Fault("device_lost", f"Board {board.slot} has {fault}")
    for number, rpm in enumerate(log.fans_rpm, start=1):
        if is_still(rpm, log):
            yield Fault("fan", f"Fan {number} has stopped")


def board_fault(board: AsicBoard, log: AsicLog) -> str:
    """Returns a board's fault in a few words; empty if none is known."""
    if lacks_chips(board):
        return f"{board.chips} of {board.expected_chips} chips"
    if board.chips == 0:
        return "no chips"
    return "no hashrate" if board.hashrate_hs == 0 and log.hashrate_hs else ""


def lacks_chips(board: AsicBoard) -> bool:
    return board.chips is not None and board.expected_chips is not None and board.chips < board.expected_chips


def is_still(rpm: float | None, log: AsicLog) -> bool:
    """Returns whether a fan stands still while others turn. If all stand still, the machine is cooled without them."""
    return rpm == 0 and any(log.fans_rpm)


def energy_j(log: AsicLog) -> float | None:
    """Joules for a hash; None where either is unknown, or nothing is hashed."""
    return log.power_w / log.hashrate_hs if log.power_w is not None and log.hashrate_hs else None


def nominal_energy_j(specs: AsicSpecs) -> float | None:
    """Joules for a hash of the ASIC's model by its maker; None if the sentry's table does not have it."""
    hashrate_hs, power_w = specs.nominal_hashrate_hs, specs.nominal_power_w
    return power_w / hashrate_hs if power_w is not None and hashrate_hs else None


def connect_command(commander_url: str) -> str:
    """Returns the command to type once beside the ASIC sentry, on Linux or Windows."""
    return f"asic-sentry connect --url {commander_url}"


def add_command(token: Token | None = None) -> str:
    """Returns the command to type for one ASIC; the operator fills in its address. Without a token it asks for it."""
    return "asic-sentry add --ip ASIC_IP" + (f" --token {token}" if token else "")


def site_command(commander_url: str, token: Token | None = None) -> str:
    """Returns the command that gives the ASIC sentry a site token. Without a token it asks for it."""
    return f"{connect_command(commander_url)} --site-token {token or '-'}"
