"""The pages about ASICs, and site tokens on the settings page, as a browser without script gets them."""

import re

import httpx
from commander_farm import S19_PRO, Farm, Rig, an_asic_log, post_form


def names_in(html: str, place: str) -> list[str]:
    """The rows in `rows` or `waiting-rows`."""
    start = html.index(f'id="{place}"')
    part = html[start : html.index("</section>" if place == "waiting-rows" else 'id="empty"', start)]
    return re.findall(r'role="rowheader"><a [^>]*>([^<]*)</a>', part)


def row_of(html: str, asic: Rig) -> str:
    """One row, up to its buttons."""
    start = html.index(f'id="rig-{asic.id}"')
    return html[start : html.index("buttons", start)]


def figure_in(html: str, name: str) -> str:
    found = re.search(rf'data-figure="{name}"[^>]*>([^<]*)<', html)
    assert found, name
    return found[1]


async def test_an_empty_index_says_what_to_do_next(person: httpx.AsyncClient) -> None:
    html = (await person.get("/asics")).text
    assert "Add your first ASIC" in html
    assert 'data-live="/live?view=asics" data-seq="' in html


async def test_those_that_never_reported_stand_apart(person: httpx.AsyncClient, farm: Farm) -> None:
    active, *_ = [await farm.add_asic(name) for name in ("asic-10", "asic-9", "asic-1")]
    await farm.report_asic(active, an_asic_log())
    html = (await person.get("/asics")).text
    assert (names_in(html, "rows"), names_in(html, "waiting-rows")) == (["asic-10"], ["asic-1", "asic-9"])
    assert "2 ASICs wait for their sentry" in html
    assert 'data-total="alive">1 of 3<' in html
    html = (await person.get("/asics?health=waiting")).text
    assert (names_in(html, "rows"), names_in(html, "waiting-rows")) == ([], ["asic-1", "asic-9"])
    html = (await person.get("/asics?q=asic-9")).text
    assert (names_in(html, "rows"), names_in(html, "waiting-rows")) == ([], ["asic-9"])
    for query in ("health=online", "faults=yes"):
        assert names_in((await person.get(f"/asics?{query}")).text, "waiting-rows") == []


async def test_where_none_has_reported_the_page_says_so(person: httpx.AsyncClient, farm: Farm) -> None:
    await farm.add_asic()
    assert "No ASIC has reported yet" in (await person.get("/asics")).text
    assert "No ASIC matches “garage”." in (await person.get("/asics?q=garage")).text


async def test_more_than_a_page_of_waiting_asics_has_a_page_of_its_own(person: httpx.AsyncClient, farm: Farm) -> None:
    rigs = [{"name": f"asic-{number:03}", "key": str(number)} for number in range(120)]
    await farm.client.post("/api/v1/sentry/asic-rigs", json={"rigs": rigs}, headers=await farm.site_token())
    html = (await person.get("/asics")).text
    assert len(names_in(html, "waiting-rows")) == 100
    assert '<a class="button" href="/asics?health=waiting">All 120</a>' in html
    assert "1–100 of 120 ASICs" in (await person.get("/asics?health=waiting")).text
    html = (await person.get("/asics?health=waiting&page=2")).text
    assert names_in(html, "waiting-rows")[0] == "asic-100"


async def test_a_row_shows_model_figures_and_parts(person: httpx.AsyncClient, farm: Farm) -> None:
    asic = await farm.add_asic()
    await farm.report_asic(asic, an_asic_log(), specs=S19_PRO | {"model_variant": "110T"})
    html = (await person.get("/asics")).text
    row = row_of(html, asic)
    for name, text in {
        "temperature": "66 °C",
        "boards": "3 of 3",
        "fan": "6,000 rpm",
        "power": "3.25 kW",
        "efficiency": "29.5 J/TH",
        "rejected": "1.0 %",
        "uptime": "14 h 1 min",
    }.items():
        assert figure_in(row, name) == text
    assert "Antminer S19 Pro 110T" in row
    assert "110 TH/s" in row[row.index('data-figure="hashrate"') :]
    assert "state bad" not in row
    assert re.search(r'data-total="hashrate-Bitcoin"[^>]*>110 TH/s<', html)
    assert re.search(r'data-total="efficiency-Bitcoin"[^>]*>29.5 J/TH<', html)
    assert re.search(r'data-total="power"[^>]*>3.25 kW<', html)


