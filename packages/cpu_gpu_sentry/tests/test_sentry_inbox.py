"""The sentry's inbox: which items it names, which it takes, and what it does with a commander that has no inbox."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress

import httpx
import msgspec
import pytest
from cpu_gpu_sentry.connection import Session
from cpu_gpu_sentry.inbox import Inbox
from cpu_gpu_sentry.signing.guard import SignatureGuard
from cpu_gpu_sentry.signing.store import AT_ENROLMENT, SigningPin, save_pin
from protocol.inbox_messages import InboxItem, InboxItems
from protocol.item_signature import SIGNED_HEADER, ItemSignature, SignedItem, from_header
from protocol.messages import Problem
from protocol.playbook_messages import Playbooks
from protocol.tokens import Token, TokenKind, new_token
from sentry_kit.client import CommanderClient, CommanderError
from sentry_kit.rig_uploader import DiskTrouble
from signatures import RIG_ID, SigningKey, close_stores, guard_of, store_in_memory

TOKEN = new_token(TokenKind.RIG, pin=None)
NOTHING = msgspec.json.encode(Playbooks(playbooks=[]))
NO_INBOX = Problem(title="Not found", status=404, detail="There is nothing here.", code="not_found")


@pytest.fixture(autouse=True)
def closed_stores() -> Iterator[None]:
    yield
    close_stores()


class Kept:
    """A handler that keeps its newest item in memory."""

    def __init__(self, kind: str, message: type[msgspec.Struct | int | str] = int) -> None:
        self.kind, self.version, self._message = kind, "", message
        self.items: list[object] = []
        self.is_full = False

    async def take(self, token: Token, item: InboxItem) -> bool:
        body = msgspec.json.decode(item.body, type=self._message)
        if self.is_full:
            raise DiskTrouble("The disk is full; make room.")
        is_news = item.version != self.version
        self.version = item.version
        self.items.append(body)
        return is_news


class Commander:
    """Answers the inbox from `items`, by kind; holds no request longer than until the next change."""

    def __init__(self, items: Mapping[str, tuple[str, bytes]], *, has_inbox: bool = True) -> None:
        self.items, self.has_inbox = dict(items), has_inbox
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.etags: list[str | None] = []
        self.signatures: dict[str, ItemSignature | None] = {}  # by version
        self.signed: list[SignedItem | None] = []
        self.is_asked, self.changed = asyncio.Event(), asyncio.Event()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        versions = dict(request.url.params)
        self.asked.append((request.url.path, versions))
        self.is_asked.set()
        if request.url.path.endswith("/playbooks"):
            return await self._playbooks(request)
        if not self.has_inbox:
            return httpx.Response(404, content=msgspec.json.encode(NO_INBOX))
        while not (news := {kind: item for kind, item in self.items.items() if versions.get(kind) != item[0]}):
            self.changed.clear()
            await self.changed.wait()
        self.signed.append(from_header(request.headers.get(SIGNED_HEADER)))
        items = [
            InboxItem(kind=kind, version=item[0], body=msgspec.Raw(item[1]), signature=self.signatures.get(item[0]))
            for kind, item in news.items()
        ]
        return httpx.Response(200, content=msgspec.json.encode(InboxItems(items=items)))

    async def _playbooks(self, request: httpx.Request) -> httpx.Response:
        version, body = self.items["playbooks"]
        self.etags.append(request.headers.get("If-None-Match"))
        while request.headers.get("If-None-Match") == f'"{version}"':
            await self.changed.wait()
        return httpx.Response(200, content=body, headers={"ETag": f'"{version}"'})

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self.is_asked.clear()
                await self.is_asked.wait()


@asynccontextmanager
async def receiving(
    commander: Commander, *handlers: Kept, every_s: float = 60, guard: SignatureGuard | None = None
) -> AsyncIterator["asyncio.Task[None]"]:
    """An inbox that asks this commander."""
    http = httpx.AsyncClient(transport=httpx.MockTransport(commander), base_url="https://commander.lan")
    session = Session(CommanderClient(http, TOKEN), TOKEN, worked=lambda: None)
    task = asyncio.ensure_future(Inbox(handlers, lambda: every_s, guard or guard_of()).receive_for_ever(session))
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, CommanderError, DiskTrouble):
            await task
        await http.aclose()


async def test_each_item_goes_to_the_handler_of_its_kind_and_its_version_is_named_then() -> None:
    one, two = Kept("one"), Kept("two")
    commander = Commander({"one": ("a", b"1"), "two": ("b", b"2")})
    async with receiving(commander, one, two):
        await commander.until(lambda: len(commander.asked) == 2)
        commander.items["two"] = ("c", b"3")
        commander.changed.set()
        await commander.until(lambda: len(commander.asked) == 3)
    assert commander.asked[0][1] == {}
    assert commander.asked[1][1] == {"one": "a", "two": "b"}
    assert commander.asked[2][1] == {"one": "a", "two": "c"}
    assert (one.items, two.items) == ([1], [2, 3])


async def test_an_unknown_kind_and_an_unreadable_body_are_skipped_once_and_stop_nothing() -> None:
    one, two = Kept("one"), Kept("two")
    commander = Commander(
        {"later": ("z", b'{"of":"a later release"}'), "one": ("a", b'"no number"'), "two": ("b", b"2")}
    )
    async with receiving(commander, one, two):
        await commander.until(lambda: len(commander.asked) == 2)
        commander.items["one"] = ("a2", b"1")
        commander.changed.set()
        await commander.until(lambda: len(commander.asked) == 3)
    assert commander.asked[1][1] == {"later": "z", "one": "a", "two": "b"}
    assert commander.asked[2][1] == {"later": "z", "one": "a2", "two": "b"}
    assert (one.items, two.items) == ([1], [2])


async def test_a_body_that_is_no_utf_8_is_skipped_like_any_unreadable_one() -> None:
    one, two = Kept("one", str), Kept("two")
    commander = Commander({"one": ("a", b'"\xff\xfe"'), "two": ("b", b"2")})
    async with receiving(commander, one, two):
        await commander.until(lambda: len(commander.asked) == 2)
    assert commander.asked[1][1] == {"one": "a", "two": "b"}
    assert (one.items, two.items) == ([], [2])


async def test_an_item_that_can_t_be_stored_comes_again() -> None:
    one = Kept("one")
    one.is_full = True
    commander = Commander({"one": ("a", b"1")})
    async with receiving(commander, one) as task:
        with pytest.raises(DiskTrouble):
            await task
    one.is_full = False
    async with receiving(commander, one):
        await commander.until(lambda: len(commander.asked) == 3)
    assert [versions for _, versions in commander.asked] == [{}, {}, {"one": "a"}]
    assert one.items == [1]


async def test_a_commander_without_an_inbox_is_asked_for_the_playbooks_alone() -> None:
    playbooks = Kept("playbooks", Playbooks)
    commander = Commander({"playbooks": ("5d41", NOTHING)}, has_inbox=False)
    async with receiving(commander, playbooks):
        await commander.until(lambda: len(commander.asked) == 3)
    paths = [path.rpartition("/")[2] for path, _ in commander.asked]
    assert paths == ["inbox", "playbooks", "playbooks"]
    assert (playbooks.items, playbooks.version) == ([Playbooks(playbooks=[])], "5d41")


@pytest.mark.parametrize("version", ["é", "a\nb"])
async def test_a_version_that_no_header_can_have_is_not_named_to_a_commander_without_an_inbox(version: str) -> None:
    playbooks = Kept("playbooks", Playbooks)
    playbooks.version = version
    commander = Commander({"playbooks": ("5d41", NOTHING)}, has_inbox=False)
    async with receiving(commander, playbooks):
        await commander.until(lambda: len(commander.asked) == 3)
    assert commander.etags == [None, '"5d41"']


async def test_something_that_is_no_commander_is_not_asked_for_anything_else() -> None:
    http = httpx.AsyncClient(
        transport=httpx.MockTransport(lambda _request: httpx.Response(404, text="<html>a proxy</html>")),
        base_url="https://commander.lan",
    )
    session = Session(CommanderClient(http, TOKEN), TOKEN, worked=lambda: None)
    async with http:
        with pytest.raises(CommanderError, match="as a commander does not"):
            await Inbox([Kept("playbooks", Playbooks)], lambda: 60.0, guard_of()).receive_for_ever(session)


async def test_a_pinned_sentry_refuses_what_is_not_signed_and_names_the_newest_signed_item() -> None:
    key, db = SigningKey(), store_in_memory()
    save_pin(db, SigningPin(key.public_key, RIG_ID, AT_ENROLMENT))
    guard, one, two = guard_of(db), Kept("one"), Kept("two")
    signed = key.item(5, kind="two", body=b"2")
    commander = Commander({"one": ("a", b"1"), "two": (signed.version, b"2")})
    commander.signatures[signed.version] = signed.signature
    async with receiving(commander, one, two, guard=guard, every_s=1):
        await commander.until(lambda: len(commander.signed) == 2)
    assert (one.items, two.items) == ([], [2])
    assert "is not signed" in (guard.refused or "")
    assert commander.asked[1][1] == {"two": signed.version}, "the refused item is asked for again"
    newest = commander.signed[1]
    assert newest is not None
    assert newest.signature == signed.signature


async def test_a_pinned_sentry_takes_no_playbooks_from_a_commander_without_an_inbox() -> None:
    key, db = SigningKey(), store_in_memory()
    save_pin(db, SigningPin(key.public_key, RIG_ID, AT_ENROLMENT))
    guard, playbooks = guard_of(db), Kept("playbooks", Playbooks)
    commander = Commander({"playbooks": ("5d41", NOTHING)}, has_inbox=False)
    async with receiving(commander, playbooks, guard=guard, every_s=1):
        await commander.until(lambda: len(commander.asked) == 3)
    assert playbooks.items == []
    assert "is not signed" in (guard.refused or "")
