"""Decides when a playbook is started again. Pure: moments are seconds of one clock."""

from collections.abc import Sequence
from dataclasses import dataclass

from protocol.messages import PROXIES, MinerReading, MinerState, MinerTrouble

_HOUR_S = 3600
_FIRST_WAIT_S = 2.0
_LONGEST_WAIT_S = 300.0
_NO_JOB_S = 60.0
FAILED_AFTER = 3  # ends in a row, each soon after the start: reported as failed, and still tried


@dataclass(frozen=True, slots=True)
class Patience:
    """The time that a miner may do nothing, the time after its start that does not count, and the restarts per hour."""

    silent_s: float = 600
    grace_s: float = 600
    restarts_an_hour: int = 3

    @property
    def no_job_s(self) -> float:
        """The time that a pool may be away before that is reported."""
        return min(_NO_JOB_S, self.silent_s)


_NOT_MENDED = {
    MinerTrouble.NO_JOB: "its pool gives it no work",
    MinerTrouble.ACCESS_DENIED: "its API wants a token",
    MinerTrouble.UNREADABLE: "its API's answers can't be read",
}


def restart_mends(reading: MinerReading) -> bool:
    """Returns whether a restart could help: not if the miner answers, or if its pool is away."""
    return reading.trouble not in _NOT_MENDED


def fault_of(reading: MinerReading) -> str | None:
    """Returns the fault as the end of a sentence.

    An unreported hashrate is unknown and no fault. A proxy without miners hashes nothing, which is no fault either.
    """
    if reading.trouble in _NOT_MENDED:
        return _NOT_MENDED[reading.trouble]
    if reading.state is MinerState.API_SILENT:
        return "its API does not answer"
    rates = [] if reading.software in PROXIES else [each.hashrate_hs for each in reading.algorithms]
    reported = [rate for rate in rates if rate is not None]
    return "it hashes at 0 H/s" if reported and not any(reported) else None


def is_overdue(now_s: float, started_s: float, good_s: float | None, patience: Patience) -> bool:
    """Returns whether it has done nothing for too long; `good_s` is the last time at which it mined."""
    since_s = started_s if good_s is None else max(good_s, started_s)
    return now_s - since_s >= patience.silent_s and now_s - started_s >= patience.grace_s


def may_restart(now_s: float, restarts_s: Sequence[float], patience: Patience) -> bool:
    return sum(1 for each in restarts_s if now_s - each < _HOUR_S) < patience.restarts_an_hour


def wait_s(failures: int) -> float:
    """Returns the pause after so many failures in a row: 2 s doubling to 5 min."""
    return min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0 ** min(failures - 1, 10))


def ended_text(code: int | None) -> str:
    """Returns how a run ended, for the middle of a sentence. A negative code is a signal; None means unknown."""
    if code is None:
        return "ended while the sentry did not run"
    if code < 0:
        return f"was killed by signal {-code}"
    meanings = {126: " (the executable can't be run)", 127: " (the executable was not found)"}
    return f"ended with exit code {code}{meanings.get(code, '')}"
