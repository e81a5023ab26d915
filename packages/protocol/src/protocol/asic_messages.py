"""The messages about ASICs: what one tells at one moment, and what it is. The rules of `messages` hold here too."""

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.messages import Amount, Count, Message, Moment, Name, Temperature, Text


class PoolState(StrEnum):
    """Whether an ASIC works for a pool, could, or can't."""

    CONNECTED = "connected"
    STANDBY = "standby"
    DISCONNECTED = "disconnected"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> "PoolState":
        return cls.UNKNOWN


class PowerSource(StrEnum):
    """Who says how much power an ASIC draws: itself, or the operator."""

    REPORTED = "reported"
    ENTERED = "entered"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> "PowerSource":
        return cls.UNKNOWN


class AsicBoard(Message, frozen=True, kw_only=True, gc=False):
    """One hash board; `slot` as the ASIC counts, from 0 or from 1. `expected_chips` is what its model has."""

    slot: Count
    hashrate_hs: Amount | None = None
    inlet_temperature_c: Temperature | None = None
    outlet_temperature_c: Temperature | None = None
    chip_temperature_c: Temperature | None = None
    chips: Count | None = None
    expected_chips: Count | None = None


class AsicPool(Message, frozen=True, kw_only=True, gc=False):
    """A pool as the ASIC has it set; `url` is its text, in whatever form."""

    url: Text | None = None
    user: Text | None = None
    state: PoolState | None = None
    accepted: Count | None = None
    rejected: Count | None = None
    stale: Count | None = None


class AsicLog(Message, frozen=True, kw_only=True, gc=False):
    """Everything that an ASIC told at one moment. Identified by its rig and `taken_at`.

    `hashrate_hs` is the mean of the last `hashrate_window_s`, `average_hashrate_hs` that of a longer time.
    `temperature_c` is the highest of its boards: a mean would hide the one that is too hot.
    """

    taken_at: Moment
    uptime_s: Count | None = None
    lan_ip: Name | None = None
    algorithm: Name | None = None
    coin: Name | None = None
    hashrate_hs: Amount | None = None
    hashrate_window_s: Count | None = None
    average_hashrate_hs: Amount | None = None
    expected_hashrate_hs: Amount | None = None
    power_w: Amount | None = None
    power_source: PowerSource | None = None
    temperature_c: Temperature | None = None
    boards: Annotated[list[AsicBoard], Meta(max_length=64)] = msgspec.field(default_factory=list)
    fans_rpm: Annotated[list[Amount | None], Meta(max_length=64)] = msgspec.field(default_factory=list)
    pools: Annotated[list[AsicPool], Meta(max_length=16)] = msgspec.field(default_factory=list)
    rejected_percent: Amount | None = None
    faults: Annotated[list[Name], Meta(max_length=64)] = msgspec.field(default_factory=list)


class AsicSpecs(Message, frozen=True, kw_only=True, gc=False):
    """What an ASIC is."""

    make: Text | None = None
    model: Text | None = None
    model_variant: Text | None = None
    firmware_version: Text | None = None
    software_version: Text | None = None
    mac: Text | None = None
    serial_number: Text | None = None
    hostname: Text | None = None
