"""Views for the local page, as ready texts: the templates do no arithmetic."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from protocol.messages import PROXIES, CpuGpuSpecs, GpuReading, MinerDevice, MinerReading, MinerState
from protocol.miner_words import PROXY_NOTE, miner_word
from protocol.playbook_messages import PlaybookState
from protocol.units import (
    UNKNOWN,
    bytes_text,
    clock_text,
    count_text,
    duration_text,
    hashrate_text,
    percent_text,
    power_text,
    temperature_text,
)
from sentry_kit.masking import mask_account
from sentry_kit.store import State

from cpu_gpu_sentry.agent import Agent
from cpu_gpu_sentry.latest import Latest
from cpu_gpu_sentry.miners.registry import SOFTWARE
from cpu_gpu_sentry.playbooks.run_state import RunState
from cpu_gpu_sentry.watches import Watch

_STATES = {
    State.NOT_ENROLLED: ("Not enrolled", "careful"),
    State.ONLINE: ("Online", "good"),
    State.SPOOLING: ("Spooling", "careful"),
    State.INVALID_TOKEN: ("Invalid token", "wrong"),
    State.REMOVED: ("Removed", "wrong"),
}
_MINER_TONES = {
    MinerState.STARTING: "careful",
    MinerState.MINING: "good",
    MinerState.STALLED: "wrong",
    MinerState.FAILED: "wrong",
    MinerState.API_SILENT: "wrong",
}
_PLAYBOOK_STATES = {
    PlaybookState.WAITING: ("Waiting", ""),
    PlaybookState.DOWNLOADING: ("Downloading", "careful"),
    PlaybookState.INSTALLING: ("Installing", "careful"),
    PlaybookState.STARTING: ("Starting", "careful"),
    PlaybookState.MINING: ("Mining", "good"),
    PlaybookState.RESTARTING: ("Restarting", "careful"),
    PlaybookState.PAUSED: ("Paused", ""),
    PlaybookState.FAILED: ("Failed", "wrong"),
}
_PRINTED_SHOWN = 10  # of one that runs: all of them without scrolling
Fact = tuple[str, str]


@dataclass(frozen=True, slots=True)
class StatusView:
    badge: str
    tone: str
    sentence: str
    notices: list[str]
    facts: list[Fact]
    open_form: bool


@dataclass(frozen=True, slots=True)
class GpuView:
    address: str
    name: str
    temperature: str
    memory_temperature: str
    fan: str
    power: str
    core_clock: str
    memory_clock: str


@dataclass(frozen=True, slots=True)
class AlgorithmView:
    algorithm: str
    coin: str
    hashrate: str
    shares: str
    pool: str
    account: str


@dataclass(frozen=True, slots=True)
class PlaybookView:
    name: str
    software: str
    badge: str
    tone: str
    percent: int | None
    reason: str | None
    facts: list[Fact]
    lines: str


@dataclass(frozen=True, slots=True)
class MinerView:
    title: str
    api: str
    badge: str
    tone: str
    reason: str | None
    note: str | None
    uptime: str
    algorithms: list[AlgorithmView]
    devices: list[Fact]


def status_view(agent: Agent) -> StatusView:
    uploader = agent.uploader
    badge, tone = _STATES[uploader.state]
    return StatusView(
        badge=badge,
        tone=tone,
        sentence=_sentence(agent),
        notices=_notices(agent),
        facts=_facts(agent),
        open_form=uploader.state in (State.NOT_ENROLLED, State.INVALID_TOKEN, State.REMOVED),
    )


def _sentence(agent: Agent) -> str:
    enrolment, error = agent.uploader.enrolment, agent.uploader.error
    rig = f"“{enrolment.rig_name}”" if enrolment and enrolment.rig_name else "this rig"
    match agent.uploader.state:
        case State.NOT_ENROLLED:
            return error or "This sentry has no commander yet: add a rig there, and give its URL and token here."
        case State.ONLINE:
            return f"Reports to the commander as {rig}."
        case State.SPOOLING:
            return error or "Keeps its logs here until the commander answers."
        case State.INVALID_TOKEN if enrolment is not None and enrolment.token is None:
            return f"The token of {rig} that is stored here can't be read. Mining goes on; give a new token below."
        case State.INVALID_TOKEN:
            return (
                f"The commander does not know the token of {rig} any longer. Mining and measuring go on; "
                "give the new token below."
            )
        case State.REMOVED:
            return f"The rig {rig} was removed from the commander: nothing is sent now. Enroll again to go on."


def _notices(agent: Agent) -> list[str]:
    notices = [agent.spool.trouble] if agent.spool.trouble else []
    if agent.signatures.refused:
        notices.append(f"Playbooks refused: {agent.signatures.refused} The rig goes on with what it has.")
    if agent.uploader.two_sentries:
        notices.append("Another sentry reports with the same token: stop one of them, or give each its own rig.")
    if agent.uploader.waits_for_approval:
        notices.append("This rig waits for approval: it reports, and gets its playbooks when a person has approved it.")
    return notices


_NO_KEY = "no key: all playbooks from the commander's URL are accepted"


def _facts(agent: Agent) -> list[Fact]:
    uploader = agent.uploader
    stored_at, pin = uploader.last_stored_at, agent.signatures.pin
    return [
        ("Commander", uploader.enrolment.url if uploader.enrolment else UNKNOWN),
        ("Playbooks signed by", f"key {pin.key_id}, pinned {pin.pinned}" if pin else _NO_KEY),
        ("Logs waiting here", count_text(len(agent.spool))),
        ("Last report stored", time_text(stored_at)),
        ("Reports every", duration_text(agent.report_every_s)),
    ]


def time_text(moment: datetime | None) -> str:
    """In the machine's own zone: the page is read beside it."""
    return UNKNOWN if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def machine_facts(latest: Latest) -> list[Fact]:
    machine, specs = latest.machine, latest.specs
    cpu = machine.cpu
    memory_total = specs.memory_bytes if specs else None
    return [
        ("Processor", (specs.cpu.name if specs and specs.cpu else None) or UNKNOWN),
        ("Load", percent_text(cpu.load_percent if cpu else None)),
        ("Temperature", temperature_text(cpu.temperature_c if cpu else None)),
        ("Memory in use", f"{bytes_text(machine.memory_used_bytes)} of {bytes_text(memory_total)}"),
        ("Board", _board(specs)),
        ("Running for", duration_text(machine.uptime_s)),
    ]


