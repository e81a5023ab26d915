#!/usr/bin/env python3
"""Writes the files of docs/ and deploy/ that are read off the code: settings, messages, metrics, systemd units.

`--check` only compares.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import get_type_hints

import msgspec
from asic_sentry.dialects.dialect import Dialect, Part, Question
from asic_sentry.dialects.registry import DIALECTS
from asic_sentry.service_unit import SERVICE as ASIC_SERVICE
from asic_sentry.settings import Settings as AsicSentrySettings
from commander.rig_metrics import FAMILIES
from commander.service_unit import SERVICE as COMMANDER_SERVICE
from commander.settings import EXPECTED
from commander.settings import Settings as CommanderSettings
from cpu_gpu_sentry.service_unit import SERVICE as CPU_GPU_SERVICE
from cpu_gpu_sentry.settings import Settings as CpuGpuSentrySettings
from msgspec import inspect
from protocol import (
    asic_messages,
    command_messages,
    enrolment_messages,
    inbox_messages,
    item_signature,
    messages,
    playbook_messages,
)
from protocol.services import unit_text
from sentry_kit.settings import expected as expected_by_sentry

DOCS = Path(__file__).parent.parent / "docs"
DEPLOY = DOCS.parent / "deploy"
SERVICES = (COMMANDER_SERVICE, CPU_GPU_SERVICE, ASIC_SERVICE)
PROMETHEUS = (Path(__file__).parent / "prometheus_page.md").read_text(encoding="utf-8")
COUNT_LIMIT = 2**53  # the bound of every count; not worth a word in the docs
GENERATED = "<!-- Written by devtools/write_docs.py (`make docs`); change the code, not this page. -->\n"

SETTINGS_HEAD = """
# Settings

A setting is a variable of the environment. An unknown or unreadable one stops the program with its name and
what was expected.

The commander also reads `commander.toml` in its data directory: the same names in lower case and without the prefix,
such as `port = 8443`. The environment comes first.
"""

PROTOCOL_HEAD = """
# Protocol

What travels between sentries and the commander: JSON over HTTPS, with these headers. Bodies may be packed with gzip or
zstd and have 4 MiB at most unpacked.

| header | has |
|---|---|
| `Authorization: Bearer <token>` | the token of the rig, site or farm |
| `Sentry-Key` | the `key` of the CPU/GPU sentry, beside its rig's token: see [a bound rig](#a-bound-rig) |
| `Sentry-Run` | a text that differs with each start of a sentry; by it two sentries with one token are noticed |

