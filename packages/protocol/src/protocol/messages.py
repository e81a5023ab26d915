"""The messages between sentries and commander: plain structs that only grow.

Units stand in the names (`_c`, `_w`, `_hs` hashes per second, `_s`, `_bytes`, `_mhz`, `_rpm`). `None` means unknown. An
unknown field is ignored and an unknown state reads as `unknown`, so that a newer sentry works with an older commander
and the other way round. Lengths and ranges are bounded (`figures`): one log can't fill a database.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.figures import within

Text = Annotated[str, Meta(max_length=256)]
Name = Annotated[str, Meta(max_length=64)]
Reason = Annotated[str, Meta(max_length=512)]
Moment = Annotated[datetime, Meta(tz=True)]
Amount = Annotated[float, Meta(ge=0, le=1e24)]

Temperature = Annotated[float, within("temperature_c")]
FanPercent = Annotated[float, within("fan_percent")]
FanRpm = Annotated[float, within("fan_rpm")]
Share = Annotated[float, within("load_percent")]
Power = Annotated[float, within("power_w")]
Clock = Annotated[float, within("core_clock_mhz")]
Hashrate = Annotated[float, within("hashrate_hs")]
Seconds = Annotated[int, within("uptime_s")]
Size = Annotated[int, within("memory_bytes")]
Parts = Annotated[int, within("chips")]
Port = Annotated[int, within("api_port")]
Count = Annotated[int, within("count")]
Shares = Annotated[int, within("accepted")]


PROXIES = frozenset({"xmrig-proxy"})  # passes on other miners' work: no total counts its hashrate
UNKNOWN_ALGORITHM = "unknown"  # where the mining software names none; never guessed from its pool or coin


class Message(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Root of everything that travels. No message can hold itself, so the garbage collector need not look at any."""


class MinerState(StrEnum):
    """The state of a mining software."""

    STARTING = "starting"
    MINING = "mining"
    STALLED = "stalled"
    STOPPED = "stopped"
    FAILED = "failed"
    API_SILENT = "api_silent"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> "MinerState":
        return cls.UNKNOWN


class MinerTrouble(StrEnum):
    """The reason why a mining software gives no values, besides its state."""

    REFUSED = "refused"  # nothing listens on its port
    NO_ANSWER = "no_answer"  # no answer in time, or none at all
    ACCESS_DENIED = "access_denied"  # its API wants a token, or another one
    UNREADABLE = "unreadable"  # it answers, and the answer can't be read
    NO_JOB = "no_job"  # it runs, and its pool gives it no work
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> "MinerTrouble":
        return cls.UNKNOWN


class CpuReading(Message, frozen=True, kw_only=True, gc=False):
    temperature_c: Temperature | None = None
    power_w: Power | None = None
    load_percent: Share | None = None


class GpuReading(Message, frozen=True, kw_only=True, gc=False):
    """One card at one moment, named by its place: `domain:bus:device.function`, lower-case hex.

    `is_lost`: the sentry saw it earlier, and now it is gone from the bus, while other cards of its driver answer.
    """

    pci_address: Name
    is_lost: bool | None = None
    temperature_c: Temperature | None = None
    memory_temperature_c: Temperature | None = None
    fan_percent: FanPercent | None = None
    fan_rpm: FanRpm | None = None
    power_w: Power | None = None
    core_clock_mhz: Clock | None = None
    memory_clock_mhz: Clock | None = None


class AlgorithmReading(Message, frozen=True, kw_only=True, gc=False):
    """The work of a mining software for one algorithm; `user` is the wallet or account that it mines for."""

    algorithm: Name
    coin: Name | None = None
    hashrate_hs: Hashrate | None = None
    accepted: Shares | None = None
    rejected: Shares | None = None
    stale: Shares | None = None
    invalid: Shares | None = None
    pool: Text | None = None
    user: Text | None = None


class MinerDevice(Message, frozen=True, kw_only=True, gc=False):
    """One device of a mining software: `cpu`, a PCI address, or `gpu<N>` where the software gives no address.

    `hashrates_hs` stand in the order of the miner's `algorithms`.
    """

    device: Name
    hashrates_hs: Annotated[list[Hashrate | None], Meta(max_length=8)] = []
    accepted: Shares | None = None
    rejected: Shares | None = None
    temperature_c: Temperature | None = None
    memory_temperature_c: Temperature | None = None
    fan_percent: FanPercent | None = None
    power_w: Power | None = None
    core_clock_mhz: Clock | None = None
    memory_clock_mhz: Clock | None = None


