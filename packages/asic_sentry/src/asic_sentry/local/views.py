"""Ready texts for the local page's templates, which do no arithmetic."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from protocol.asic_messages import AsicLog, PowerSource
from protocol.units import (
    UNKNOWN,
    count_text,
    counted,
    duration_text,
    exact_text,
    hashrate_text,
    power_text,
    temperature_text,
    turns_text,
)
from sentry_kit.store import State

from asic_sentry.agent import Agent
from asic_sentry.asics.asic import AsicState, refusal_text, state_of
from asic_sentry.asics.login_check import refusal_of_pages
from asic_sentry.asics.store import ModelOverride
from asic_sentry.device import Device
from asic_sentry.scan import ScannedAsic, Scans

Fact = tuple[str, str]
ROWS_PER_PAGE = 250

_CONNECTION = {
    State.NOT_ENROLLED: ("Not connected", "careful"),
    State.ONLINE: ("Connected", "good"),
    State.SPOOLING: ("Spooling", "careful"),
    State.INVALID_TOKEN: ("Connected", "good"),
    State.REMOVED: ("Connected", "good"),
}
_STATES = {
    AsicState.ONLINE: ("Online", "good"),
    AsicState.WAITING: ("Waiting", "careful"),
    AsicState.NOT_ANSWERING: ("Not answering", "wrong"),
    AsicState.INVALID_TOKEN: ("Invalid token", "wrong"),
    AsicState.NOT_POLLED: ("Not polled", "careful"),
}


@dataclass(frozen=True, slots=True)
class StatusView:
    badge: str
    tone: str
    sentence: str
    notices: list[str]
    facts: list[Fact]
    open_form: bool


@dataclass(frozen=True, slots=True)
class Figure:
    label: str
    text: str
    exact: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    id: int
    ip: str
    model: str
    rig: str
    badge: str
    tone: str
    notes: list[str]
    coin: str
    figures: list[Figure]
    seen_at: str | None
    seen: str
    needs_token: bool


@dataclass(frozen=True, slots=True)
class ScanView:
    network: str
    badge: str
    tone: str
    sentence: str
    done: int
    total: int
    is_running: bool
    may_adopt: bool
    asics: list["ScannedAsicView"]
    new: int
    unclear: list[str]


@dataclass(frozen=True, slots=True)
class ScannedAsicView:
    ip: str
    model: str
    mac: str
    is_added: bool


def status_view(agent: Agent) -> StatusView:
    badge, tone = _CONNECTION[agent.uploader.state]
    return StatusView(
        badge, tone, _sentence(agent), _notices(agent), _facts(agent), agent.uploader.state is State.NOT_ENROLLED
    )


def _sentence(agent: Agent) -> str:
    match agent.uploader.state:
        case State.NOT_ENROLLED:
            return "This sentry has no commander yet: give its URL below. Its ASICs are polled and shown here already."
        case State.SPOOLING:
            return agent.uploader.error or "Keeps its logs here until the commander answers."
    if not agent.poller.devices:
        return "Has no ASICs yet: add one, or look for them in the network."
    return "Reports its ASICs to the commander. It reads them, and can't change them."


def _notices(agent: Agent) -> list[str]:
    notices = [agent.spool.trouble, agent.uploader.site_token_error]
    limited = sum(1 for device in agent.poller if device.asic.failure and device.asic.failure.kind == "local_limit")
    if limited:
        notices.append("This computer can't open enough connections for all ASICs; raise its limit of open files.")
    return [notice for notice in notices if notice]


def _facts(agent: Agent) -> list[Fact]:
    uploader = agent.uploader
    enrolment = uploader.enrolment
    answering = sum(device.asic.answered and device.asic.failure is None for device in agent.poller)
    return [
        ("Commander", enrolment.url if enrolment else UNKNOWN),
        ("Site token", "stored" if enrolment and enrolment.token else "none"),
        ("ASICs that answer", f"{answering} of {len(agent.poller.devices)}"),
        ("Polled every", duration_text(agent.poll_every_s)),
        ("Logs waiting here", count_text(len(agent.spool))),
        ("Last report stored", time_text(uploader.last_stored_at)),
    ]


def time_text(moment: datetime | None) -> str:
    """Returns the time in this computer's time zone."""
    return UNKNOWN if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def in_trouble(devices: Iterable[Device]) -> list[Device]:
    """Returns the ASICs that need attention: no answer, no valid token, or a fault that they report."""
    return [device for device in devices if _is_in_trouble(device)]