| call | body | answer |
|---|---|---|
| `GET /api/v1/sentry` | | 200 `SentryWelcome` |
| `POST /api/v1/sentry/installed` | | 204; sent by the line of the installation before the sentry connects, \
for the page that shows the steps |
| `POST /api/v1/sentry/enrol` | `Identity` | 201 `Enrolled`; with a farm token, or with the token of the rig whose \
data folder was copied; see [enrolment](#enrolment) |
| `PUT /api/v1/sentry/identity` | `Identity` | 204; sent at each start, before anything else |
| `PUT /api/v1/sentry/specs` | `CpuGpuSpecs` | 204 |
| `POST /api/v1/sentry/logs` | `LogReport` | 200 `LogReceipt`; `stored` logs are committed to the database |
| `GET /api/v1/sentry/inbox` | | 200 `InboxItems`; see [the inbox](#the-inbox) |
| `GET /api/v1/sentry/playbooks` | | for sentries of earlier versions: 200 `Playbooks` with an `ETag`; \
304 to the same `If-None-Match`; with \
`Prefer: wait=50` the answer waits up to that many seconds for news |
| `PUT /api/v1/sentry/playbooks/status` | `PlaybooksStatus` | 204 |
| `POST /api/v1/sentry/output` | `OutputReport` | 204 |
| `PUT /api/v1/sentry/commands/status` | `CommandsStatus` | 204; sent again until it is answered |
| `POST /api/v1/sentry/events` | `LadderEvents` | 204; an event is known by its `id`. A commander that answers \
404 gets them later |
| `POST /api/v1/sentry/asic-logs` | `AsicReport` | 200 `AsicReceipt`; each item has its token, so \
`Authorization` is optional: with one valid token there the body does not count as a stranger's |
| `POST /api/v1/sentry/asic-rigs` | `Adoption` | 201 `AdoptionAnswer`; with a site token |

An error is a `Problem` (RFC 9457):

| status | means |
|---|---|
| 400 | the body can't be unpacked, or its JSON is nested too deeply. Don't send it again |
| 401 `invalid_token` | the token is unknown: keep the logs and ask for another token. If `errors` names the field \
`Sentry-Key`, the token belongs to another machine |
| 403 `farm_token_expired`, `farm_token_used_up`, `farm_token_revoked` | the farm token enrolls no more rigs |
| 408 | too slow: headers have 10 s, a body has 30 s and at least 1 KiB/s. The connection ends |
| 409 `clone` | another machine is this rig: see [enrolment](#enrolment) |
| 410 `rig_removed` | the rig was removed |
| 413, 415, 422 | the body is too large; is not JSON; has a wrong field. Don't send it again |
| 429, 503 | throttled; overloaded, or database or queue away. Come back after `Retry-After`; nothing is lost |
| 431 | address and headers have more than 64 KiB, or there are more than 100 headers. The connection ends |

`HEAD` works wherever `GET` does. Answers to `GET` are compressed by zstd or gzip if `Accept-Encoding` allows it.
Tokens are checked before a body is read. All bodies in memory share 96 MiB: those of strangers 32 MiB, those of one
stranger's address (of IPv6: /64 network) 10 MiB.

## Enrolment

A sentry makes a random `key` at its first start and sends it with each `Identity`. With a farm token and a key that is
new, the commander makes a rig, which costs one use. The same key again gets the same rig and another token, and costs
no use: a sentry that has lost the answer asks again. A rig that waits for approval reports, and gets an empty list of
playbooks and no other item.

A copy of a data folder has the key and the token of its rig, on a machine with other MACs. The commander answers such a
machine 503 `machine_unclear` until it is clear which case it is:

* the rig reports meanwhile: two machines are alive at once. The new one gets 409 `clone`. It makes another key and
  sends that to `/api/v1/sentry/enrol` with the rig's token. Its new rig, “copy of rig-07”, waits for approval;
* the rig reports nothing for `COMMANDER_OFFLINE_AFTER_S`: it has got another network card, and the answer is 204.

A machine with one of the rig's MACs, or with its mainboard, gets 204 at once. If `two_sentries` is true in a receipt,
the sentry sends its identity again; the one that came later then gets 409 `clone`. Until the answer is 204 or 404 (a
commander of an earlier version), a sentry sends nothing else.

## A bound rig

A rig is bound to a machine when its sentry's `Identity` is answered 204, and the request has the header `Sentry-Key`
with the same `key`. From then on every call takes the rig's token only with this header, and answers 401
`invalid_token` otherwise. A copy of the data folder sends the key of the rig that it was copied from, until it has a
rig of its own. A new token ends the binding: the rig is then the first machine that sends its identity with the new
token. Sentries of version 0.1 and scripts that have only a token send no key. Their rigs stay unbound, and need none.

## The inbox

A CPU/GPU sentry keeps one request open. It names each kind of item and the version that it has:

    GET /api/v1/sentry/inbox?playbooks=5d41402a&commands=b1946ac9
    Prefer: wait=50

The answer, `InboxItems`, has the items whose version differs. If there is none, the commander waits for one, 50 s at
most, and then answers with an empty list. A sentry stores an item before it names its version, so an item comes at
least once. It names the versions of kinds that it does not know, too. A sentry that gets 404 asks for the playbooks
alone.

Items are signed with the key of the `SentryWelcome`. The signature is about the bytes of
`["minewarden inbox item 1",kind,key_id,rig_id,number,sha256]`: JSON without spaces, and `sha256` is that of the body's
bytes as they travel, in hexadecimal. A sentry that knows the key takes no other item, and none whose number is not
above the newest that it has taken. It sends that one in the header `Minewarden-Signed`, as a `SignedItem` in JSON. The
commander signs with a higher number then.

Kinds of items:

| `kind` | `body` |
|---|---|
{kinds}

## Units and limits

Units stand in the names: `_c` degrees Celsius, `_w` watts, `_hs` hashes (Equihash-like: solutions) per second, `_s`
seconds, `_bytes`, `_mhz`, `_rpm`, `_percent`. Times are RFC 3339 with a zone. A field that is `null` or absent is
unknown; it is never sent as 0 instead. Messages only ever grow: unknown fields are ignored, and no field changes its
meaning or unit. One example of each stands in `packages/protocol/tests/golden/`.

Beside a field stand its lowest and highest possible value (`protocol/figures.py` gives their sources). Sentries leave
out an impossible value, a text that is too long and, in a log, a value of another type. So does the commander, which
stores the rest of the log.
"""

COMMANDER_DEFAULTS = {
    "data_dir": "the platform's data folder",
    "public_url": "`https://<host name>:<port>`",
    "database_url": "SQLite in the data directory",
    "password": "made and printed at the first start",
}
SENTRY_DEFAULTS = {"data_dir": "the platform's data folder", "ui_password": "none"}


def settings_page() -> str:
    parts = [GENERATED, SETTINGS_HEAD]
    parts += _settings("Commander", "COMMANDER_", CommanderSettings, EXPECTED.__getitem__, COMMANDER_DEFAULTS)
    for title, prefix, kind in (
        ("CPU/GPU sentry", "CPU_GPU_SENTRY_", CpuGpuSentrySettings),
        ("ASIC sentry", "ASIC_SENTRY_", AsicSentrySettings),
    ):
        hints = get_type_hints(kind, include_extras=True)
        parts += _settings(title, prefix, kind, lambda name, hints=hints: _sentry_expects(hints[name]), SENTRY_DEFAULTS)  # type: ignore[misc]
    return "".join(parts)


def _sentry_expects(hint: object) -> str:
    return "a folder" if hint is Path else expected_by_sentry(hint)


def _settings(
    title: str, prefix: str, kind: type[msgspec.Struct], expected: Callable[[str], str], defaults: Mapping[str, str]
) -> Iterator[str]:
    unset = "none" if kind is CommanderSettings else "the commander's"
    yield f"\n## {title}\n\n| setting | default | expected |\n|---|---|---|\n"
    for field in msgspec.structs.fields(kind):
        default = defaults.get(field.name) or _default(field.default, unset)
        yield f"| `{prefix}{field.name.upper()}` | {default} | {expected(field.name)} |\n"


def _default(value: object, unset: str) -> str:
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return unset if value in (None, "") else f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def protocol_page() -> str:
    rows = [f"| `{kind}` | `{name}` |" for name, kind in inbox_kinds()]
    parts = [GENERATED, PROTOCOL_HEAD.replace("{kinds}", "\n".join(rows)), "\n## Messages\n"]
    for kind in message_kinds():
        parts += _message(kind)
    return "".join(parts)


def inbox_kinds() -> Iterator[tuple[str, str]]:
    """The messages that are items of the inbox, each with its kind."""
    for each in message_kinds():
        if kind := getattr(each, "INBOX_KIND", None):
            yield each.__name__, kind


def message_kinds() -> list[type[msgspec.Struct]]:
    """Every message of the protocol, in the order of the code."""
    modules = (messages, asic_messages, playbook_messages, command_messages, enrolment_messages, inbox_messages)
    named = {name: each for module in (*modules, item_signature) for name, each in vars(module).items()}.values()
    found = [each for each in named if isinstance(each, type) and issubclass(each, msgspec.Struct)]
    return [each for each in found if each not in (msgspec.Struct, messages.Message)]


def _message(kind: type[msgspec.Struct]) -> Iterator[str]:
    yield f"\n### {kind.__name__}\n\n"
    if kind.__doc__ and kind.__doc__ != messages.Message.__doc__:
        yield f"{' '.join(kind.__doc__.split())}\n\n"
    yield "| field | what | |\n|---|---|---|\n"
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)  # noqa: S101 - kinds are structs
    for field in info.fields:
        yield f"| `{field.encode_name}` | {words(field.type)} | {'required' if field.required else ''} |\n"


def words(kind: inspect.Type) -> str:
    """A field's type for people."""
    match kind:
        case inspect.UnionType():
            return " or ".join(words(each) for each in kind.types if not isinstance(each, inspect.NoneType))
        case inspect.StructType():
            return f"[{kind.cls.__name__}](#{kind.cls.__name__.lower()})"
        case inspect.ListType():
            most = f", {kind.max_length} at most" if kind.max_length else ""
            return f"list of {words(kind.item_type)}{most}"
        case inspect.EnumType():
            return "one of " + ", ".join(f"`{each.value}`" for each in kind.cls)
        case inspect.StrType():
            return "text" + (f", {kind.max_length} characters at most" if kind.max_length else "")
        case _:
            return _simple_words(kind)


def _bounds(kind: inspect.Type) -> str:
    lowest, highest = getattr(kind, "ge", None), getattr(kind, "le", None)
    return "" if lowest is None or highest is None or highest >= COUNT_LIMIT else f", {lowest:,} to {highest:,}"


def _simple_words(kind: inspect.Type) -> str:
    names = {
        inspect.IntType: f"whole number{_bounds(kind)}",
        inspect.FloatType: f"number{_bounds(kind)}",
        inspect.BoolType: "true or false",
        inspect.DateTimeType: "time",
        inspect.RawType: "a message, decoded by itself",
    }
    return names.get(type(kind), type(kind).__name__)


def prometheus_page() -> str:
    rows = [f"| `{family.name}` | {family.kind} | {family.help} |\n" for family in FAMILIES]
    head, foot = PROMETHEUS.split("TABLE\n")
    return "".join([GENERATED, head, "| metric | type | |\n|---|---|---|\n", *rows, foot])


MAKES_BEGIN = "<!-- makes: written by `make docs` from the registry of dialects -->\n"
MAKES_END = "<!-- end of makes -->\n"


def asics_page() -> str:
    """Returns docs/asics.md with its table of makes; the rest of the page is written by hand."""
    page = (DOCS / "asics.md").read_text(encoding="utf-8")
    before, rest = page.split(MAKES_BEGIN)
    return "".join([before, MAKES_BEGIN, *_make_rows(), MAKES_END, rest.split(MAKES_END)[1]])


def _make_rows() -> Iterator[str]:
    yield "| make | firmware | ports | read | not read | remark | requests of a poll | written after |\n"
    yield "|---|---|---|---|---|---|---|---|\n"
    for dialect in sorted(DIALECTS, key=lambda each: (not each.makes, sorted(each.makes), each.port)):
        makes = ", ".join(sorted(dialect.makes)) or "others"
        asked = ", ".join(f"`{question.title}`" for question in dialect.poll_questions)
        read = ", ".join(part for part in Part if part not in dialect.lacks)
        told = f"{read} | {', '.join(dialect.lacks)} | {dialect.remark} | {asked}"
        source = "recorded answers" if dialect.recorded else "source, not recorded"
        yield f"| {makes} | {dialect.firmware} | {_ports_of(dialect)} | {told} | {source} |\n"


def _ports_of(dialect: Dialect) -> str:
    """Returns the port of the API, then those of pages beside it: a firewall between them has to let all pass."""
    if not dialect.makes:
        return ""
    pages = {each.port for each in dialect.questions if isinstance(each, Question) and each.port is not None}
    return ", ".join(map(str, [dialect.port, *sorted(pages)]))


PAGES = {
    "asics.md": asics_page,
    "settings.md": settings_page,
    "protocol.md": protocol_page,
    "prometheus.md": prometheus_page,
}


def generated() -> dict[Path, str]:
    """Returns the text of each generated file: pages of docs/, and units of deploy/ for programs in /opt/minewarden."""
    units = {
        DEPLOY / f"{each.name}.service": unit_text(each, f"/opt/minewarden/bin/{each.program} {each.argument}")
        for each in SERVICES
    }
    return {DOCS / name: page() for name, page in PAGES.items()} | units


def outdated() -> list[str]:
    """Returns the files that differ from what the code generates."""
    return [
        f"{path.parent.name}/{path.name}"
        for path, text in generated().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


def main() -> int:
    if "--check" in sys.argv:
        if old := outdated():
            print(f"{', '.join(old)}: not what the code says; run `make docs`.", file=sys.stderr)
        return 1 if old else 0
    for path, text in generated().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