async def test_faults_are_words_and_colour_and_a_filter(person: httpx.AsyncClient, farm: Farm) -> None:
    good, bad, idle = [await farm.add_asic(name) for name in ("a-good", "b-bad", "c-idle")]
    boards = [
        {"slot": 1, "chips": 114, "expected_chips": 114, "hashrate_hs": 36e12},
        {"slot": 2, "chips": 110, "expected_chips": 114, "hashrate_hs": 35e12},
        {"slot": 3, "hashrate_hs": 0},
    ]
    await farm.report_asic(good, an_asic_log())
    await farm.report_asic(bad, an_asic_log(faults=["temperature"], boards=boards, fans_rpm=[6000, 0, None]))
    await farm.report_asic(idle, an_asic_log(hashrate_hs=0, boards=[{"slot": 1, "hashrate_hs": 0}], fans_rpm=[0, 0]))
    html = (await person.get("/asics")).text
    row = row_of(html, bad)
    assert '<span class="state bad">Too hot</span>' in row
    assert "Board 2 has 110 of 114 chips; Board 3 has no hashrate; Fan 2 has stopped" in row
    assert '<span class="state bad">1 of 3</span>' in row
    assert '<span class="state bad">Not mining</span>' in row_of(html, idle)
    assert "Fan" not in row_of(html, idle), "where all fans stand, the machine is cooled without"
    assert names_in((await person.get("/asics?faults=yes")).text, "rows") == ["b-bad", "c-idle"]
    assert names_in((await person.get("/asics?sort=health")).text, "rows") == ["b-bad", "c-idle", "a-good"]


async def test_what_nobody_tells_is_unknown_and_never_zero(person: httpx.AsyncClient, farm: Farm) -> None:
    asic = await farm.add_asic()
    await farm.report_asic(asic, {"taken_at": an_asic_log()["taken_at"]})
    html = (await person.get("/asics")).text
    assert row_of(html, asic).count(">–<") == 10
    assert "faulty" not in row_of(html, asic)
    page = (await person.get(f"/asics/{asic.id}")).text
    main = page[page.index('id="rig-now"') : page.index('id="rig-specs"')]
    assert re.findall(r"<dd[^>]*>([^<]*)</dd>", main) == ["–"] * 12
    assert "does not report its boards" in main


async def test_efficiency_is_that_of_those_who_tell_their_power(person: httpx.AsyncClient, farm: Farm) -> None:
    tells, silent = await farm.add_asic("asic-01"), await farm.add_asic("asic-02")
    await farm.report_asic(tells, an_asic_log(hashrate_hs=100e12, power_w=3000.0))
    await farm.report_asic(silent, an_asic_log(hashrate_hs=100e12, power_w=None))
    html = (await person.get("/asics")).text
    found = re.search(r'data-total="efficiency-Bitcoin" title="([^"]*)">([^<]*)</dd><dd class="small">([^<]*)<', html)
    assert found
    assert found.groups() == ("30 J/TH", "30.0 J/TH", "1 of 2 ASICs")


async def test_adding_answers_with_the_page_of_the_asic_and_its_token_once(person: httpx.AsyncClient) -> None:
    answer = await post_form(person, "/asics", name="s19-07")
    assert answer.status_code == 200
    token = re.search(r'id="enrol-token"[^>]*>(mw_asic_[0-9a-f]{64})<', answer.text)
    assert token
    assert ">asic-sentry add --ip ASIC_IP<" in answer.text, "the command asks for the token"
    assert "asic-sentry connect --url " in answer.text
    url = re.search(r'data-url="(/asics/\d+)"', answer.text)
    assert url
    again = (await person.get(url[1])).text
    assert token[1] not in again
    assert "Waiting for its sentry" in again


async def test_a_bad_or_taken_name_comes_back_with_its_error(person: httpx.AsyncClient, farm: Farm) -> None:
    first, _ = await farm.add_asic("asic-01"), await farm.add_asic("asic-02")
    answer = await post_form(person, "/asics", name="<script>")
    assert (answer.status_code, 'data-url="/asics?dialog=add"' in answer.text) == (422, True)
    assert 'action="/asics?from=index"' in answer.text
    for suffix, heading in (("?from=index", "ASICs"), ("", "asic-01")):
        answer = await post_form(person, f"/asics/{first.id}/rename{suffix}", name="ASIC-02")
        assert answer.status_code == 422
        assert "Another rig is called ASIC-02" in answer.text
        assert f'<h1 tabindex="-1">{heading}</h1>' in answer.text


async def test_renaming_and_removing_go_back_to_where_they_began(person: httpx.AsyncClient, farm: Farm) -> None:
    asic = await farm.add_asic("asic-01")
    answer = await post_form(person, f"/asics/{asic.id}/rename?from=index", name="asic-02")
    assert (answer.status_code, answer.headers["location"]) == (303, "/asics")
    answer = await post_form(person, f"/asics/{asic.id}/rename", name="asic-03")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/asics/{asic.id}")
    assert "The ASIC itself is not touched" in (await person.get(f"/asics?dialog=remove&rig={asic.id}")).text
    answer = await post_form(person, f"/asics/{asic.id}/remove")
    assert (answer.status_code, answer.headers["location"]) == (303, "/asics?removed=asic-03")
    assert "asic-03 was removed." in (await person.get("/asics?removed=asic-03")).text
    gone = await person.get(f"/asics/{asic.id}")
    assert (gone.status_code, 'href="/asics">All ASICs' in gone.text) == (404, True)


async def test_a_new_token_kills_the_old_one(person: httpx.AsyncClient, farm: Farm) -> None:
    asic = await farm.add_asic()
    await farm.report_asic(asic, an_asic_log())
    answer = await post_form(person, f"/asics/{asic.id}/token")
    assert 'id="enrol-again" data-once' in answer.text
    assert (await farm.report_asic(asic, an_asic_log()))["error"] == "invalid_token"


