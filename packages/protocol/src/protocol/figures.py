"""The table of all metrics. Sentries, history, charts, tables and Prometheus all read it.

A new metric is a field in a message, a source that fills it, and a row here. From the row come its bounds, its series
in the history, its line on a chart, its column in tables and CSV files, and its name in Prometheus.

A value outside of its bounds is not a measurement: a sensor that is gone, or a number that means "unknown" (255, 511,
65535, 4294967). `reading` leaves it out and keeps the rest.
"""

from collections.abc import Mapping

from msgspec import Meta

from protocol.figure_types import Bounds, Chart, Figure, Holder, Kind, Unit, Whole

CELSIUS = Unit("°C", "celsius")
PERCENT = Unit("%", "ratio", parts=100)
RPM = Unit("rpm", "rpm")
WATTS = Unit("W", "watts", prefixes=True)
MEGAHERTZ = Unit("MHz", "hertz", times=1_000_000)
HASHES = Unit("H/s", "hashes_per_second", prefixes=True)
SECONDS = Unit("s", "seconds")
BYTES = Unit("B", "bytes")
NUMBER = Unit("", "")

_TEMPERATURE = Bounds(-60, 150, "no chip is rated for more; k10temp said 4,294,948 and amdgpu 511 for unknown")
_SHARE = Bounds(0, 100, "a part of a whole")
_CLOCK = Bounds(1, 40_000, "GDDR7 is reported as 32,000 MHz; amdgpu says 0 for a card that is lost")
_HASHRATE = Bounds(0, 1e21, "all of Bitcoin's ASICs together do 1e21")
_SECONDS = Bounds(0, 10**9, "31 years; 2^32 - 1 seconds mean unknown")
_PARTS = Bounds(0, 10_000, "the largest hash boards have some 500 chips, the largest machines 1,000 cores")
_BYTES = Bounds(0, 2**46, "64 TiB, more than any rig has")
_RPM = Bounds(0, 50_000, "the fastest fans do 38,000 RPM; 65535 means unknown")
_COUNT = Bounds(0, 2**53, "anything counted: JSON's whole numbers are exact up to here")
_SHARES = Bounds(0, 4_000_000_000, "ten shares a second are so many after twelve years; 2^32 - 1 means unknown")

_TEMPERATURES = Chart("temperature", "Temperature", "Hottest", from_zero=False, on_rig_page=True)
_REFUSED = Chart("refused", "Shares refused", "Rejected")


def _shares(name: str, label: str, *of: Holder, chart: Chart, word: str = "") -> Figure:
    """A row of a counter of shares."""
    return Figure(
        name,
        NUMBER,
        _SHARES,
        of,
        kind=Kind.COUNTER,
        whole=Whole.SUM,
        by_work=True,
        label=label,
        chart=chart,
        word=word,
        prometheus=f"shares_{name}_total",
    )


