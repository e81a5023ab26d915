"""lolMiner: one answer. `PCIE_Address` is decimal, "bus:device".

1.4 and later have a list of algorithms whose arrays line up with the workers: H/s = figure times
`Performance_Factor`. Until 1.3 there is one algorithm and a list `GPUs`; the unit is a text, which 0.6 lacks (it knew
Equihash alone: solutions), and what was rejected is what was submitted and not accepted.
"""

from collections.abc import Sequence
from typing import Any

from protocol.coins import only_coin
from protocol.messages import AlgorithmReading, MinerDevice, MinerReading
from sentry_kit.parsing import count, name, number, percent, positive, scaled, temperature, text, total

from cpu_gpu_sentry.miners.parsing import (
    algorithm_or_unknown,
    checked,
    decode,
    lined_up,
    lists_no_device,
    mapping,
    mined,
    names_a_job,
    pci_address,
    reading,
    unit_factor,
    unplaced,
    words,
)

KEYS = words("Software Session Num_Workers Workers Num_Algorithms Algorithms Mining Stratum GPUs")


def parse_lolminer(replies: Sequence[bytes]) -> MinerReading:
    """From `summary`."""
    return checked("lolMiner", lambda: _parse(decode(replies[0])))


def _parse(summary: Any) -> MinerReading:
    version = (name(summary["Software"]) or "").removeprefix("lolMiner").strip()
    if "Algorithms" not in summary:
        return _parse_old(summary, version)
    algorithms, workers = mined(summary["Algorithms"], _is_idle), summary["Workers"]
    devices = [_device(worker, position, algorithms, len(workers)) for position, worker in enumerate(workers)]
    uptime_s = count(summary["Session"].get("Uptime"))
    has_job = names_a_job([each.get("Algorithm") for each in algorithms])
    return reading("lolminer", version, uptime_s, [_algorithm(each) for each in algorithms], devices, has_job=has_job)


def _is_idle(each: Any) -> bool:
    return lists_no_device(each.get("Worker_Performance"), each.get("Total_Performance"))


def _algorithm(each: Any) -> AlgorithmReading:
    algorithm = algorithm_or_unknown(each.get("Algorithm"))
    return AlgorithmReading(
        algorithm=algorithm,
        coin=only_coin(algorithm),
        hashrate_hs=_hashrate(each, each.get("Total_Performance")),
        accepted=count(each.get("Total_Accepted")),
        rejected=count(each.get("Total_Rejected")),
        stale=count(each.get("Total_Stales")),
        invalid=count(each.get("Total_Errors")),
        pool=text(each.get("Pool")),
        user=text(each.get("User")),
    )


def _hashrate(algorithm: Any, figure: object) -> float | None:
    performance, factor = number(figure), number(algorithm.get("Performance_Factor"))
    return None if performance is None or not factor else performance * factor


def _device(worker: Any, position: int, algorithms: list[Any], workers: int) -> MinerDevice:
    def of_it(figure: str) -> list[Any]:
        return [lined_up(each.get(figure), workers)[position] for each in algorithms]

    return MinerDevice(
        device=pci_address(worker.get("PCIE_Address"), 10) or unplaced(worker.get("Index"), position),
        hashrates_hs=[_hashrate(*pair) for pair in zip(algorithms, of_it("Worker_Performance"), strict=True)],
        accepted=total([count(each) for each in of_it("Worker_Accepted")]),
        rejected=total([count(each) for each in of_it("Worker_Rejected")]),
        temperature_c=temperature(worker.get("Core_Temp")),
        memory_temperature_c=temperature(worker.get("Mem_Temp")),
        fan_percent=percent(worker.get("Fan_Speed")),
        power_w=positive(worker.get("Power")),
        core_clock_mhz=positive(worker.get("CCLK")),
        memory_clock_mhz=positive(worker.get("MCLK")),
    )


def _parse_old(summary: Any, version: str) -> MinerReading:
    session, cards = summary["Session"], summary["GPUs"]
    factor = unit_factor(session["Performance_Unit"]) if "Performance_Unit" in session else 1.0
    algorithms = [_old_algorithm(summary, factor)]
    devices = [_old_device(card, position, factor) for position, card in enumerate(cards)]
    has_job = names_a_job([mapping(summary.get("Mining")).get("Algorithm")])
    uptime_s = count(session.get("Uptime"))
    return reading("lolminer", version, uptime_s, algorithms, devices, has_job=has_job, answer=summary)


def _old_algorithm(summary: Any, factor: float | None) -> AlgorithmReading:
    session, stratum = summary["Session"], mapping(summary.get("Stratum"))
    algorithm = algorithm_or_unknown(mapping(summary.get("Mining")).get("Algorithm"))
    return AlgorithmReading(
        algorithm=algorithm,
        coin=only_coin(algorithm),
        hashrate_hs=scaled(session.get("Performance_Summary"), factor),
        accepted=count(session.get("Accepted")),
        rejected=_not_accepted(session.get("Submitted"), session.get("Accepted")),
        invalid=total([count(card.get("Session_HWErr")) for card in summary["GPUs"]]),
        pool=text(stratum.get("Current_Pool")),
        user=text(stratum.get("Current_User")),
    )


def _old_device(card: Any, position: int, factor: float | None) -> MinerDevice:
    return MinerDevice(
        device=pci_address(card.get("PCIE_Address"), 10) or unplaced(card.get("Index"), position),
        hashrates_hs=[scaled(card.get("Performance"), factor)],
        accepted=count(card.get("Session_Accepted")),
        rejected=_not_accepted(card.get("Session_Submitted"), card.get("Session_Accepted")),
        temperature_c=temperature(card.get("Temp (deg C)", card.get("Temps (deg C)"))),
        memory_temperature_c=temperature(card.get("Mem Temp (deg C)")),
        fan_percent=percent(card.get("Fan Speed (%)")),
        power_w=positive(card.get("Consumption (W)")),
    )


def _not_accepted(submitted: object, accepted: object) -> int | None:
    all_of_them, good = count(submitted), count(accepted)
    return None if all_of_them is None or good is None or good > all_of_them else all_of_them - good
