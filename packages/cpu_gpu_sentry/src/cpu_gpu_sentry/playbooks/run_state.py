"""The state of one playbook's run, and what follows from its miner's readings."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec
from protocol.messages import PROXIES, UNKNOWN_ALGORITHM, AlgorithmReading, MinerReading, MinerState, MinerTrouble
from protocol.playbook_messages import Playbook, PlaybookState, PlaybookStatus, WalletEvidence

from cpu_gpu_sentry.miners.parsing import without_trouble
from cpu_gpu_sentry.miners.registry import SOFTWARE
from cpu_gpu_sentry.playbooks.api_tokens import api_token
from cpu_gpu_sentry.playbooks.decide import Running
from cpu_gpu_sentry.playbooks.packages import package_fingerprint
from cpu_gpu_sentry.playbooks.pool_lines import with_pool_trouble
from cpu_gpu_sentry.playbooks.runs import RunNote
from cpu_gpu_sentry.playbooks.scripts import fingerprint, script_body
from cpu_gpu_sentry.playbooks.watchdog import fault_of, restart_mends
from cpu_gpu_sentry.playbooks.work_coins import with_coins
from cpu_gpu_sentry.watches import Watch

LAST_LINES = 20
_SETTLED_S = 5.0  # without an API: as long as a process has to live to be taken for mining
_UNTOLD_S = 120.0  # with one that never tells a hashrate
_STATES = {
    PlaybookState.STARTING: MinerState.STARTING,
    PlaybookState.RESTARTING: MinerState.STARTING,
    PlaybookState.MINING: MinerState.MINING,
    PlaybookState.FAILED: MinerState.FAILED,
    PlaybookState.PAUSED: MinerState.STOPPED,
}


@dataclass(slots=True, eq=False)
class RunState:
    """One playbook's run, from the download to the mining. Times that end in `_s` are those of the loop's clock."""

    playbook: Playbook
    port: int
    state: PlaybookState = PlaybookState.WAITING
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    percent: float | None = None
    reason: str | None = None
    last_lines: list[str] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)  # by the run that goes on
    restarts: int = 0
    pinned_sha256: str | None = None
    note: RunNote | None = None
    started_s: float = 0.0
    good_s: float | None = None
    restarts_s: list[float] = field(default_factory=list)
    reading: MinerReading | None = None
    fault: str | None = None
    excused_s: float | None = None  # the last time at which a restart could not have helped
    shows_trouble: bool = False
    wallet_evidence: WalletEvidence | None = None
    failures: int = 0  # ends in a row, each soon after the start
    restart_reason: str | None = None  # a sentence: another run is wanted
    hold_reason: str | None = None  # the reason why this rig itself lets it stand still
    secret: bytes = field(default=b"", repr=False)

    @property
    def running(self) -> Running | None:
        """Returns the current work, to be compared with what is wanted next; None if there is none."""
        if self.playbook.paused:
            return None
        body = script_body(self.playbook, self.port)
        return Running(package_fingerprint(self.playbook.package), fingerprint(body), self.port, self.wants_root)

    @property
    def wants_root(self) -> bool | None:
        """Returns what the run's playbook wanted at its start; None if an earlier version started it."""
        return self.note.root if self.note else self.playbook.root

    @property
    def watch(self) -> Watch | None:
        """Returns where the miner's metrics are read; None if it does not run or has no API."""
        software = self.playbook.package.software
        if self.note is None or not self.playbook.has_api or software not in SOFTWARE:
            return None
        return Watch(software, self.port, access_token=self.api_token)

    @property
    def api_token(self) -> str | None:
        """The token that the miner's API wants."""
        return api_token(self.playbook, self.secret)

    def show(self, state: PlaybookState, reason: str | None = None, percent: float | None = None) -> None:
        """`since` is when it came into this state."""
        if state is not self.state:
            self.since = datetime.now(UTC)
        self.state, self.reason, self.percent = state, reason, percent

    def began(self, note: RunNote, now_s: float, *, age_s: float = 0.0) -> None:
        """A run is there: started now, or found, `age_s` old."""
        self.note, self.port, self.restarts = note, note.port, note.restarts
        self.started_s, self.good_s, self.reading, self.fault = now_s - age_s, None, None, None
        self.excused_s, self.shows_trouble, self.printed = None, False, []
        self.wallet_evidence = None
        self.show(PlaybookState.STARTING, self.reason)

    def is_known_to_mine(self, now_s: float) -> bool:
        """Returns whether it mines. Without an API, a process that lives counts as a miner that mines."""
        age_s = now_s - self.started_s
        if self.watch is None:
            return age_s >= _SETTLED_S
        if self.reading is None or self.reading.state is MinerState.API_SILENT:
            return False
        rates = [each.hashrate_hs for each in self.reading.algorithms]
        if self.reading.software in PROXIES:
            return self.reading.trouble is None
        return any(rates) or (age_s >= _UNTOLD_S and all(rate is None for rate in rates))

    def take(self, reading: MinerReading, now_s: float) -> None:
        self.reading = with_pool_trouble(reading, self.printed)
        self.fault = fault_of(self.reading)
        if self.fault is None and self.is_known_to_mine(now_s):
            self.good_s = now_s
        elif self.is_beyond_restart:
            self.excused_s = now_s

    @property
    def is_beyond_restart(self) -> bool:
        """Returns whether there is a fault that a restart does not repair."""
        return self.reading is not None and not restart_mends(self.reading)

    def may_report(self, now_s: float, no_job_s: float) -> bool:
        """Returns whether to report its trouble now: a pool may be away for a while."""
        is_no_job = self.reading is not None and self.reading.trouble is MinerTrouble.NO_JOB
        return not is_no_job or now_s - max(self.started_s, self.good_s or self.started_s) >= no_job_s

    @property
    def patient_from_s(self) -> float | None:
        """The time from which its silence counts."""
        return max((each for each in (self.good_s, self.excused_s) if each is not None), default=None)

    def state_in_trouble(self, now_s: float) -> PlaybookState:
        """Returns the state while there is a fault that a restart does not repair.

        A miner that runs but can't be read counts as mining; without work from the pool nothing mines.
        """
        is_unknown = self.reading is not None and self.reading.trouble is not MinerTrouble.NO_JOB
        is_taken_for_mining = is_unknown and now_s - self.started_s >= _UNTOLD_S
        return PlaybookState.MINING if is_taken_for_mining else PlaybookState.STARTING

    def miner(self) -> MinerReading | None:
        """The element of the log; None as long as nothing of it was ever started."""
        state = _STATES.get(self.state)
        if self.note is None or self.reading is None:
            name = self.playbook.package.software
            return MinerReading(software=name, state=state, playbook_id=self.playbook.id) if state else None
        reading = self.reading
        if reading.state is MinerState.API_SILENT and self.state is PlaybookState.STARTING:
            reading = msgspec.structs.replace(reading, state=MinerState.STARTING)
            if restart_mends(reading):  # its API has not started yet, which is normal
                reading = without_trouble(reading)
        if reading.trouble is MinerTrouble.NO_JOB and not self.shows_trouble:
            reading = without_trouble(reading)
        software = SOFTWARE.get(reading.software)
        may_leave_out = software is not None and software.leaves_out_idle
        algorithms = with_coins(reading.algorithms, self.playbook.works, may_leave_out=may_leave_out)
        return msgspec.structs.replace(reading, playbook_id=self.playbook.id, algorithms=algorithms)

    def status(self) -> PlaybookStatus:
        return PlaybookStatus(
            playbook_id=self.playbook.id,
            revision=self.playbook.revision,
            state=self.state,
            since=self.since,
            percent=None if self.percent is None else round(self.percent, 1),
            reason=self.reason[:2000] if self.reason else None,
            last_lines=self.last_lines[-LAST_LINES:],
            restarts=self.restarts,
            api_port=self.port if self.note else None,
            pinned_sha256=self.pinned_sha256,
            wallet_evidence=self.wallet_evidence if self.note else None,
            runs_as=self.note.runs_as if self.note else None,
        )


def not_known_yet(playbook: Playbook) -> MinerReading:
    """Returns the playbook's miner before the sentry knows whether it runs.

    Its values are unknown, not missing: otherwise the rig's hashrate would dip.
    """
    works = [AlgorithmReading(algorithm=work.algorithm or UNKNOWN_ALGORITHM, coin=work.coin) for work in playbook.works]
    name = playbook.package.software
    return MinerReading(software=name, state=MinerState.UNKNOWN, playbook_id=playbook.id, algorithms=works)
