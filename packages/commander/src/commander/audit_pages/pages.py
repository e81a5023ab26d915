"""The audit page, and the same entries as a file."""

import csv
import io
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any
from urllib.parse import urlencode

from litestar import Request, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream

from commander.audit.store import Entry, EntryFilter, read_entries
from commander.db import Database
from commander.web.ids import id_in
from commander.web.moments import WrongRange, check_order, moment_in
from commander.web.shell import Html, Page, Section, page

WRONG = 422
ENTRIES_A_PAGE = 100
ENTRIES_AT_ONCE = 1_000
PATH = "/audit"
SECTION = Section("Audit log", PATH, icon="M9 6h12M9 12h12M9 18h12M4 6h1M4 12h1M4 18h1")
TEXT_LONGEST = 256
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
PageRequest = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class FilterForm:
    """The fields as they were filled in; `error` says what is wrong with `error_field`."""

    since: str
    until: str
    who: str
    what: str
    subject: str
    error_field: str = ""
    error: str = ""

    @property
    def is_empty(self) -> bool:
        return not (self.since or self.until or self.who or self.what or self.subject)

    def address(self, path: str, **more: str) -> str:
        """The address of the same entries; `more` says which page of them."""
        fields = {"from": self.since, "to": self.until, "who": self.who, "what": self.what, "subject": self.subject}
        query = urlencode({name: text for name, text in (fields | more).items() if text})
        return f"{path}?{query}" if query else path


@get(PATH, include_in_schema=False)
async def show_audit(request: PageRequest, database: NamedDependency[Database]) -> Html:
    form, wanted = read_form(request.query_params)
    before_id = id_in(str(request.query_params.get("before", "")))
    entries: list[Entry] = []
    if not form.error:
        async with database.reading() as db:
            entries = await read_entries(db, wanted, before_id=before_id, limit=ENTRIES_A_PAGE + 1)
    shown, more = entries[:ENTRIES_A_PAGE], len(entries) > ENTRIES_A_PAGE
    return page(
        "audit_pages/audit.html",
        Page(title="Audit log", section=SECTION),
        status=WRONG if form.error else 200,
        form=form,
        entries=shown,
        csv=form.address(f"{PATH}.csv"),
        newest=form.address(PATH) if before_id else "",
        older=form.address(PATH, before=str(shown[-1].id)) if more else "",
    )


@get(f"{PATH}.csv", include_in_schema=False)
async def download_audit(request: PageRequest, database: NamedDependency[Database]) -> Stream:
    """All entries that match, newest first."""
    form, wanted = read_form(request.query_params)
    if form.error:
        raise WrongRange(form.error_field, form.error)
    headers = {"Content-Disposition": 'attachment; filename="audit.csv"', "Cache-Control": "no-store"}
    return Stream(_file(database, wanted), media_type="text/csv; charset=utf-8", headers=headers)


def read_form(query: Mapping[str, Any]) -> tuple[FilterForm, EntryFilter]:
    """Returns the form as it was filled in, and what it asks for."""
    texts = {name: str(query.get(name, ""))[:TEXT_LONGEST].strip() for name in ("from", "to", "who", "what", "subject")}
    form = FilterForm(texts["from"], texts["to"], texts["who"], texts["what"], texts["subject"])
    try:
        since, until = moment_in(form.since, "from"), moment_in(form.until, "to")
        if since and until:
            check_order(since, until)
    except WrongRange as error:
        wrong = FilterForm(form.since, form.until, form.who, form.what, form.subject, error.field, str(error))
        return wrong, EntryFilter()
    return form, EntryFilter(since, until, form.who, form.what, form.subject)


async def _file(database: Database, wanted: EntryFilter) -> AsyncIterator[str]:
    yield _lines([("at", "who", "address", "what", "subject", "detail")])
    before_id: int | None = None
    while True:
        async with database.reading() as db:
            entries = await read_entries(db, wanted, before_id=before_id, limit=ENTRIES_AT_ONCE)
        if not entries:
            return
        yield _lines(_cells(entry) for entry in entries)
        before_id = entries[-1].id


def _cells(entry: Entry) -> tuple[str, ...]:
    at = entry.at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    texts = (entry.who, entry.address or "", entry.what, entry.subject, entry.detail)
    return (at, *(_plain(text) for text in texts))


def _plain(text: str) -> str:
    """Returns the text as a spreadsheet shows it: strangers write some of it, and "=…" would be a formula."""
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text


def _lines(rows: Iterable[tuple[str, ...]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


HANDLERS: list[HTTPRouteHandler] = [show_audit, download_audit]
