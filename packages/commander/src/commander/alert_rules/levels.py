"""The answer of a rule about one device. Pure."""

from enum import StrEnum

from commander.readings.severity import Severity


class Level(StrEnum):
    """The answer of a rule. `NEAR`: not bad any more, but not good enough to clear. `UNKNOWN` changes nothing."""

    GOOD = "good"
    NEAR = "near"
    WARNING = "warning"
    CRITICAL = "critical"
    UNKNOWN = "unknown"

    @property
    def severity(self) -> Severity | None:
        """None: the rule is not broken, or nothing is known."""
        return _SEVERITIES.get(self)


_SEVERITIES = {Level.WARNING: Severity.WARNING, Level.CRITICAL: Severity.CRITICAL}
