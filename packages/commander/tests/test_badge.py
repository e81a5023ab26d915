"""The number of open incidents on all pages: in the navigation, the tab's title, its icon, and live."""

import re

from commander.live.badge import Badge


def numbers(frame: str | None) -> list[str]:
    assert frame is not None
    stamp, _, html = frame.partition("\n")
    assert stamp == "", "the page's own stamp stays"
    return re.findall(r'data-total="incidents"[^>]*>(\d+)<', html)


async def test_an_open_page_gets_each_new_number_and_of_several_the_newest() -> None:
    badge = Badge()
    with badge.watched("0") as news:
        assert news.empty()
        for count in (1, 2, 3):
            badge.set(count)
        assert numbers(news.get_nowait()) == ["3"]
        badge.set(3)
        assert news.empty()
    badge.set(4)
    assert news.empty()


async def test_a_page_that_was_made_before_a_change_gets_the_number_at_once() -> None:
    badge = Badge()
    badge.set(2)
    with badge.watched("1") as stale, badge.watched("2") as fresh, badge.watched(None) as script:
        assert numbers(stale.get_nowait()) == ["2"]
        assert fresh.empty()
        assert script.empty()
