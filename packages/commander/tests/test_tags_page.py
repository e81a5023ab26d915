"""The page of all tags, and their change by a spreadsheet."""

import csv
import io
import re
from html import unescape

import httpx
import pytest
from commander_farm import ASICS, RIGS, Farm, post_form
from test_tags import tag, tags_of


async def a_tagged_farm(farm: Farm) -> None:
    for name in ("rig-01", "rig-02"):
        await farm.add(name)
    await farm.add_asic("rig-01")
    await tag(farm, select="rig-01", add=["hall:2", "old"])


async def test_the_page_leads_from_each_tag_to_its_rigs(person: httpx.AsyncClient, farm: Farm) -> None:
    assert "No rig has a tag yet" in (await person.get("/tags")).text
    await a_tagged_farm(farm)
    html = (await person.get("/tags")).text
    assert html.count('href="/cpu-gpu?select=tag%3A%22hall%3A2%22"') == 1
    assert html.count('href="/asics?select=tag%3A%22old%22"') == 1


async def test_the_file_holds_the_rigs_of_a_selection(person: httpx.AsyncClient, farm: Farm) -> None:
    await a_tagged_farm(farm)
    answer = await person.get("/tags.csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert list(csv.reader(io.StringIO(answer.text))) == [
        ["kind", "name", "tags"],
        ["cpu-gpu", "rig-01", "hall:2; old"],
        ["cpu-gpu", "rig-02", ""],
        ["asic", "rig-01", "hall:2; old"],
    ]
    some = (await person.get("/tags.csv", params={"select": "-tag:*"})).text
    assert some.splitlines()[1:] == ["cpu-gpu,rig-02,"]
    assert (await person.get("/tags.csv", params={"kind": "asic"})).text.count("\n") == 2
    assert (await person.get("/tags.csv", params={"select": "tga:x"})).status_code == 422


async def test_a_file_is_shown_first_and_then_imported(person: httpx.AsyncClient, farm: Farm) -> None:
    await a_tagged_farm(farm)
    text = (
        "\ufeffname;tags;kind;remark\r\nRIG-01;hall:2, new;cpu-gpu;x\r\nrig-02;;cpu-gpu\r\nrig-01;Hall:2;ASIC\r\n\r\n"
    )
    shown = await post_form(person, "/tags/preview", csv=text)
    assert shown.status_code == 200
    assert "The file changes the tags of 2 rigs" in shown.text
    assert "1 rig in the file has these tags already." in shown.text
    assert '<del class="tag">old</del>' in shown.text
    assert '<ins class="tag">new</ins>' in shown.text
    assert await tags_of(farm) == {"rig-01": ["hall:2", "old"], "rig-02": []}
    hidden = unescape(shown.text.partition('name="csv" value="')[2].partition('"')[0])
    done = await post_form(person, "/tags/import", csv=hidden)
    assert (done.status_code, done.headers["location"]) == (303, "/tags?changed=2")
    assert await tags_of(farm) == {"rig-01": ["hall:2", "new"], "rig-02": []}
    assert await tags_of(farm, ASICS) == {"rig-01": ["hall:2"]}
    assert "The tags of 2 rigs were changed." in (await person.get("/tags?changed=2")).text


async def test_lines_with_mistakes_are_passed_over_and_named(person: httpx.AsyncClient, farm: Farm) -> None:
    await a_tagged_farm(farm)
    lines = [
        "kind,name,tags",
        "toaster,rig-01,a",
        "cpu-gpu,rig-09,a",
        "cpu-gpu,rig-01,a",
        "cpu-gpu,Rig-01,b",
        'cpu-gpu,rig-02,"a;b*"',
        "cpu-gpu",
    ]
    html = unescape((await post_form(person, "/tags/preview", csv="\n".join(lines))).text)
    for mistake in (
        "Line 2: The kind is cpu-gpu or asic.",
        "Line 3: No CPU/GPU rig is called “rig-09”.",
        "Line 5: rig-01 stands in line 4 already.",
        "Line 6: “b*” is not a tag.",
        "Line 7: No CPU/GPU rig is called “”.",
    ):
        assert mistake in html
    assert "The file changes the tags of 1 rig" in html


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "The first line names the columns kind, name and tags; “kind” is missing."),
        ("kind,name\ncpu-gpu,x", "The first line names the columns kind, name and tags; “tags” is missing."),
        ("kind,name,tags\n" + "x" * 200_000, "Line 2 can't be read: field larger than field limit (131072)."),
    ],
)
async def test_a_text_that_is_no_such_file_is_refused(
    person: httpx.AsyncClient, farm: Farm, text: str, error: str
) -> None:
    for path in ("/tags/preview", "/tags/import"):
        answer = await post_form(person, path, csv=text)
        assert answer.status_code == 422
        assert error in unescape(answer.text)


async def test_ten_thousand_lines_are_read(person: httpx.AsyncClient, farm: Farm) -> None:
    await a_tagged_farm(farm)
    text = "kind,name,tags\n" + "".join(f"cpu-gpu,nobody-{number},hall:2\n" for number in range(10_000))
    html = (await post_form(person, "/tags/preview", csv=text + "cpu-gpu,rig-02,far\n")).text
    assert "The file changes the tags of 1 rig" in html
    assert "and 9800 more" in html
    assert (await farm.get(RIGS)).status_code == 200


async def test_the_open_page_follows_changes_of_tags_and_of_rigs(served_farm: Farm) -> None:
    farm = served_farm
    await farm.log_in()
    await a_tagged_farm(farm)
    cookie = "; ".join(f"{name}={value}" for name, value in farm.client.cookies.items())
    seq = re.search(r"data-seq=\"([^\"]+)\"", (await farm.client.get("/tags")).text)
    assert seq

    async with farm.socket(f"/live?view=tags&seq={seq[1]}", Cookie=cookie) as socket:

        async def frame(words: str) -> str:
            """Returns the first frame that contains `words`."""
            async for message in socket:
                if words in str(message):
                    return str(message)
            raise AssertionError(f"no frame with {words!r}")

        await tag(farm, select="rig-02", kind="cpu-gpu", add=["hall:2", "new"])
        changed = await frame('<span class="tag">new</span>')
        assert '>2<span class="hidden"> CPU/GPU rigs with hall:2' in changed
        rigs = {rig["name"]: rig["id"] for rig in (await farm.get(RIGS)).json()}
        assert (await farm.client.delete(f"{RIGS}/{rigs['rig-02']}", headers=farm.auth)).status_code == 204
        gone = await frame('>1<span class="hidden"> CPU/GPU rigs with hall:2')
        assert '<span class="tag">new</span>' not in gone
