"""The form of a channel, as a browser sends it."""

from typing import NamedTuple

import msgspec

from commander.notifications.channel_actions import ChannelNow, ChannelOrder
from commander.notifications.domain import Digest, QuietHours, Wishes
from commander.notifications.kinds.kind import ChannelKind, FormField
from commander.readings.severity import Severity

SEVERITIES = (
    ("both", "Warnings and critical ones"),
    ("critical", "Critical ones only"),
    ("warning", "Warnings only"),
)
_CHOSEN: dict[str, tuple[Severity, ...]] = {
    "both": (Severity.WARNING, Severity.CRITICAL),
    "critical": (Severity.CRITICAL,),
    "warning": (Severity.WARNING,),
}
_MINUTES_AT_MOST = 24 * 60


class ChannelForm(msgspec.Struct, frozen=True, kw_only=True):
    """The fields as a person fills them in: those of all channels, then those of the kinds."""

    name: str = ""
    kind: str = ""
    severities: str = "both"
    select: str = ""
    only_after_min: str = ""
    quiet_from: str = ""
    quiet_until: str = ""
    digest_at: str = ""
    time_zone: str = ""
    enabled: str = "yes"
    url: str = ""
    secret: str = ""
    webhook_url: str = ""
    server: str = ""
    topic: str = ""
    token: str = ""
    app_token: str = ""
    user_key: str = ""
    host: str = ""
    port: str = ""
    security: str = ""
    username: str = ""
    password: str = ""
    sender: str = ""
    recipients: str = ""
    bot_token: str = ""
    chat_id: str = ""


class FilledField(NamedTuple):
    """A field of the kind with its value; of a secret only whether one is stored."""

    field: FormField
    value: str
    is_stored: bool


def form_of(now: ChannelNow) -> ChannelForm:
    """Returns the form of a stored channel, without its secrets."""
    channel, wishes = now.channel, now.channel.wishes
    shown = {name: _text(value) for name, value in now.settings.items() if name in ChannelForm.__struct_fields__}
    zones = [part.time_zone for part in (wishes.quiet, wishes.digest) if part]
    return msgspec.structs.replace(
        ChannelForm(name=channel.name, kind=channel.kind, select=wishes.select),
        severities=next((name for name, chosen in _CHOSEN.items() if set(chosen) == set(wishes.severities)), "both"),
        only_after_min=f"{wishes.only_after_s / 60:g}" if wishes.only_after_s else "",
        quiet_from=wishes.quiet.since if wishes.quiet else "",
        quiet_until=wishes.quiet.until if wishes.quiet else "",
        digest_at=wishes.digest.at if wishes.digest else "",
        time_zone=zones[0] if zones else "",
        enabled="yes" if channel.is_enabled or channel.off_reason else "no",
        **shown,
    )


def fields_of(kind: ChannelKind, form: ChannelForm, secrets_set: list[str]) -> list[FilledField]:
    return [
        FilledField(field, "" if field.secret else str(getattr(form, field.name)), field.name in secrets_set)
        for field in kind.fields
    ]


def read_form(kind: ChannelKind, form: ChannelForm) -> tuple[ChannelOrder, dict[str, str]]:
    """Returns the channel, and what is wrong by field. Actions check the rest."""
    errors = dict[str, str]()
    settings = {field.name: _value(field.name, str(getattr(form, field.name)).strip(), errors) for field in kind.fields}
    wishes = Wishes(
        severities=_CHOSEN.get(form.severities, _CHOSEN["both"]),
        select=form.select.strip(),
        only_after_s=_seconds(form.only_after_min.strip(), errors),
        quiet=_quiet(form, errors),
        digest=_digest(form, errors),
    )
    return ChannelOrder(form.name, kind.name, settings, wishes, form.enabled != "no"), errors


def _value(name: str, text: str, errors: dict[str, str]) -> object:
    if name == "recipients":
        return [part.strip() for part in text.split(",") if part.strip()] or None
    if name == "port" and text:
        if not (text.isdecimal() and len(text) <= 5 and 0 < int(text) < 65536):
            errors["port"] = "Enter a number from 1 to 65535."
            return None
        return int(text)
    return text or None


def _seconds(text: str, errors: dict[str, str]) -> int:
    if not text:
        return 0
    if not (text.isdecimal() and len(text) <= 4 and int(text) <= _MINUTES_AT_MOST):
        errors["only_after_min"] = f"Enter whole minutes, {_MINUTES_AT_MOST:,} at most."
        return 0
    return int(text) * 60


def _quiet(form: ChannelForm, errors: dict[str, str]) -> QuietHours | None:
    since, until = form.quiet_from.strip(), form.quiet_until.strip()
    if not since and not until:
        return None
    values = {"from": since, "until": until, "time_zone": form.time_zone.strip() or "UTC"}
    try:
        return msgspec.convert(values, QuietHours)
    except msgspec.ValidationError:
        errors["quiet_from" if not _is_clock(since) else "quiet_until"] = "Enter a time such as 22:00."
        return None


def _digest(form: ChannelForm, errors: dict[str, str]) -> Digest | None:
    if not form.digest_at.strip():
        return None
    try:
        values = {"at": form.digest_at.strip(), "time_zone": form.time_zone.strip() or "UTC"}
        return msgspec.convert(values, Digest)
    except msgspec.ValidationError:
        errors["digest_at"] = "Enter a time such as 08:00."
        return None


def _is_clock(text: str) -> bool:
    try:
        msgspec.convert({"at": text}, Digest)
    except msgspec.ValidationError:
        return False
    return True


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)
    return "" if value in (0, None) else str(value)
