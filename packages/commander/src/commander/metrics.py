"""`GET /metrics`: what to watch of a running commander and its farm, for Prometheus."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from enum import StrEnum
from typing import Annotated

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from commander import VERSION
from commander.live.frames import Frames
from commander.live.rig_state import Health
from commander.live.rigs import LiveRigs, Lives
from commander.rig_metrics import rig_exposition
from commander.web.api_docs import problems
from commander.web.exposition import CONTENT_TYPE, Metric, MetricKind, Sample, counter, exposition, gauge

Collect = Callable[[], Iterable[Metric]]
STARTED_AT_S = time.time()


class WithRigs(StrEnum):
    """The choice to have each rig's own metrics in the answer: some 90 samples for a rig with 8 GPUs."""

    YES = "yes"
    NO = "no"


RigsWanted = Annotated[WithRigs, QueryParameter(name="rigs", description="`yes`: also the metrics of each rig")]


@get("/metrics", responses=problems(401, 422), media_type="text/plain", tags=["health"])
async def metrics(
    collect_metrics: NamedDependency[Collect], lives: NamedDependency[Lives], rigs: RigsWanted = WithRigs.NO
) -> Response[str]:
    """Metrics of this process, and of the rigs, in Prometheus' text format; docs/prometheus.md explains them."""
    text = exposition(collect_metrics())
    if rigs is WithRigs.YES:
        text += await rig_exposition(lives)
    return Response(text, media_type=CONTENT_TYPE)


def live_metrics(live: Lives, frames: Collection[Frames]) -> list[Metric]:
    """The farm as this process sees it, and who looks at it here."""
    rigs = [
        Sample(count, {"kind": kind, "health": health})
        for kind, part in live.items()
        for health, count in _by_health(part).items()
    ]
    power = [(kind, part.index.totals) for kind, part in live.items()]
    watts = [Sample(totals.power_w, {"kind": kind}) for kind, totals in power if totals.power_w is not None]
    return [
        Metric("minewarden_rigs", MetricKind.GAUGE, "Rigs by kind and health.", rigs),
        Metric("minewarden_power_watts", MetricKind.GAUGE, "Total power of the rigs that report it, by kind.", watts),
        Metric(
            "minewarden_power_rigs",
            MetricKind.GAUGE,
            "Rigs alive that report their power, by kind.",
            [Sample(totals.power_known, {"kind": kind}) for kind, totals in power],
        ),
        gauge("minewarden_viewers", "Open pages that are kept up to date.", sum(each.viewers for each in frames)),
        counter("minewarden_frames_total", "Frames made for open pages.", sum(each.made for each in frames)),
    ]


def _by_health(live: LiveRigs) -> dict[Health, int]:
    counts = Counter(state.health for state in live.index.rigs.values())
    return {health: counts[health] for health in Health}


def process_metrics() -> list[Metric]:
    return [
        Metric("minewarden_build_info", MetricKind.GAUGE, "Which version runs.", [Sample(1, {"version": VERSION})]),
        counter("process_cpu_seconds_total", "CPU time of this process.", time.process_time()),
        gauge("process_start_time_seconds", "When this process started, in seconds since 1970.", STARTED_AT_S),
        gauge("process_resident_memory_bytes", "Memory of this process.", _resident_bytes()),
    ]


def _resident_bytes() -> int | None:
    if sys.platform != "linux":
        return None
    import resource
    from pathlib import Path

    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
