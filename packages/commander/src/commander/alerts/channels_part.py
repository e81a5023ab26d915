"""The section of channels on the page of alerts, with its dialogs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from commander.alerts.channel_forms import SEVERITIES, ChannelForm, FilledField, fields_of, form_of
from commander.live.source import Query
from commander.notifications.alerts_page import HOME, AlertsPart, OpenDialog
from commander.notifications.channel_actions import ChannelActions, ChannelNow
from commander.notifications.domain import Wishes
from commander.notifications.kinds.apprise import is_installed
from commander.notifications.kinds.kind import ChannelKind
from commander.notifications.kinds.registry import KINDS
from commander.notifications.settings_check import kind_of
from commander.readings.severity import Severity
from commander.web.ids import id_in

NAME = "channels"
POSITION = 5
TEMPLATE = "alerts/channels.html"


class ChannelRow(NamedTuple):
    """A line of the table. `tone` and `word` are the channel's state."""

    id: int
    name: str
    kind: str
    wishes: list[str]
    word: str
    tone: str
    error: str
    error_at: datetime | None
    sent_at: datetime | None
    waiting: str
    next_attempt_at: datetime | None


class ChannelsSection(NamedTuple):
    """`notice` is an outcome of what was just done, with its tone."""

    rows: list[ChannelRow]
    kinds: list[tuple[str, str]]
    notice: str
    tone: str


@dataclass(frozen=True, slots=True)
class ChannelDialog:
    """`action` is add, edit or remove."""

    action: str
    kind: ChannelKind
    form: ChannelForm
    fields: list[FilledField] = field(default_factory=list)
    channel_id: int = 0
    name: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        which = f"&channel={self.channel_id}" if self.channel_id else f"&kind={self.kind.name}"
        return f"{HOME}?dialog={self.action}-channel{which}"

    @property
    def post_to(self) -> str:
        return f"{HOME}/channels/{self.channel_id}/{self.action}" if self.channel_id else f"{HOME}/channels"

    @property
    def severities(self) -> tuple[tuple[str, str], ...]:
        return SEVERITIES


def channels_part(actions: ChannelActions) -> AlertsPart:
    async def load(query: Query) -> object:
        notice, tone = _notice(query)
        return ChannelsSection([_row(each) for each in await actions.channels()], kinds_to_add(), notice, tone)

    async def find_dialog(query: Query) -> object | None:
        dialog = query.get("dialog", "")
        if dialog == "add-channel" and (kind := KINDS.get(query.get("kind", ""))):
            return add_dialog(kind, ChannelForm(kind=kind.name))
        channel_id = id_in(query.get("channel", ""))
        if dialog not in ("edit-channel", "remove-channel") or channel_id is None:
            return None
        now = await actions.find(channel_id)
        return edit_dialog(now, form_of(now), action=dialog.partition("-")[0])

    return AlertsPart(NAME, POSITION, TEMPLATE, load, find_dialog)


def add_dialog(kind: ChannelKind, form: ChannelForm, errors: Mapping[str, str] | None = None) -> ChannelDialog:
    return ChannelDialog("add", kind, form, fields_of(kind, form, []), errors=errors or {})


def edit_dialog(
    now: ChannelNow, form: ChannelForm, errors: Mapping[str, str] | None = None, *, action: str = "edit"
) -> ChannelDialog:
    kind = kind_of(now.channel.kind)
    fields = fields_of(kind, form, now.secrets_set)
    return ChannelDialog(action, kind, form, fields, now.channel.id, now.channel.name, errors or {})


def wrong(dialog: ChannelDialog) -> OpenDialog:
    """Returns the dialog again, for the answer to a form that could not be saved."""
    return OpenDialog(NAME, dialog, url=dialog.url, is_wrong=True)


def kinds_to_add() -> list[tuple[str, str]]:
    """Returns name and label of the kinds that can be added here; Apprise is an extra."""
    return [(kind.name, kind.label) for kind in KINDS.values() if kind.name != "apprise" or is_installed()]


def _notice(query: Query) -> tuple[str, str]:
    if "removed-channel" in query:
        return "The channel was removed.", "good"
    tested = query.get("tested", "")
    if tested == "yes":
        return "The test was sent.", "good"
    return ("The test was not sent: the channel's last error says why.", "bad") if tested else ("", "")


def _row(now: ChannelNow) -> ChannelRow:
    channel = now.channel
    kind = KINDS.get(channel.kind)
    word, tone = _state(now)
    return ChannelRow(
        channel.id,
        channel.name,
        kind.label if kind else channel.kind,
        wishes_texts(channel.wishes),
        word,
        tone,
        channel.off_reason or channel.last_error,
        channel.last_error_at,
        channel.last_sent_at,
        "" if not now.waiting else "1 message waits" if now.waiting == 1 else f"{now.waiting:,} messages wait",
        now.next_attempt_at,
    )


def _state(now: ChannelNow) -> tuple[str, str]:
    if not now.channel.is_enabled:
        return ("Switched off: it failed", "bad") if now.channel.off_reason else ("Off", "idle")
    if now.channel.last_error:
        return "Failing", "warning"
    return ("Works", "good") if now.channel.last_sent_at else ("Nothing sent yet", "idle")


def wishes_texts(wishes: Wishes) -> list[str]:
    """Returns what a channel wants, as short texts."""
    texts = []
    if len(set(wishes.severities)) == 1:
        texts = ["critical only" if wishes.severities[0] is Severity.CRITICAL else "warnings only"]
    if wishes.select:
        texts = [*texts, wishes.select]
    if wishes.only_after_s:
        texts = [*texts, f"after {wishes.only_after_s / 60:,.3g} min unacknowledged"]
    if wishes.quiet:
        texts = [*texts, f"quiet {wishes.quiet.since}–{wishes.quiet.until} {wishes.quiet.time_zone}"]
    if wishes.digest:
        texts = [*texts, f"digest at {wishes.digest.at} {wishes.digest.time_zone}"]
    return texts or ["all incidents"]
