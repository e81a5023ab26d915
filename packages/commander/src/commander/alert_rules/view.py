"""The data of one rig for its rules: its state, its newest log, and values of earlier logs."""

from collections import deque
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property

import msgspec
from protocol.asic_messages import AsicLog
from protocol.messages import CpuGpuLog, GpuReading

from commander.live.rig_state import RigState
from commander.readings.cpu_gpu import merged_devices
from commander.registry.kinds import RigKind

WINDOW_S = 1_800.0  # over which rejected shares are counted
SAMPLE_EVERY_S = 60.0
LAG_IS_LATE_S = 300.0
AS_USUAL = 0.8
LAG_JITTER_S = 30.0
LAG_IS_STEADY_S = 300.0

_cpu_gpu = msgspec.json.Decoder(CpuGpuLog)
_asic = msgspec.json.Decoder(AsicLog)
Sample = tuple[float, int, int]  # monotonic seconds, accepted, refused


class RigMemory:
    """Values of earlier logs of a rig. They are lost at a restart; conditions are not, since they are rows.

    `accepted_s` is when the counter of accepted shares last grew, `since_s` since when it is followed. `samples` are
    counters of the last 30 min. `lag_since_s` is since when its logs have been late by the same time.
    """

    __slots__ = (
        *("accepted", "accepted_s", "first_accepted", "known_s"),
        *("lag_s", "lag_since_s", "samples", "since_s"),
    )

    def __init__(self) -> None:
        self.known_s: float | None = None
        self.accepted: int | None = None
        self.first_accepted = 0
        self.since_s = 0.0
        self.accepted_s = 0.0
        self.samples: deque[Sample] | None = None
        self.lag_s = 0.0
        self.lag_since_s = 0.0

    def note_shares(self, accepted: int | None, now_s: float) -> None:
        """Notes the counter of accepted shares. One that has become smaller was started again."""
        if accepted is None:
            return
        if self.accepted is None or accepted < self.accepted:
            self.first_accepted, self.since_s, self.accepted_s = accepted, now_s, now_s
        elif accepted > self.accepted:
            self.accepted_s = now_s
        self.accepted = accepted

    def mean_gap_s(self) -> float | None:
        """Returns the mean time between accepted shares; None before there were three."""
        shares = (self.accepted or 0) - self.first_accepted
        return (self.accepted_s - self.since_s) / shares if shares >= 3 else None

    def is_sample_due(self, now_s: float, *, spread: int) -> bool:
        """Returns whether the counters are to be read. `spread` differs by rig: so not all rigs are due at once."""
        if not self.samples:
            return True
        wait_s = SAMPLE_EVERY_S if len(self.samples) > 1 else SAMPLE_EVERY_S + spread % 12 * 5.0
        return now_s - self.samples[-1][0] >= wait_s

    def note_counters(self, accepted: int, refused: int, now_s: float, *, started_s: float | None) -> None:
        """Notes both counters. `started_s` is when they began at 0, if that is known to be within the window."""
        samples = self.samples = deque() if self.samples is None else self.samples
        if samples and (accepted < samples[-1][1] or refused < samples[-1][2]):
            samples.clear()
            samples.append((now_s, 0, 0))
        elif not samples and started_s is not None:
            samples.append((started_s, 0, 0))
        samples.append((now_s, accepted, refused))
        while len(samples) > 2 and samples[1][0] <= now_s - WINDOW_S:
            samples.popleft()

    def refused_in_window(self) -> tuple[int, int] | None:
        """Returns how many shares were accepted and refused in the last 30 min, as far as they are known."""
        if not self.samples or len(self.samples) < 2:
            return None
        (_, accepted, refused), (_, accepted_now, refused_now) = self.samples[0], self.samples[-1]
        return accepted_now - accepted, refused_now - refused

    @property
    def is_flagged(self) -> bool:
        """Returns whether its logs are 5 min late or more: because of a spool or of a slow clock."""
        return self.lag_s >= LAG_IS_LATE_S

    def note_lag(self, lag_s: float, now_s: float) -> None:
        if abs(lag_s - self.lag_s) > LAG_JITTER_S:
            self.lag_s, self.lag_since_s = lag_s, now_s

    def is_clock_slow(self, now_s: float) -> bool:
        """Returns whether logs have been late by the same time for 5 min: then the clock is slow."""
        return self.lag_s >= LAG_IS_LATE_S and now_s - self.lag_since_s >= LAG_IS_STEADY_S


