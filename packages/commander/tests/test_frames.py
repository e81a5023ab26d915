"""Feeds: who has seen what, and who is sent what."""

from commander.live.frames import RESYNC, Frames


class Clicks:
    """A view of a number that grows: shows it, and starts again when it is ten behind."""

    def __init__(self, page: "Page") -> None:
        self.page = page

    def catch_up(self, since: int) -> str | None:
        if self.page.number - since >= 10:
            return RESYNC
        return f"caught up {since} to {self.page.number}" if self.page.number > since else None

    def step(self, since: int, now_s: float) -> str | None:
        return f"step {since} to {self.page.number}" if self.page.number > since else None


class Page:
    def __init__(self) -> None:
        self.number = 5
        self.frames = Frames(lambda: self.number)

    def open(self, stamp: str | None = None, session: str = "1") -> "list[str | None]":
        viewer = self.frames.join(
            "clicks", lambda: Clicks(self), session=session, stamp=self.frames.stamp() if stamp is None else stamp
        )
        self.viewer = viewer
        return self.read()

    def read(self) -> "list[str | None]":
        outbox = self.viewer.outbox
        return [outbox.get_nowait() for _ in range(outbox.qsize())]

    def frame(self, number: int, html: str) -> str:
        return f"{self.frames.boot}-{number}\n{html}"


def test_a_page_that_has_seen_all_is_sent_nothing_until_something_changes() -> None:
    page = Page()
    assert page.open() == []
    page.frames.tick(0)
    assert page.read() == []
    page.number = 7
    page.frames.tick(1)
    assert page.read() == [page.frame(7, "step 5 to 7")]


def test_a_page_is_brought_up_to_date_when_its_socket_opens() -> None:
    page = Page()
    stamp = page.frames.stamp()
    page.number = 8
    assert page.open(stamp) == [page.frame(8, "caught up 5 to 8")]


def test_a_page_of_a_commander_before_this_one_starts_again() -> None:
    page = Page()
    for stamp in ("", "nonsense", "12345678-5", f"{page.frames.boot}-x"):
        assert page.open(stamp) == [page.frame(5, RESYNC)]


def test_a_slow_page_gets_one_frame_with_all_that_it_missed() -> None:
    page = Page()
    page.open()
    for page.number in (6, 7, 8):
        page.frames.tick(page.number)
    assert page.read() == [page.frame(6, "step 5 to 6")]
    page.number = 9
    page.frames.tick(9)
    assert page.read() == [page.frame(9, "caught up 6 to 9")]
    page.number = 10
    page.frames.tick(10)
    assert page.read() == [page.frame(10, "step 9 to 10")]


def test_viewers_of_one_view_get_the_same_string() -> None:
    page = Page()
    page.open()
    first = page.viewer
    page.open()
    page.number = 6
    page.frames.tick(0)
    assert first.outbox.get_nowait() is page.viewer.outbox.get_nowait()


def test_who_joins_between_two_ticks_misses_nothing() -> None:
    page = Page()
    page.open()
    page.number = 6
    stamp = page.frames.stamp()
    page.number = 7
    assert page.open(stamp) == [page.frame(5, "caught up 6 to 7")], "a stamp never says more than every step so far"
    page.number = 8
    page.frames.tick(0)
    assert page.read() == [page.frame(8, "step 5 to 8")], "what is sent twice does no harm, what is missed would"


def test_the_end_of_a_session_hangs_up_its_pages_only() -> None:
    page = Page()
    page.open(session="1")
    ended = page.viewer
    page.open(session="2")
    page.frames.close_session("1")
    assert ended.outbox.get_nowait() is None
    assert page.read() == []


def test_a_view_that_nobody_looks_at_is_forgotten() -> None:
    page = Page()
    page.open()
    page.frames.leave("clicks", page.viewer)
    assert page.frames.viewers == 0
