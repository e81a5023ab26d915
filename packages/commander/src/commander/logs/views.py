"""What a log page is sent while it is open: its heading, and what its rig says now."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from commander.live.operational_index import Health, OperationalIndex, RigState
from commander.logs.charts import chart_now, readings_of
from commander.rigs.kinds import PATHS, RigKind
from commander.rigs.rows import HEALTH_TONES, HEALTH_WORDS
from commander.web.shell import Section, macro

LABELS = {RigKind.CPU_GPU: "CPU/GPU rigs", RigKind.ASIC: "ASICs"}
SECTIONS = {RigKind.CPU_GPU: Section.RIGS, RigKind.ASIC: Section.ASICS}
Parts = dict[str, str]


@dataclass(frozen=True, slots=True)
class LogHead:
    name: str
    path: str
    word: str
    tone: str


def log_head(kind: RigKind, state: RigState) -> LogHead:
    health = state.health
    return LogHead(state.name, f"{PATHS[kind]}/{state.id}", HEALTH_WORDS[health], HEALTH_TONES[health])


def log_sections(kind: RigKind, state: RigState) -> Parts:
    """The live parts of a log page. A rig that waited has a page without charts: it starts again."""
    return {
        "head": macro("logs/log_parts.html", "head", log_head(kind, state)),
        "now": chart_now(state.taken_at, readings_of(kind, state)),
    }


class LogView:
    """One rig's log page."""

    def __init__(self, kind: RigKind, index: OperationalIndex, rig_id: int) -> None:
        self._kind = kind
        self._rigs = index.rigs
        self._id = rig_id
        state = self._rigs.get(rig_id)
        self._name = state.name if state else ""
        self._waited = state is not None and state.health is Health.WAITING
        self._sent: Parts = {}

    def catch_up(self, since: int) -> str | None:
        state = self._rigs.get(self._id)
        if state is None:
            return self._leave()
        if state.changed_at <= since:
            return None
        return "".join(log_sections(self._kind, state).values())

    def step(self, since: int, now_s: float) -> str | None:
        state = self._rigs.get(self._id)
        if state is None:
            return self._leave()
        if state.changed_at <= since:
            return None
        self._name = state.name
        before, self._sent = self._sent, log_sections(self._kind, state)
        return "".join(html for name, html in self._sent.items() if html != before.get(name))

    def _leave(self) -> str:
        return f'<a id="leave" data-go="{PATHS[self._kind]}?removed={quote(self._name, safe="")}"></a>'


def log_view_of(
    query: Mapping[str, str], kind: RigKind, index: OperationalIndex
) -> tuple[tuple[str, int], Callable[[], LogView]]:
    """The view that a log page's socket asks for. Raises `ValueError`."""
    rig_id = int(query.get("rig", ""))
    return ("log", rig_id), lambda: LogView(kind, index, rig_id)