# Charts, and the columns of tables, have the order of this list.
_ROWS = (
    Figure(
        "hashrate_hs",
        HASHES,
        _HASHRATE,
        of=(Holder.MINER, Holder.ASIC, Holder.BOARD),
        whole=Whole.SUM,
        by_work=True,
        exponent=None,
        label="Hashrate",
        chart=Chart("hashrate", "Hashrate", "Total", split=True, on_rig_page=True, on_farm_page=True),
        prometheus="hashrate_hashes_per_second",
    ),
    Figure(
        "power_w",
        WATTS,
        Bounds(0, 3_000, "a processor or a card: NVIDIA GB200 draws 1,200 W; 4294967 mW mean unknown"),
        of=(Holder.CPU, Holder.GPU, Holder.ASIC),
        whole=Whole.SUM,
        label="Power",
        chart=Chart("power", "Power", "Total", on_rig_page=True, on_farm_page=True),
        prometheus="power_watts",
    ),
    Figure(
        "temperature_c",
        CELSIUS,
        _TEMPERATURE,
        of=(Holder.CPU, Holder.GPU, Holder.ASIC),
        whole=Whole.HIGHEST,
        label="Temperature",
        chart=_TEMPERATURES,
        prometheus="temperature_celsius",
    ),
    Figure(
        "inlet_temperature_c",
        CELSIUS,
        _TEMPERATURE,
        of=(Holder.BOARD,),
        label="Inlet temperature",
        chart=_TEMPERATURES,
        word="inlet",
        prometheus="inlet_temperature_celsius",
    ),
    Figure(
        "outlet_temperature_c",
        CELSIUS,
        _TEMPERATURE,
        of=(Holder.BOARD,),
        label="Outlet temperature",
        chart=_TEMPERATURES,
        word="outlet",
        prometheus="outlet_temperature_celsius",
    ),
    Figure(
        "chip_temperature_c",
        CELSIUS,
        _TEMPERATURE,
        of=(Holder.BOARD,),
        label="Chip temperature",
        chart=_TEMPERATURES,
        word="chip",
        prometheus="chip_temperature_celsius",
    ),
    Figure(
        "memory_temperature_c",
        CELSIUS,
        _TEMPERATURE,
        of=(Holder.GPU,),
        whole=Whole.HIGHEST,
        label="Memory temperature",
        chart=Chart("memory-temperature", "Memory temperature", "Hottest", from_zero=False),
        prometheus="memory_temperature_celsius",
    ),
    Figure(
        "fan_percent",
        PERCENT,
        Bounds(0, 200, "NVML: may exceed 100 on some cards; 255 means unknown"),
        of=(Holder.GPU,),
        whole=Whole.HIGHEST,
        label="Fan",
        chart=Chart("fan", "Fans", "Fastest", on_rig_page=True),
        prometheus="fan_ratio",
    ),
    Figure(
        "fan_rpm",
        RPM,
        _RPM,
        of=(Holder.GPU, Holder.FAN),
        whole=Whole.HIGHEST,
        exponent=0,
        label="Fan speed",
        chart=Chart("fan-speed", "Fan speed", "Fastest", on_rig_page=True),
        prometheus="fan_speed_rpm",
    ),
    Figure(
        "core_clock_mhz",
        MEGAHERTZ,
        _CLOCK,
        of=(Holder.GPU,),
        exponent=0,
        label="Core clock",
        chart=Chart("core-clock", "Core clock", "Fastest", from_zero=False),
        prometheus="core_clock_hertz",
    ),
    Figure(
        "memory_clock_mhz",
        MEGAHERTZ,
        _CLOCK,
        of=(Holder.GPU,),
        exponent=0,
        label="Memory clock",
        chart=Chart("memory-clock", "Memory clock", "Fastest", from_zero=False),
        prometheus="memory_clock_hertz",
    ),
    _shares(
        *("accepted", "Shares accepted", Holder.MINER, Holder.POOL), chart=Chart("accepted", "Shares accepted", "Total")
    ),
    _shares("rejected", "Shares rejected", Holder.MINER, Holder.POOL, chart=_REFUSED, word="rejected"),
    _shares("stale", "Shares stale", Holder.MINER, Holder.POOL, chart=_REFUSED, word="stale"),
    _shares("invalid", "Shares invalid", Holder.MINER, chart=_REFUSED, word="invalid"),
    Figure("load_percent", PERCENT, _SHARE, of=(Holder.CPU,), label="Load", prometheus="load_ratio"),
    Figure(
        *("rejected_percent", PERCENT, _SHARE),
        of=(Holder.ASIC,),
        label="Rejected part of the shares",
        prometheus="shares_rejected_ratio",
    ),
    Figure(
        *("memory_used_bytes", BYTES, _BYTES),
        of=(Holder.RIG,),
        exponent=6,
        label="Memory used",
        prometheus="memory_used_bytes",
    ),
    # What follows has bounds, and no history.
    Figure("asic_power_w", WATTS, Bounds(0, 50_000, "hydro-cooled ASICs draw 11 kW; 65535 means unknown")),
    Figure("nominal_power_w", WATTS, Bounds(0, 50_000, "as the power of an ASIC")),
    Figure("nominal_hashrate_hs", HASHES, _HASHRATE),
    Figure("fans_rpm", RPM, _RPM),
    Figure("hashrates_hs", HASHES, _HASHRATE),
    Figure("average_hashrate_hs", HASHES, _HASHRATE),
    Figure("expected_hashrate_hs", HASHES, _HASHRATE),
    Figure("hashrate_window_s", SECONDS, _SECONDS),
    Figure("uptime_s", SECONDS, _SECONDS),
    Figure("memory_bytes", BYTES, _BYTES),
    Figure("chips", NUMBER, _PARTS),
    Figure("expected_chips", NUMBER, _PARTS),
    Figure("cores", NUMBER, _PARTS),
    Figure("threads", NUMBER, _PARTS),
    Figure("api_port", NUMBER, Bounds(1, 65_535, "a TCP port")),
    Figure("count", NUMBER, _COUNT),
)
FIGURES: Mapping[str, Figure] = {figure.name: figure for figure in _ROWS}
SERIES = tuple(figure for figure in _ROWS if figure.of)
COUNTERS = frozenset(figure.name for figure in SERIES if figure.kind is Kind.COUNTER)
CHARTS: tuple[Chart, ...] = tuple(dict.fromkeys(figure.chart for figure in SERIES if figure.chart))


def figures_on(chart: Chart) -> tuple[Figure, ...]:
    """The metrics that stand on a chart."""
    return tuple(figure for figure in SERIES if figure.chart == chart)


def gauges_of(holder: Holder) -> tuple[str, ...]:
    """The names of a holder's gauges that belong to no coin."""
    return tuple(each.name for each in SERIES if holder in each.of and each.kind is Kind.GAUGE and not each.by_work)


def gauges_with(whole: Whole) -> tuple[str, ...]:
    """The names of the gauges whose value for a rig follows in this way, of those that belong to no coin."""
    return tuple(each.name for each in SERIES if each.whole is whole and each.kind is Kind.GAUGE and not each.by_work)


def counters_of(holder: Holder) -> tuple[str, ...]:
    return tuple(each.name for each in SERIES if holder in each.of and each.kind is Kind.COUNTER)


def within(name: str) -> Meta:
    """The bounds of a metric, to annotate a message's field."""
    bounds = FIGURES[name].bounds
    return Meta(ge=bounds.lowest, le=bounds.highest)


def possible(name: str, value: float | None) -> float | None:
    """Returns the value; None if it is impossible for the metric of this name."""
    bounds = FIGURES[name].bounds
    return value if value is not None and bounds.lowest <= value <= bounds.highest else None