class MinerReading(Message, frozen=True, kw_only=True, gc=False):
    """One running mining software. `playbook_id` is None if the operator runs it without a playbook.

    `trouble` and `reason`, a sentence for people, say why it gives no values. `api_port` is the port of its API, which
    distinguishes two miners of one software. A proxy (`PROXIES`) passes on the work of other miners: its hashrate is
    theirs.
    """

    software: Name
    state: MinerState
    playbook_id: Name | None = None
    version: Name | None = None
    api_port: Port | None = None
    trouble: MinerTrouble | None = None
    reason: Reason | None = None
    uptime_s: Seconds | None = None
    algorithms: Annotated[list[AlgorithmReading], Meta(max_length=8)] = []
    devices: Annotated[list[MinerDevice], Meta(max_length=512)] = []


class CpuGpuLog(Message, frozen=True, kw_only=True, gc=False):
    """Everything that a CPU/GPU sentry measured at one moment. Identified by its rig and `taken_at`.

    `disk_problem` says what is wrong with the sentry's disk; None: nothing is known to be wrong.
    """

    taken_at: Moment
    uptime_s: Seconds | None = None
    lan_ip: Name | None = None
    cpu: CpuReading | None = None
    memory_used_bytes: Size | None = None
    disk_problem: Text | None = None
    gpus: Annotated[list[GpuReading], Meta(max_length=256)] = []
    miners: Annotated[list[MinerReading], Meta(max_length=64)] = []


class CpuSpecs(Message, frozen=True, kw_only=True, gc=False):
    name: Text | None = None
    cores: Parts | None = None
    threads: Parts | None = None


class MotherboardSpecs(Message, frozen=True, kw_only=True, gc=False):
    vendor: Text | None = None
    name: Text | None = None
    bios_version: Text | None = None


class GpuSpecs(Message, frozen=True, kw_only=True, gc=False):
    pci_address: Name
    vendor: Text | None = None
    name: Text | None = None
    uuid: Text | None = None
    memory_bytes: Size | None = None
    driver_version: Text | None = None
    vbios_version: Text | None = None


class CpuGpuSpecs(Message, frozen=True, kw_only=True, gc=False):
    """The hardware of a CPU/GPU rig."""

    hostname: Text | None = None
    os: Text | None = None
    cpu: CpuSpecs | None = None
    memory_bytes: Size | None = None
    motherboard: MotherboardSpecs | None = None
    gpus: Annotated[list[GpuSpecs], Meta(max_length=256)] = []
    sentry_version: Name | None = None


class LogReport(Message, frozen=True, kw_only=True, gc=False):
    """Body of `POST /api/v1/sentry/logs`. Each log stays undecoded, so that a bad one is rejected by itself."""

    logs: list[msgspec.Raw]


class RejectedLog(Message, frozen=True, kw_only=True, gc=False):
    index: int
    reason: str


class RigName(Message, frozen=True, kw_only=True, gc=False):
    id: int
    name: str


class LogReceipt(Message, frozen=True, kw_only=True, gc=False):
    """Answer to a `LogReport`: how many logs are committed, how many were there before, which are rejected and why.

    `two_sentries`: another sentry reports with the same token; both get this. `rig` has the rig's current name, so a
    new name reaches its sentry with the next report. `waits_for_approval`: the rig gets no playbooks and no commands.
    """

    stored: int
    duplicates: int
    rejected: list[RejectedLog] = []
    two_sentries: bool = False
    waits_for_approval: bool = False
    rig: RigName | None = None


class SentryWelcome(Message, frozen=True, kw_only=True, gc=False):
    """Answer to `GET /api/v1/sentry`: whose token this is, and how often to report.

    `signing_key` is the public key (Ed25519, 32 bytes in hexadecimal) by which the commander signs the items of the
    rig's inbox. The sentry keeps to the first that it gets, until it is enrolled again.
    """

    kind: str
    report_every_s: float
    playbooks_every_s: float
    commander_version: str
    rig: RigName | None = None
    signing_key: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")] | None = None


class FieldError(Message, frozen=True, kw_only=True, gc=False):
    field: str
    message: str


class Problem(Message, frozen=True, kw_only=True, gc=False):
    """An error answer (RFC 9457). `code` is for programs, `detail` for people."""

    title: str
    status: int
    detail: str
    code: str
    type: str = "about:blank"
    errors: list[FieldError] = []
