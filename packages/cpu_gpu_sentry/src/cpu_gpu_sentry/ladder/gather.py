"""The ladder's facts about playbooks and temperatures, from the sentry's readings. Pure."""

from collections.abc import Container, Iterable, Mapping

from protocol.messages import PROXIES, CpuReading, GpuReading, MinerDevice, MinerReading, MinerState
from protocol.units import counted

from cpu_gpu_sentry.ladder.facts import PlaybookFacts, Rate, Sensor, Temperature
from cpu_gpu_sentry.ladder.usual import PlaybookUsual, UsualRate, with_reading
from cpu_gpu_sentry.playbooks.run_facts import RunFacts

_ENDED_TOO_OFTEN = 6  # in a row, each soon after its start


def playbook_facts(run: RunFacts, usual: PlaybookUsual | None) -> PlaybookFacts:
    mined_before = usual if usual is not None and usual.revision == run.revision else PlaybookUsual(run.revision)
    reading = run.reading if run.running_s is not None else None
    return PlaybookFacts(
        id=run.id,
        name=run.name,
        running_s=run.running_s,
        rates=_rates(reading, mined_before),
        devices=_devices(reading),
        idle_devices=_idle(reading, mined_before),
        excuse=run.excuse,
        exhausted=_exhausted(run, mined_before),
    )


def _rates(reading: MinerReading | None, usual: PlaybookUsual) -> tuple[Rate, ...]:
    if reading is None or reading.state is MinerState.API_SILENT or reading.software in PROXIES:
        return ()
    return tuple(
        Rate(each.algorithm, each.hashrate_hs, usual.rates.get(each.algorithm, UsualRate()).usual_hs)
        for each in reading.algorithms
    )


def _devices(reading: MinerReading | None) -> frozenset[str] | None:
    """Returns the devices that the miner uses; None if it does not name them by their place."""
    names = frozenset(each.device for each in reading.devices) if reading is not None else frozenset[str]()
    return names if names and all(":" in each or each == "cpu" for each in names) else None


def _idle(reading: MinerReading | None, usual: PlaybookUsual) -> frozenset[str]:
    """Returns the devices that hash nothing now and have hashed before."""
    if reading is None or reading.state is MinerState.API_SILENT:
        return frozenset()
    return frozenset(each.device for each in reading.devices if _is_at_zero(each.hashrates_hs)) & usual.devices


def _is_at_zero(rates_hs: Iterable[float | None]) -> bool:
    known = [each for each in rates_hs if each is not None]
    return bool(known) and not any(known)


def _exhausted(run: RunFacts, usual: PlaybookUsual) -> str | None:
    """Returns the reason if the playbook's own watchdog can't help it, and it has mined before."""
    if not usual.rates and not usual.devices:
        return None
    if run.failures >= _ENDED_TOO_OFTEN:
        return f"has ended {counted(run.failures, 'time')} in a row, each time soon after its start"
    return run.watchdog_gave_up


def usual_after(
    before: Mapping[str, PlaybookUsual], runs: Iterable[RunFacts], wanted: Container[str] | None, now_s: float
) -> dict[str, PlaybookUsual]:
    """Returns the usual figures after one more look. A changed playbook begins again.

    One that stands still keeps its figures. One that is not `wanted` any longer is forgotten; None: not known.
    """
    kept = {name: usual for name, usual in before.items() if wanted is None or name in wanted}
    return kept | {run.id: _usual_after(before.get(run.id), run, now_s) for run in runs}


def changed_playbooks(before: Mapping[str, PlaybookUsual], runs: Iterable[RunFacts]) -> list[str]:
    """Returns the playbooks that have another revision than at the last look."""
    return [run.id for run in runs if run.id in before and before[run.id].revision != run.revision]


def _usual_after(before: PlaybookUsual | None, run: RunFacts, now_s: float) -> PlaybookUsual:
    usual = before if before is not None and before.revision == run.revision else PlaybookUsual(run.revision)
    reading = run.reading
    if (
        run.running_s is None
        or reading is None
        or reading.state is not MinerState.MINING
        or reading.software in PROXIES
    ):
        return usual
    rates = {
        each.algorithm: with_reading(usual.rates.get(each.algorithm, UsualRate()), each.hashrate_hs, now_s)
        for each in reading.algorithms
        if each.hashrate_hs
    }
    hashing = frozenset(each.device for each in reading.devices if any(each.hashrates_hs))
    return PlaybookUsual(run.revision, {**usual.rates, **rates}, usual.devices | hashing)


def temperatures(
    cpu: CpuReading | None, gpus: Iterable[GpuReading], miners: Iterable[MinerReading]
) -> tuple[Temperature, ...]:
    """Returns those of the sensors, and where a card tells none, what its miner says."""
    mined = {device.device: device for miner in miners for device in miner.devices}
    of_cards = [each for gpu in gpus for each in _of_card(gpu, mined.get(gpu.pci_address))]
    return (Temperature("cpu", Sensor.CPU, cpu.temperature_c if cpu is not None else None), *of_cards)


def _of_card(gpu: GpuReading, mined: MinerDevice | None) -> tuple[Temperature, Temperature]:
    core_c, memory_c = gpu.temperature_c, gpu.memory_temperature_c
    if mined is not None:
        core_c = mined.temperature_c if core_c is None else core_c
        memory_c = mined.memory_temperature_c if memory_c is None else memory_c
    return Temperature(gpu.pci_address, Sensor.GPU, core_c), Temperature(gpu.pci_address, Sensor.MEMORY, memory_c)
