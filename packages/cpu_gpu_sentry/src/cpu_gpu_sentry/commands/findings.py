"""The answers of `diagnose`, each from what was measured. Pure; an unknown answer says why it is unknown."""

from collections.abc import Collection, Mapping, Sequence

from protocol.command_messages import Finding, Severity
from protocol.units import counted

from cpu_gpu_sentry.ladder.card_faults import fault_in_line
from cpu_gpu_sentry.ladder.facts import device_name

_GB = 10**9
_DISK_CRITICAL, _DISK_WARNING = 0.5 * _GB, 2 * _GB
_MEMORY_CRITICAL, _MEMORY_WARNING = 0.03, 0.10
_CLOCK_CRITICAL_S, _CLOCK_WARNING_S = 300.0, 30.0  # logs of more than 5 min ahead are rejected
_LINES_SHOWN = 10
_ORDER = (Severity.CRITICAL, Severity.WARNING, Severity.UNKNOWN, Severity.GOOD)


def worst_first(findings: Sequence[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda each: _ORDER.index(each.severity))


def summary(findings: Sequence[Finding]) -> str:
    bad = sum(1 for each in findings if each.severity in (Severity.CRITICAL, Severity.WARNING))
    unknown = sum(1 for each in findings if each.severity is Severity.UNKNOWN)
    needs = "needs" if bad == 1 else "need"
    good = counted(len(findings) - unknown, "answer is", "answers are")
    text = f"{bad} of {counted(len(findings), 'answer')} {needs} attention" if bad else f"{good} good"
    return f"{text}; {unknown} could not be answered." if unknown else f"{text}."


def disk(free_bytes: int | None, total_bytes: int | None, *, is_read_only: bool) -> Finding:
    if is_read_only:
        text = "The disk can only be read, which Linux does after errors: check it, and replace it if they come again."
        return _finding("disk", Severity.CRITICAL, text)
    if free_bytes is None or not total_bytes:
        return _finding("disk", Severity.UNKNOWN, "The free space of the disk could not be read.")
    text = f"{free_bytes / _GB:.1f} GB of {total_bytes / _GB:.0f} GB are free."
    if free_bytes < _DISK_WARNING:
        severity = Severity.CRITICAL if free_bytes < _DISK_CRITICAL else Severity.WARNING
        return _finding("disk", severity, f"The disk is nearly full: {text} Make room.")
    return _finding("disk", Severity.GOOD, text)


def memory(available_bytes: int | None, total_bytes: int | None) -> Finding:
    if available_bytes is None or not total_bytes:
        return _finding("memory", Severity.UNKNOWN, "The free memory could not be read.")
    part = available_bytes / total_bytes
    text = f"{available_bytes / _GB:.1f} GB of {total_bytes / _GB:.1f} GB are available."
    if part >= _MEMORY_WARNING:
        return _finding("memory", Severity.GOOD, text)
    severity = Severity.CRITICAL if part < _MEMORY_CRITICAL else Severity.WARNING
    return _finding("memory", severity, f"Memory is short: {text} Fewer miners, or more memory, helps.")


def clock(ahead_s: float | None) -> Finding:
    """`ahead_s` is how far this rig's clock is ahead of the commander's; negative: behind."""
    if ahead_s is None:
        return _finding("clock", Severity.UNKNOWN, "The commander's time could not be read.")
    if abs(ahead_s) < _CLOCK_WARNING_S:
        return _finding("clock", Severity.GOOD, "The clock agrees with the commander's.")
    severity = Severity.CRITICAL if abs(ahead_s) >= _CLOCK_CRITICAL_S else Severity.WARNING
    direction = "ahead of" if ahead_s > 0 else "behind"
    text = f"The clock is {_duration(abs(ahead_s))} {direction} the commander's; switch time synchronization on."
    return _finding("clock", severity, text)


def name_resolution(resolved: Mapping[str, bool]) -> Finding:
    """`resolved` says of each host name whether an address was found."""
    if not resolved:
        return _finding("names", Severity.GOOD, "There is no host name to resolve.")
    failed = sorted(host for host, is_found in resolved.items() if not is_found)
    if not failed:
        names = counted(len(resolved), "host name was", "host names were")
        return _finding("names", Severity.GOOD, f"{names} resolved.")
    text = f"No address was found for {', '.join(failed)}; check the rig's DNS server and the spelling."
    return _finding("names", Severity.CRITICAL, text)


def pool(playbook: str, address: str, took_ms: float | None, *, has_port: bool) -> Finding:
    if not has_port:
        return _finding("pool", Severity.UNKNOWN, f"“{playbook}”: the pool {address} names no port to try.")
    if took_ms is None:
        text = f"“{playbook}”: the pool {address} takes no connection; check the address, and the rig's way out."
        return _finding("pool", Severity.CRITICAL, text)
    return _finding(
        "pool", Severity.GOOD, f"“{playbook}”: the pool {address} took a connection after {took_ms:.0f} ms."
    )


def cards(on_bus: Collection[str] | None, reporting: Collection[str], missing: Collection[str]) -> list[Finding]:
    """`missing` were on the bus earlier."""
    lost = [
        _finding("cards", Severity.CRITICAL, f"{device_name(each)} is gone from the bus; check riser and power.")
        for each in sorted(missing)
    ]
    if on_bus is None:
        return [*lost, _finding("cards", Severity.UNKNOWN, "The list of cards on the bus could not be read here.")]
    silent = [
        _finding(
            "cards", Severity.CRITICAL, f"{device_name(each)} is on the bus, and its driver reports nothing of it."
        )
        for each in sorted(set(on_bus) - set(reporting))
    ]
    count = len(set(on_bus) & set(reporting))
    good = _finding("cards", Severity.GOOD, f"{counted(count, 'card reports', 'cards report')}.")
    return [*lost, *silent, good]


def kernel_lines(lines: Sequence[str] | None) -> list[Finding]:
    """`lines` are those about cards, oldest first."""
    if lines is None:
        text = "The kernel's log can't be read; the sentry needs the rights for that, as root has them."
        return [_finding("kernel", Severity.UNKNOWN, text)]
    if not lines:
        return [_finding("kernel", Severity.GOOD, "The kernel's log has no Xid and no error of amdgpu.")]
    return [
        _finding("kernel", Severity.CRITICAL if fault_in_line(line) else Severity.WARNING, line)
        for line in lines[-_LINES_SHOWN:]
    ]


def version(what: str, text: str | None) -> Finding:
    if text is None:
        return _finding("version", Severity.UNKNOWN, f"{what}: unknown.")
    return _finding("version", Severity.GOOD, f"{what} {text}.")


def _finding(check: str, severity: Severity, text: str) -> Finding:
    return Finding(check=check, severity=severity, text=text[:512])


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