def _is_in_trouble(device: Device) -> bool:
    asic = device.asic
    if asic.refusal is not None or asic.failure is not None:
        return True
    return device.log is not None and bool(device.log.faults)


def row_view(device: Device) -> Row:
    """Returns the row of an ASIC. Values of an ASIC that does not answer are unknown, not its last ones."""
    asic, state = device.asic, state_of(device.asic)
    badge, tone = _STATES[state]
    sample = device.log if asic.failure is None else None
    return Row(
        id=asic.id,
        ip=asic.ip,
        model=asic.model_name or UNKNOWN,
        rig=asic.rig.name or UNKNOWN,
        badge=badge,
        tone=tone,
        notes=_notes(device),
        coin=(sample.coin or sample.algorithm or UNKNOWN) if sample else UNKNOWN,
        figures=_figures(sample),
        seen_at=device.log.taken_at.isoformat() if device.log else None,
        seen=device.log.taken_at.astimezone().strftime("%H:%M:%S") if device.log else UNKNOWN,
        needs_token=asic.refusal is not None,
    )


def _notes(device: Device) -> list[str]:
    asic = device.asic
    notices = [refusal_text(asic.refusal)] if asic.refusal else []
    if asic.failure is not None:
        since = f" Since {time_text(asic.failing_since)}." if asic.failing_since else ""
        notices.append(f"{asic.failure.kind}: {asic.failure.detail}{since}")
    if device.log and asic.failure is None and device.log.faults:
        notices.append(f"Reports a fault: {', '.join(device.log.faults)}.")
    refused = refusal_of_pages(asic.identity, device.login) if device.login and asic.failure is None else None
    return notices + [note for note in (refused, asic.news) if note]


def _figures(sample: AsicLog | None) -> list[Figure]:
    if sample is None:
        return [Figure(label, UNKNOWN) for label in ("Hashrate", "Power", "Hottest", "Fans")]
    fans = [rpm for rpm in sample.fans_rpm if rpm is not None]
    window = f", mean of {duration_text(sample.hashrate_window_s)}" if sample.hashrate_window_s else ""
    hashrate = "" if sample.hashrate_hs is None else exact_text(sample.hashrate_hs, "H/s") + window
    power = "" if sample.power_w is None else exact_text(sample.power_w, "W")
    note = "entered" if sample.power_source is PowerSource.ENTERED else ""
    return [
        Figure("Hashrate", hashrate_text(sample.hashrate_hs), hashrate),
        Figure("Power", power_text(sample.power_w), power, note),
        Figure("Hottest", temperature_text(sample.temperature_c)),
        Figure("Fans", turns_text(max(fans, default=None)), ", ".join(turns_text(rpm) for rpm in fans)),
    ]


def scan_view(scans: Scans, listed: set[str], *, may_adopt: bool) -> ScanView | None:
    scan = scans.current
    if scan is None:
        return None
    asics = [_scanned_asic(each, listed) for each in scan.asics]
    badge, tone = ("Looking", "careful") if scan.is_busy else ("Stopped", "") if scan.was_stopped else ("Done", "good")
    return ScanView(
        network=scans.network,
        badge=badge,
        tone=tone,
        sentence=f"{count_text(scan.done)} of {counted(scan.total, 'address', 'addresses')}, "
        f"{counted(len(asics), 'ASIC')} found.",
        done=scan.done,
        total=scan.total,
        is_running=scan.is_busy,
        may_adopt=may_adopt and not scan.is_busy,
        asics=asics,
        new=sum(not each.is_added for each in asics),
        unclear=[f"{ip} may be one ({failure.kind}): {failure.detail}" for ip, failure in scan.unclear],
    )


def _scanned_asic(each: ScannedAsic, listed: set[str]) -> ScannedAsicView:
    specs, ip = each.identity.specs, each.identity.ip
    model = " ".join(word for word in (specs.make, specs.model) if word)
    return ScannedAsicView(ip, model, each.mac or UNKNOWN, ip in listed)


def model_facts(entries: Mapping[str, ModelOverride]) -> list[tuple[str, str, str]]:
    return [
        (entry.model, power_text(entry.override.power_w), entry.override.coin or UNKNOWN) for entry in entries.values()
    ]


def models_of(devices: Sequence[Device]) -> list[str]:
    return sorted({device.asic.model_name for device in devices if device.asic.model_name})
