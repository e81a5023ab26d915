"""cpuminer-opt and ccminer: `KEY=value;…|` over TCP, one record per device, ended by NUL.

kH/s in `KHS`, H/s in `HS`; cpuminer's threads carry the unit in the key (`kH/s=36.59`). ccminer's `BUS` is decimal and
its `POWER` mW. `FREQ` and `MEMFREQ` are what the card is made for, `GPUF` and `MEMF` (0 where unknown) what it does.
"""

from collections.abc import Sequence

from protocol.coins import only_coin
from protocol.messages import AlgorithmReading, MinerDevice, MinerReading
from sentry_kit.lenient import decoded
from sentry_kit.parsing import BadReply, count, percent, positive, scaled, temperature, text, total

from cpu_gpu_sentry.miners.parsing import (
    algorithm_or_unknown,
    checked,
    names_a_job,
    pci_of_bus,
    reading,
    unplaced,
    words,
)

KEYS = words(
    "NAME VER API ALGO CPUS GPUS URL HS KHS ACC REJ SOL SOLV ACCMN DIFF NETKHS POOLS WAIT TEMP FAN FREQ UPTIME TS"
)
_RATES = {"HS": 1.0, "KHS": 1e3, "H/s": 1.0, "kH/s": 1e3, "MH/s": 1e6, "GH/s": 1e9}

Record = dict[str, str]


def parse_cpuminer(replies: Sequence[bytes]) -> MinerReading:
    """From `summary` and, where given, `threads`."""
    return checked("cpuminer-opt", lambda: parse_records("cpuminer", replies))


def parse_ccminer(replies: Sequence[bytes]) -> MinerReading:
    """From `summary` and, where given, `threads` and `pool`."""
    return checked("ccminer", lambda: parse_records("ccminer", replies))


def parse_records(software: str, replies: Sequence[bytes]) -> MinerReading:
    """By what the records hold, since any but the summary may be missing."""
    records = [record for reply in replies for record in records_of(reply)]
    summary = next((record for record in records if "NAME" in record and "ALGO" in record), None)
    if summary is None:
        raise BadReply(f"The answer does not look like {software}'s summary.")
    pool = next((record for record in records if "POOL" in record), {})
    cards = [record for record in records if "GPU" in record]
    devices = [_card(card, position) for position, card in enumerate(cards)]
    if "CPUS" in summary:
        devices = [_cpu(summary, [record for record in records if "CPU" in record])]
    has_job, uptime_s = names_a_job([summary["ALGO"]]), count(summary.get("UPTIME"))
    return reading(software, summary.get("VER"), uptime_s, [_algorithm(summary, pool)], devices, has_job=has_job)


def records_of(reply: bytes) -> list[Record]:
    *records, tail = decoded(reply.rstrip(b"\0")).split("|")
    if ";" in tail:  # cut off; its last number may be, too
        records.append(tail.rpartition(";")[0])
    return [dict(pair.strip().split("=", 1) for pair in each.split(";") if "=" in pair) for each in records]


def _algorithm(summary: Record, pool: Record) -> AlgorithmReading:
    algorithm = algorithm_or_unknown(summary["ALGO"])
    return AlgorithmReading(
        algorithm=algorithm,
        coin=only_coin(algorithm),
        hashrate_hs=_rate(summary),
        accepted=count(summary.get("ACC")),
        rejected=count(summary.get("REJ")),
        stale=count(pool.get("STALE")),
        pool=text(pool.get("URL") or summary.get("URL")),
        user=text(pool.get("USER")),
    )


def _rate(record: Record) -> float | None:
    rates = (scaled(record.get(key), factor) for key, factor in _RATES.items())
    return next((rate for rate in rates if rate is not None), None)


def _cpu(summary: Record, threads: list[Record]) -> MinerDevice:
    rates = [_rate(thread) for thread in threads]
    of_threads = total(rates) if len(rates) == count(summary.get("CPUS")) else None
    return MinerDevice(
        device="cpu",
        hashrates_hs=[_rate(summary) if of_threads is None else of_threads],
        temperature_c=temperature(summary.get("TEMP")),
    )


def _card(card: Record, position: int) -> MinerDevice:
    return MinerDevice(
        device=pci_of_bus(card.get("BUS")) or unplaced(card.get("GPU"), position),
        hashrates_hs=[_rate(card)],
        accepted=count(card.get("ACC")),
        rejected=count(card.get("REJ")),
        temperature_c=temperature(card.get("TEMP")),
        fan_percent=percent(card.get("FAN")),
        power_w=positive(scaled(card.get("POWER"), 1e-3)),
        core_clock_mhz=positive(card.get("GPUF")),
        memory_clock_mhz=positive(card.get("MEMF")),
    )
