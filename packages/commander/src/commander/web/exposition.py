"""Figures for Prometheus, in its text format.

Own, because it is these lines: the well-known library would add 5 MB to every process (measured), and a lock to
counters that one thread alone counts.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

CONTENT_TYPE = "text/plain; version=0.0.4"


class MetricKind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Sample(NamedTuple):
    value: float
    labels: Mapping[str, str] = {}
    suffix: str = ""


class Metric(NamedTuple):
    """One family: a name, what it counts in which unit, and its values."""

    name: str
    kind: MetricKind
    help: str
    samples: Sequence[Sample]


class Histogram:
    """Counts how often a value was at most each of `limits`."""

    def __init__(self, limits: Sequence[float]) -> None:
        self._limits = limits
        self._counts = [0] * (len(limits) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._limits, value)] += 1
        self._sum += value

    def metric(self, name: str, text: str) -> Metric:
        samples, below = [], 0
        for limit, count in zip((*self._limits, float("inf")), self._counts, strict=True):
            below += count
            samples.append(Sample(below, {"le": number(limit)}, "_bucket"))
        samples += [Sample(self._sum, suffix="_sum"), Sample(below, suffix="_count")]
        return Metric(name, MetricKind.HISTOGRAM, text, samples)


def counter(name: str, text: str, value: float) -> Metric:
    return Metric(name, MetricKind.COUNTER, text, [Sample(value)])


def gauge(name: str, text: str, value: float | None) -> Metric:
    """Makes a gauge. An unknown value has no sample: a 0 would be an answer."""
    return Metric(name, MetricKind.GAUGE, text, [] if value is None else [Sample(value)])


def exposition(metrics: Iterable[Metric]) -> str:
    lines: list[str] = []
    for metric in metrics:
        lines += heading(metric.name, metric.kind, metric.help)
        lines += [f"{metric.name}{each.suffix}{_braced(each.labels)} {number(each.value)}" for each in metric.samples]
    return "\n".join([*lines, ""])


def heading(name: str, kind: MetricKind, text: str) -> list[str]:
    """The lines before the samples of a family."""
    return [f"# HELP {name} {_escaped(text)}", f"# TYPE {name} {kind}"]


def labels_text(labels: Mapping[str, str]) -> str:
    """Labels without their braces. To Prometheus an empty label is none."""
    return ",".join(f'{name}="{_escaped(value, quotes=True)}"' for name, value in labels.items() if value)


def _braced(labels: Mapping[str, str]) -> str:
    inside = labels_text(labels)
    return f"{{{inside}}}" if inside else ""


def _escaped(text: str, *, quotes: bool = False) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quotes else text


def number(value: float) -> str:
    if value == float("inf"):
        return "+Inf"
    return str(int(value)) if value == int(value) else repr(value)
