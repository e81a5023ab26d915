"""The live sections of pages about playbooks: of the rig's page, the list of its playbooks and a playbook's page."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime

import msgspec
from protocol import units
from protocol.playbook_messages import Platform, PlaybookState, PlaybookStatus, PlaybookWork

from commander.live.frames import RESYNC, View
from commander.live.operational_index import OperationalIndex
from commander.live.playbooks import PlaybookNow
from commander.live.rig_names import leave_html, rename_html
from commander.live.rig_state import Health, RigState
from commander.live.rigs import LiveRigs
from commander.live.source import LiveView, Query
from commander.live.wallets import wallet_alarms
from commander.playbooks.domain import platform_of
from commander.readings.wallet_guard import Difference, wallet_words
from commander.web.shell import macro

Parts = dict[str, str]


class _Os(msgspec.Struct, frozen=True):
    os: str | None = None


_os = msgspec.json.Decoder(_Os)
STATES = {
    PlaybookState.WAITING: ("Waiting", "idle"),
    PlaybookState.DOWNLOADING: ("Downloading", "idle"),
    PlaybookState.INSTALLING: ("Installing", "idle"),
    PlaybookState.STARTING: ("Starting", "idle"),
    PlaybookState.MINING: ("Mining", "good"),
    PlaybookState.RESTARTING: ("Restarting", "warning"),
    PlaybookState.PAUSED: ("Paused", "idle"),
    PlaybookState.FAILED: ("Failed", "bad"),
    PlaybookState.UNKNOWN: ("Unknown", "idle"),
}
NOT_YET = ("Not yet on the rig", "idle")


@dataclass(frozen=True, slots=True)
class WorkLine:
    """One algorithm with its coin, pool and wallet."""

    label: str
    algorithm: str
    pool: str
    user: str
    short_user: str


@dataclass(frozen=True, slots=True)
class PlaybookView:
    """A playbook for people. `word` and `tone` are its state, `since` when it began.

    `ended`: it has done nothing since then. `outdated`: its sentry has not taken the newest revision yet.
    """

    id: int
    rig_id: int
    name: str
    software: str
    revision: int
    paused: bool
    word: str
    tone: str
    percent: int | None
    since: datetime | None
    ended: bool
    reason: str
    last_lines: str
    restarts: int | None
    api_port: int | None
    pinned_sha256: str
    runs_as: str
    root: bool
    outdated: bool
    works: list[WorkLine]
    wrong_platform: str
    first: bool
    last: bool


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm of the wallet guard: a miner has another pool or wallet than its playbook."""

    playbook_id: int
    playbook: str
    differences: list[Difference]


@dataclass(frozen=True, slots=True)
class OutputView:
    name: str
    id: int
    text: str


def playbook_views(state: RigState) -> list[PlaybookView]:
    return [_view(state, at, each) for at, each in enumerate(state.playbooks)]


def playbook_view(state: RigState, playbook_id: int) -> PlaybookView | None:
    return next((view for view in playbook_views(state) if view.id == playbook_id), None)


def alarms(state: RigState) -> list[Alarm]:
    """Returns the alarms of a rig that is not offline. The last report of an offline rig is too old for one."""
    if not state.playbooks or state.latest is None or state.health is Health.OFFLINE:
        return []
    found = wallet_alarms(state.summary.mining, state.playbooks, state.taken_at)
    return [Alarm(playbook.id, playbook.wire.name, differences) for playbook, differences in found]


def _wallet_of(state: RigState, playbook_id: int) -> str:
    return next((_wallet(state, each) for each in state.playbooks if each.id == playbook_id), "")


def _wallet(state: RigState, playbook: PlaybookNow) -> str:
    if state.latest is None or state.health is Health.OFFLINE:
        return ""
    own = (each for each in state.summary.mining.of_playbooks if each.playbook_id == playbook.wire.id)
    return next((wallet_words(playbook.wire.works, each.accounts, playbook.wallet_evidence) for each in own), "")


def outputs(state: RigState) -> list[OutputView]:
    """Returns the newest lines of playbooks that have printed any."""
    return [OutputView(each.wire.name, each.id, each.tail) for each in state.playbooks if each.tail]


def rig_sections(state: RigState) -> Parts:
    """The rig page's own."""
    return {
        "guard": macro("playbooks/live.html", "guard", state.id, alarms(state), state.playbooks_refused),
        "playbooks": macro("playbooks/live.html", "on_rig", state.id, playbook_views(state)),
    } | output_sections(state)


def output_sections(state: RigState) -> Parts:
    """Renders what the mining software printed, for the rig's page and its log page."""
    return {"output": macro("playbooks/live.html", "output", outputs(state))}


def list_sections(state: RigState) -> Parts:
    return {
        "guard": macro("playbooks/live.html", "guard", state.id, alarms(state), state.playbooks_refused),
        "list": macro("playbooks/live.html", "listing", state.id, playbook_views(state)),
    }


