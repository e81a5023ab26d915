"""Pages: the rows of a table are put in after the template is rendered."""

from commander.web.shell import with_large
from commander_farm import Farm, a_log
from pages import page


def test_large_parts_take_the_places_of_their_comments_and_other_comments_stay() -> None:
    html = "<p>1</p><!--rows--><p>2</p><!--other--><!--waiting-rows-->"
    large = {"rows": ["<b>ä</b>".encode(), b"<b><!--waiting-rows--></b>"], "waiting-rows": [], "unused": [b"x"]}
    assert with_large(html, large).decode() == "<p>1</p><b>ä</b>\n<b><!--waiting-rows--></b><p>2</p><!--other-->"


async def test_what_people_search_for_is_no_place_for_rows(farm: Farm) -> None:
    await farm.log_in()
    await farm.report(await farm.add("rig-01"), a_log())
    html = await page(farm.client, "/cpu-gpu?select=name:<!--rows-->")
    assert "&lt;!--rows--&gt;" in html
    assert "<!--" not in html