def _board(specs: CpuGpuSpecs | None) -> str:
    board = specs.motherboard if specs else None
    return " ".join(filter(None, (board.vendor, board.name))) or UNKNOWN if board else UNKNOWN


def gpu_views(latest: Latest) -> list[GpuView]:
    names = {gpu.pci_address: gpu.name for gpu in latest.specs.gpus} if latest.specs else {}
    miners = [*latest.miners.values(), *latest.playbook_miners]
    mined = {device.device: device for miner in miners for device in miner.devices}
    return [_gpu(gpu, names.get(gpu.pci_address), mined.get(gpu.pci_address)) for gpu in latest.machine.gpus]


def _gpu(gpu: GpuReading, name: str | None, mined: MinerDevice | None) -> GpuView:
    """Gaming cards tell their memory's temperature to the miner only: matched by the PCI address."""
    memory_c = gpu.memory_temperature_c
    if memory_c is None and mined is not None:
        memory_c = mined.memory_temperature_c
    return GpuView(
        address=gpu.pci_address,
        name=name or UNKNOWN,
        temperature=temperature_text(gpu.temperature_c),
        memory_temperature=temperature_text(memory_c),
        fan=percent_text(gpu.fan_percent),
        power=power_text(gpu.power_w),
        core_clock=clock_text(gpu.core_clock_mhz),
        memory_clock=clock_text(gpu.memory_clock_mhz),
    )


def miner_views(
    latest: Latest, watches: Sequence[Watch], run_states: Collection[RunState], *, for_owner: bool
) -> list[MinerView]:
    """Those of playbooks first."""
    own = [(watch, run.miner() if run.reading else None) for run in run_states if (watch := run.watch)]
    watched = [(watch, latest.miners.get(watch)) for watch in watches]
    return [_miner(watch, reading, for_owner=for_owner) for watch, reading in own + watched]


def playbook_views(run_states: Collection[RunState], *, for_owner: bool) -> list[PlaybookView]:
    """Returns the playbooks. Output may contain wallets, so only the owner sees it, and reasons that quote it."""
    return [_playbook(run, for_owner=for_owner) for run in run_states]


def _playbook(run: RunState, *, for_owner: bool) -> PlaybookView:
    badge, tone = _PLAYBOOK_STATES.get(run.state, (run.state.value, "careful"))
    package, percent = run.playbook.package, None if run.percent is None else int(run.percent)
    return PlaybookView(
        name=run.playbook.name,
        software=f"{package.software} {package.version}",
        badge=badge if percent is None else f"{badge} {percent} %",
        tone=tone,
        percent=percent,
        reason=run.reason if for_owner else None,
        facts=[
            ("Since", time_text(run.since)),
            ("Restarts", str(run.restarts)),
            ("Port of its API", str(run.port) if run.note else UNKNOWN),
        ],
        lines="\n".join(run.last_lines or run.printed[-_PRINTED_SHOWN:]) if for_owner else "",
    )


def _miner(watch: Watch, reading: MinerReading | None, *, for_owner: bool) -> MinerView:
    is_troubled = reading is not None and reading.trouble is not None
    version = f" {reading.version}" if reading and reading.version else ""
    return MinerView(
        title=f"{SOFTWARE[reading.software if reading else watch.software].title}{version}",
        api=f"{watch.host} port {watch.port}",
        badge=miner_word(reading) if reading else "Not asked yet",
        tone="wrong" if is_troubled else _MINER_TONES.get(reading.state, "careful") if reading else "",
        reason=reading.reason if reading and for_owner else None,
        note=PROXY_NOTE if reading and reading.software in PROXIES else None,
        uptime=duration_text(reading.uptime_s if reading else None),
        algorithms=_algorithms(reading) if reading else [],
        devices=[(each.device, _rates(each)) for each in reading.devices] if reading else [],
    )


def _rates(device: MinerDevice) -> str:
    return " + ".join(hashrate_text(rate) for rate in device.hashrates_hs)


def _algorithms(reading: MinerReading) -> list[AlgorithmView]:
    return [
        AlgorithmView(
            algorithm=each.algorithm,
            coin=each.coin or UNKNOWN,
            hashrate=hashrate_text(each.hashrate_hs),
            shares=f"{count_text(each.accepted)} accepted, {count_text(each.rejected)} rejected",
            pool=each.pool or UNKNOWN,
            account=mask_account(each.user) or UNKNOWN,
        )
        for each in reading.algorithms
    ]
