"""The messages about ASICs: readings of one moment, and specs. The rules of `messages` hold here too."""

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.figures import within
from protocol.messages import (
    Count,
    FanRpm,
    Hashrate,
    Message,
    Moment,
    Name,
    Parts,
    RejectedLog,
    RigName,
    Seconds,
    Share,
    Shares,
    Temperature,
    Text,
)

AsicPower = Annotated[float, within("asic_power_w")]


class PoolState(StrEnum):
    """The state of an ASIC's connection to a pool."""

    CONNECTED = "connected"
    STANDBY = "standby"
    DISCONNECTED = "disconnected"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> "PoolState":
        return cls.UNKNOWN


class PowerSource(StrEnum):
    """The source of an ASIC's power: the ASIC itself, or the operator."""

    REPORTED = "reported"
    ENTERED = "entered"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> "PowerSource":
        return cls.UNKNOWN


class AsicBoard(Message, frozen=True, kw_only=True, gc=False):
    """One hash board; `slot` as the ASIC counts, from 0 or from 1. `expected_chips` is what its model has."""

    slot: Count
    hashrate_hs: Hashrate | None = None
    inlet_temperature_c: Temperature | None = None
    outlet_temperature_c: Temperature | None = None
    chip_temperature_c: Temperature | None = None
    chips: Parts | None = None
    expected_chips: Parts | None = None


class AsicPool(Message, frozen=True, kw_only=True, gc=False):
    """A pool as the ASIC has it set; `url` is its text, in any form."""

    url: Text | None = None
    user: Text | None = None
    state: PoolState | None = None
    accepted: Shares | None = None
    rejected: Shares | None = None
    stale: Shares | None = None


class AsicLog(Message, frozen=True, kw_only=True, gc=False):
    """All readings of an ASIC at one moment. Identified by its rig and `taken_at`.

    `hashrate_hs` is the mean of the last `hashrate_window_s`, `average_hashrate_hs` that of a longer time.
    `temperature_c` is the highest of its boards: a mean would hide the one that is too hot.
    """

    taken_at: Moment
    uptime_s: Seconds | None = None
    lan_ip: Name | None = None
    algorithm: Name | None = None
    coin: Name | None = None
    hashrate_hs: Hashrate | None = None
    hashrate_window_s: Seconds | None = None
    average_hashrate_hs: Hashrate | None = None
    expected_hashrate_hs: Hashrate | None = None
    power_w: AsicPower | None = None
    power_source: PowerSource | None = None
    temperature_c: Temperature | None = None
    boards: Annotated[list[AsicBoard], Meta(max_length=64)] = msgspec.field(default_factory=list)
    fans_rpm: Annotated[list[FanRpm | None], Meta(max_length=64)] = msgspec.field(default_factory=list)
    pools: Annotated[list[AsicPool], Meta(max_length=16)] = msgspec.field(default_factory=list)
    rejected_percent: Share | None = None
    faults: Annotated[list[Name], Meta(max_length=64)] = msgspec.field(default_factory=list)


class AsicSpecs(Message, frozen=True, kw_only=True, gc=False):
    """The hardware and firmware of an ASIC. The nominal values are the maker's, from the sentry's table of models."""

    make: Text | None = None
    model: Text | None = None
    model_variant: Text | None = None
    firmware_version: Text | None = None
    software_version: Text | None = None
    mac: Text | None = None
    serial_number: Text | None = None
    hostname: Text | None = None
    nominal_hashrate_hs: Hashrate | None = None
    nominal_power_w: Annotated[float, within("nominal_power_w")] | None = None


class AsicReportItem(Message, frozen=True, kw_only=True, gc=False):
    """The report of one ASIC. Each log stays undecoded, so that a bad one is rejected by itself; so do the specs."""

    token: Text
    specs: msgspec.Raw = msgspec.Raw(b"null")
    logs: list[msgspec.Raw] = msgspec.field(default_factory=list)


class AsicReport(Message, frozen=True, kw_only=True, gc=False):
    """Body of `POST /api/v1/sentry/asic-logs`: many ASICs in one request."""

    items: list[AsicReportItem]


class AsicItemReceipt(Message, frozen=True, kw_only=True, gc=False):
    """The result for one item. With an `error` nothing of it is stored.

    It is `invalid_token`, `rig_removed`, or `over_budget` if far more came than one ASIC sends: the sentry sends
    it later. If all items of a report are over their budgets, the answer is 429 `over_budget` with `Retry-After`.

    `rejected` goes by the index of the log; specs that can't be read have the index -1. `rig` has the rig's current
    name; None from a commander that is older than this field.
    """

    stored: int
    duplicates: int
    rejected: list[RejectedLog] = msgspec.field(default_factory=list)
    error: str | None = None
    rig: RigName | None = None


class AsicReceipt(Message, frozen=True, kw_only=True, gc=False):
    """Answer to an `AsicReport`: one result per item, in order."""

    results: list[AsicItemReceipt]


class AdoptedAsic(Message, frozen=True, kw_only=True, gc=False):
    """An ASIC that a site's sentry found. The same `key` again is the same rig again.

    The key is its MAC, else its address. Without a key the name is the key. A name that another rig has gets a number
    behind it. A rig that is registered again keeps its record and the name that it has by now; its token is new, and
    the old one stops working.
    """

    name: Name
    key: Name | None = None


class Adoption(Message, frozen=True, kw_only=True, gc=False):
    """Body of `POST /api/v1/sentry/asic-rigs`, with a site token."""

    rigs: Annotated[list[AdoptedAsic], Meta(max_length=1000)]


class AdoptedRig(Message, frozen=True, kw_only=True, gc=False):
    name: str
    token: str


class AdoptionAnswer(Message, frozen=True, kw_only=True, gc=False):
    """The adopted ASICs in the order of the request, each with its own token."""

    rigs: list[AdoptedRig]