class Usual(msgspec.Struct, frozen=True):
    """The usual values of a rig: its hashrate for each algorithm in H/s, and its power in W.

    They were learnt at `learnt_at`. Before enough is known they are empty, and `learning_until` says until when.
    `boards` are the slots of an ASIC's boards, `fans` is how many fans it has; since `fewer_since` it has fewer.
    """

    hashrates_hs: Mapping[str, float] = {}
    power_w: float | None = None
    learnt_at: datetime | None = None
    learning_until: datetime | None = None
    boards: tuple[int, ...] | None = None
    fans: int | None = None
    fewer_since: datetime | None = None


NO_USUAL = Usual()


class JudgedRig:
    """One rig at the moment of an evaluation.

    `silence_s` is the time since its last report, and `listening_s` the time since when the commander could get one.
    """

    def __init__(
        self,
        kind: RigKind,
        state: RigState,
        memory: RigMemory,
        *,
        silence_s: float,
        listening_s: float,
        now: datetime,
        now_s: float,
        usual: Usual = NO_USUAL,
        gave_up: str = "",
        is_full: bool = False,
    ) -> None:
        self.kind = kind
        self.state = state
        self.memory = memory
        self.silence_s = silence_s
        self.listening_s = listening_s
        self.now = now
        self.now_s = now_s
        self.usual = usual
        self.gave_up = gave_up  # why its watchdog gave up
        self.is_full = is_full  # judgements of good devices are wanted, too

    @property
    def key(self) -> tuple[str, int]:
        return str(self.kind), self.state.id

    def remember(self) -> None:
        """Notes the shares of the newest log, and how late it came."""
        state = self.state
        if state.reported_at and state.taken_at:
            self.memory.note_lag((state.reported_at - state.taken_at).total_seconds(), self.now_s)
            self.memory.note_shares(state.summary.accepted, self.now_s)

    @property
    def is_late(self) -> bool:
        """Returns whether the sentry sends its spool now, so that the logs are old. A slow clock is no spool."""
        return self.memory.lag_s >= LAG_IS_LATE_S and not self.memory.is_clock_slow(self.now_s)

    @cached_property
    def cpu_gpu_log(self) -> CpuGpuLog:
        return _cpu_gpu.decode(self.state.latest or b"{}")

    @cached_property
    def asic_log(self) -> AsicLog:
        return _asic.decode(self.state.latest or b"{}")

    @cached_property
    def gpus(self) -> list[GpuReading]:
        """The cards with what the driver or the mining software reports of them."""
        return merged_devices(self.cpu_gpu_log)

    @cached_property
    def is_mining(self) -> bool:
        """Returns whether it reports a hashrate above 0, and no fault “not mining”."""
        hashrates = self.state.summary.hashrates_hs.values()
        return any(value for value in hashrates) and not any(fault.rule == "no_hashrate" for fault in self.state.faults)

    @property
    def mines_as_usual(self) -> bool:
        """Returns whether it mines with 80 % of its usual hashrates at least, as far as they are known."""
        usual_hs = self.usual.hashrates_hs
        return self.is_mining and all(
            hashrate_hs >= AS_USUAL * usual_hs.get(work.named.algorithm, 0.0)
            for work, hashrate_hs in self.state.summary.hashrates_hs.items()
            if hashrate_hs is not None
        )
