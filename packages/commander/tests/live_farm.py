"""An operational index and the pages that look at it, without a server."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
from commander.live.channels import Channels
from commander.live.frames import RESYNC
from commander.live.operational_index import OperationalIndex
from commander.live.rigs import LiveRigs
from commander.readings.decode import READERS
from commander.rig_pages.cpu_gpu import CPU_GPU
from commander.rig_pages.kind import Display
from commander.rig_pages.live_views import IndexView, RigView, RigViews
from commander.rigs.cpu_gpu_responses import log_json, rig_json
from commander_farm import a_log

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
_ELEMENT = re.compile(r'<(?:div|dl|ul|a|section|header)[^>]*? ?id="([\w-]+)"[^>]*>')


@dataclass
class LiveFarm:
    """Rigs of one kind that report at times that a test chooses."""

    display: Display = CPU_GPU
    index: OperationalIndex = field(default_factory=lambda: OperationalIndex(stale_after_s=45, offline_after_s=60))
    now_s: float = 0.0

    def __post_init__(self) -> None:
        live = LiveRigs(self.display.kind, self.index, Channels(), describe=rig_json, describe_log=log_json)
        self.views = RigViews(live, self.display)

    def add(self, *names: str) -> None:
        for name in names:
            self.index.add(max(self.index.rigs, default=0) + 1, name, added_at=START)

    def report(self, rig_id: int, *, hashrate_hs: float = 17_000.0, power_w: float | None = 200.0) -> None:
        self.tell(rig_id, a_log(hashrate_hs=hashrate_hs, power_w=power_w))

    def tell(self, rig_id: int, log: dict[str, object]) -> None:
        """A log comes, just now."""
        self.now_s += 0.001
        text = msgspec.json.encode(log)
        moment = START + timedelta(seconds=self.now_s)
        summary = READERS[self.display.kind](text).summary
        self.index.report(rig_id, text, summary, taken_at=moment, reported_at=moment, now_s=self.now_s)

    def silence(self, duration_s: float) -> None:
        self.now_s += duration_s
        self.index.check_health(self.now_s)


@dataclass
class Screen:
    """A page that is open: it takes the steps of its view, as a viewer does who is never behind."""

    farm: LiveFarm
    view: IndexView | RigView
    seen: int = -1

    def __post_init__(self) -> None:
        self.seen = self.farm.index.now_at

    def step(self, wait_s: float = 0.25) -> str:
        """The next frame's HTML; empty if there is none, `resync` if the page has to start again."""
        self.farm.now_s += wait_s
        html = self.view.step(self.seen, self.farm.now_s)
        self.seen = self.farm.index.now_at
        return "resync" if html == RESYNC else html or ""


def ids_in(html: str) -> list[str]:
    """The ids of the elements in a frame, in order."""
    return _ELEMENT.findall(html)


def rows_in(html: str) -> list[int]:
    return [int(name[4:]) for name in ids_in(html) if re.fullmatch(r"rig-\d+", name)]