async def test_the_page_shows_machine_boards_fans_and_pools(person: httpx.AsyncClient, farm: Farm) -> None:
    asic = await farm.add_asic()
    nominal = {"nominal_hashrate_hs": 110e12, "nominal_power_w": 2585}
    specs = S19_PRO | nominal | {"model_variant": "110T", "software_version": "cgminer 4.11.1"}
    boards = [{"slot": 1, "hashrate_hs": 5e12, "chips": 18, "inlet_temperature_c": 61, "outlet_temperature_c": 126}]
    pools = [
        {"url": "stratum+tcp://pool.example:4441", "user": "kaspa:" + "w" * 60, "state": "connected", "accepted": 7225},
        {"url": "backup.example:3333", "state": "disconnected"},
    ]
    more = {"power_source": "entered", "boards": boards, "pools": pools, "fans_rpm": [5900, 0], "rejected_percent": 2.4}
    log = an_asic_log() | more
    await farm.report_asic(asic, log, specs=specs)
    html = (await person.get(f"/asics/{asic.id}")).text
    for words in (
        *("110T", "2022-07-05", "cgminer 4.11.1", "02:00:5E:10:00:01", "192.168.1.50", "SHA-256"),
        *("Power, entered", "Bitcoin (5 s)", "61 °C", "126 °C", "Connected", "Disconnected", "7,225"),
        *("stopped", "kaspa:ww…wwwwwwww"),
        f'<h2>Fan 2 has stopped <small>(since <time datetime="{log["taken_at"]}" data-clock>',
    ):
        assert words in html, words
    for name, text in {
        "hashrate": "110 TH/s",
        "average-hashrate": "110 TH/s",
        "expected-hashrate": "110 TH/s",
        "reached": "100 %",
        "power": "3.25 kW",
        "efficiency": "29.5 J/TH",
        "nominal-efficiency": "23.5 J/TH",
        "against-nominal": "+26 %",
        "rejected": "2.4 %",
    }.items():
        assert figure_in(html, name) == text


async def test_its_pages_have_charts_and_a_log(person: httpx.AsyncClient, farm: Farm) -> None:
    asic = await farm.add_asic()
    await farm.report_asic(asic, an_asic_log())
    page, log = (await person.get(f"/asics/{asic.id}")).text, (await person.get(f"/asics/{asic.id}/log")).text
    assert f'href="/asics/{asic.id}/log">History</a>' in page
    for html in (page, log):
        assert f'data-history="/api/v1/asic-rigs/{asic.id}/history"' in html
        assert 'data-chart="hashrate-Bitcoin"' in html
        assert 'aria-current="true" title="ASICs">' in html
    assert 'data-history="/api/v1/asic-stats/history"' in (await person.get("/asics")).text


async def test_what_a_sentry_says_is_text_not_markup(person: httpx.AsyncClient, farm: Farm) -> None:
    asic, attack = await farm.add_asic(), "<img src=x onerror=alert(1)>"
    pools = [{"url": attack, "user": attack, "state": attack}]
    log = an_asic_log(algorithm=attack, coin=attack, faults=[attack], pools=pools, lan_ip=attack)
    result = await farm.report_asic(asic, log, specs={name: attack for name in ("make", "model", "mac", "hostname")})
    assert (result["stored"], result["rejected"]) == (1, [])
    for path in ("/asics", f"/asics/{asic.id}"):
        assert "<img src=x" not in (await person.get(path)).text


async def test_a_page_has_no_inline_script_or_style(person: httpx.AsyncClient, farm: Farm) -> None:
    asic = await farm.add_asic()
    await farm.report_asic(asic, an_asic_log(faults=["fan"]))
    for path in ("/asics", f"/asics/{asic.id}", "/asics?dialog=add", f"/asics/{asic.id}?dialog=token"):
        assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", (await person.get(path)).text)


async def test_a_site_token_is_made_shown_once_and_revoked(person: httpx.AsyncClient) -> None:
    wrong = await post_form(person, "/settings/site-tokens", site_name="<")
    assert (wrong.status_code, 'aria-describedby="error-site_name' in wrong.text) == (422, True)
    made = (await post_form(person, "/settings/site-tokens", site_name="cellar")).text
    token = re.search(r'id="created-site"[^>]*>(mw_site_[0-9a-f]{64})<', made)
    assert token
    assert "--site-token -<" in made, "the command asks for the token"
    page = (await person.get("/settings")).text
    assert (token[1] in page, "cellar" in page) == (False, True)
    site = re.search(r'id="site-(\d+)"', page)
    assert site
    assert "stay, and report as before" in (await person.get(f"/settings?dialog=revoke&site={site[1]}")).text
    answer = await post_form(person, f"/settings/site-tokens/{site[1]}/revoke")
    assert (answer.status_code, answer.headers["location"]) == (303, "/settings")
    assert "cellar" not in (await person.get("/settings")).text
    sent = await person.get("/api/v1/sentry", headers={"Authorization": f"Bearer {token[1]}"})
    assert sent.json()["code"] == "invalid_token"