def page_sections(state: RigState, playbook_id: int) -> Parts:
    """Returns the sections of one playbook's page."""
    view = playbook_view(state, playbook_id)
    mine = [alarm for alarm in alarms(state) if alarm.playbook_id == playbook_id]
    printed = [each for each in outputs(state) if each.id == playbook_id]
    return {
        "guard": macro("playbooks/live.html", "guard", state.id, mine, state.playbooks_refused),
        "state": macro("playbooks/live.html", "state", view, _wallet_of(state, playbook_id)),
        "output": macro("playbooks/live.html", "output", printed),
    }


def _view(state: RigState, at: int, playbook: PlaybookNow) -> PlaybookView:
    wire, status = playbook.wire, playbook.status
    word, tone = STATES[status.state] if status else NOT_YET
    offline = state.health is Health.OFFLINE  # its present state is unknown
    if status and offline:
        word, tone = f"{word} at the last report", "idle"
    status = status or PlaybookStatus(playbook_id=str(playbook.id), revision=wire.revision, state=PlaybookState.UNKNOWN)
    return PlaybookView(
        id=playbook.id,
        rig_id=state.id,
        name=wire.name,
        software=f"{wire.package.software} {wire.package.version}",
        revision=wire.revision,
        paused=wire.paused,
        word=word,
        tone=tone,
        percent=None if status.percent is None else round(status.percent),
        since=None if offline else status.since,
        ended=status.state is PlaybookState.FAILED,
        reason=status.reason or "",
        last_lines="\n".join(status.last_lines),
        restarts=status.restarts,
        api_port=status.api_port,
        pinned_sha256=status.pinned_sha256 or "",
        runs_as=status.runs_as or "",
        root=wire.root,
        outdated=playbook.status is not None and status.revision < wire.revision,
        works=[_work(work) for work in wire.works],
        wrong_platform=_wrong_platform(state, wire.platform),
        first=at == 0,
        last=at == len(state.playbooks) - 1,
    )


def _work(work: PlaybookWork) -> WorkLine:
    return WorkLine(
        label=work.coin or work.algorithm or "Mining",
        algorithm=work.algorithm or units.UNKNOWN,
        pool=work.pool or units.UNKNOWN,
        user=work.user or "",
        short_user=units.shortened(work.user) if work.user else units.UNKNOWN,
    )


def _wrong_platform(state: RigState, platform: Platform) -> str:
    """The system that the rig has turned out to run, where the script was written for the other."""
    runs = platform_of(_os.decode(state.specs).os) if state.specs else platform
    return "" if runs is platform else ("Windows" if runs is Platform.WINDOWS else "Linux")


class PlaybooksPage:
    """The list of a rig's playbooks, or one playbook's page, the same for all viewers."""

    def __init__(self, index: OperationalIndex, rig_id: int, playbook_id: int | None) -> None:
        self._rigs = index.rigs
        self._rig_id = rig_id
        self._playbook_id = playbook_id
        self._name = index.rigs[rig_id].name if rig_id in index.rigs else index.removed_names.get(rig_id, "")
        self._sent: Parts = {}

    def catch_up(self, since: int) -> str | None:
        state = self._rigs.get(self._rig_id)
        if gone := self._leave(state):
            return gone
        if state is None or max(state.changed_at, state.page_changed_at) <= since:
            return None
        if self._is_another(state, since):
            return RESYNC
        return "".join(self._sections(state).values()) + _renamed(state, since)

    def step(self, since: int, now_s: float) -> str | None:
        state = self._rigs.get(self._rig_id)
        if gone := self._leave(state):
            return gone
        if state is None or max(state.changed_at, state.page_changed_at) <= since:
            return None
        if self._is_another(state, since):
            self._sent = {}
            return RESYNC
        before, self._sent = self._sent, self._sections(state)
        changed = "".join(html for name, html in self._sent.items() if html != before.get(name))
        return changed + _renamed(state, since) or None

    def _is_another(self, state: RigState, since: int) -> bool:
        """Returns whether the page must be loaded again: script and revisions are not sent in frames."""
        return self._playbook_id is not None and state.playbooks_changed_at > since

    def _sections(self, state: RigState) -> Parts:
        return list_sections(state) if self._playbook_id is None else page_sections(state, self._playbook_id)

    def _leave(self, state: RigState | None) -> str | None:
        if state is None:
            return leave_html("/cpu-gpu", self._name)
        self._name = state.name
        if self._playbook_id is None or any(each.id == self._playbook_id for each in state.playbooks):
            return None
        return f'<a id="leave" data-go="/cpu-gpu/{self._rig_id}/playbooks"></a>'


def _renamed(state: RigState, since: int) -> str:
    return rename_html(state) if state.renamed_at > since else ""


def names_of(rig_id: int) -> str:
    """Returns the WebSocket's address for a page about this rig without metrics."""
    return f"/live?view=names&rig={rig_id}"


def live_view(live: LiveRigs) -> LiveView:
    """The live list of a rig's playbooks, or one playbook's live page."""

    def find(query: Query) -> tuple[Hashable, Callable[[], View]]:
        rig_id, playbook = int(query.get("rig", "")), query.get("playbook")
        playbook_id = int(playbook) if playbook else None
        return (rig_id, playbook_id), lambda: PlaybooksPage(live.index, rig_id, playbook_id)

    return LiveView("playbooks", live, find)
