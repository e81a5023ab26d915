"""Rules for every address: HEAD, OPTIONS, compression, and no 500 for any address."""

import gzip
import re

import httpx
import pytest
import zstandard
from commander.web.assets import asset, assets_folder
from commander.web.compression import accepted
from commander_farm import ASICS, RIGS, Farm, Rig, a_log, an_asic_log, on_sqlite

PUBLIC = ["/healthz", "/login", "/assets/none.js", "/nowhere"]
OF_A_RIG = ["", "/log", "/log.csv", "/playbooks", "/playbooks/new"]
PAGES = ["/", "/cpu-gpu", "/asics", "/templates", "/mining-software", "/settings", "/metrics", "/schema/openapi.json"]
PLAIN = {"Accept-Encoding": "identity"}
MOVING = {"content-length", "date"}  # a page that is asked for twice may tell another time


@pytest.fixture
async def rig(farm: Farm) -> Rig:
    rig, asic = await farm.add(), await farm.add_asic()
    await farm.report(rig, *(a_log(seconds) for seconds in range(40)))
    await farm.report_asic(asic, an_asic_log())
    return rig


async def paths_of(rig: Rig) -> list[str]:
    pages = [f"/cpu-gpu/{rig.id}{rest}" for rest in OF_A_RIG]
    api = [RIGS, f"{RIGS}/{rig.id}", f"{RIGS}/{rig.id}/logs", f"{RIGS}/{rig.id}/history", ASICS, "/api/v1/addresses"]
    assets = [asset(name) for name in ("app.js", "style.css", "icon.svg", "charts.js")]
    return [*PUBLIC, *pages, *PAGES, *api, *assets]


@on_sqlite
async def test_head_has_the_headers_of_get_and_no_body(farm: Farm, rig: Rig) -> None:
    await farm.log_in()
    for path in await paths_of(rig):
        for encoding in ("identity", "gzip", "zstd"):
            headers = {"Accept-Encoding": encoding}
            shown = await farm.client.get(path, headers=headers, follow_redirects=False)
            head = await farm.client.head(path, headers=headers, follow_redirects=False)
            assert head.status_code == shown.status_code, path
            assert head.content == b"", path
            assert _still(head) == _still(shown), path


def _still(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in MOVING}


@on_sqlite
async def test_a_sentry_may_ask_for_the_head_of_its_calls(farm: Farm, rig: Rig) -> None:
    for path in ("/api/v1/sentry", "/api/v1/sentry/playbooks"):
        shown, head = await farm.client.get(path, headers=rig.auth), await farm.client.head(path, headers=rig.auth)
        assert (head.status_code, head.content) == (shown.status_code, b"") == (200, b"")
        assert head.headers["Content-Length"] == shown.headers["Content-Length"]
    assert (await farm.client.head("/api/v1/sentry/logs")).status_code == 405


@on_sqlite
async def test_a_call_of_sentries_is_the_same_however_many_slashes_its_path_has(farm: Farm, rig: Rig) -> None:
    """The limits and the answer to strangers stay."""
    for path in ("/api/v1/sentry/playbooks/", "/api/v1/sentry//playbooks"):
        assert (await farm.client.get(path)).status_code == 401
        assert (await farm.client.get(path, headers=rig.auth)).json() == {"playbooks": []}
    asic, log = await farm.add_asic("asic-02"), a_log(60)
    for body, stored in (({"logs": [log]}, 1), ({"logs": [log]}, 0)):
        answer = await farm.client.post("/api/v1/sentry/logs/", json=body, headers=rig.auth)
        assert (answer.status_code, answer.json()["stored"]) == (200, stored), answer.text
    report = {"items": [{"token": asic.token, "logs": [an_asic_log(60)]}]}
    answer = await farm.client.post("/api//v1/sentry/asic-logs", json=report)
    assert answer.json()["results"][0]["stored"] == 1, answer.text
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await farm.client.post("/login/", content=b"password=" + b"x" * 5_000, headers=form)
    assert answer.status_code == 413


@on_sqlite
async def test_allow_names_the_methods_that_are_answered_and_no_others(farm: Farm, rig: Rig) -> None:
    """By OPTIONS and by 405, at every address of the API and at pages with forms."""
    document = (await farm.get("/schema/openapi.json")).json()
    expected = {path: {method.upper() for method in methods} for path, methods in document["paths"].items()}
    expected |= {"/cpu-gpu": {"GET", "POST"}, "/login": {"GET", "POST"}, "/settings": {"GET"}, "/logout": {"POST"}}
    for template, methods in expected.items():
        path = re.sub(r"\{\w+\}", str(rig.id), template)
        names = methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
        asked = await farm.client.request("OPTIONS", path)
        assert asked.status_code == 204, path
        assert asked.headers["Allow"] == ", ".join(sorted(names)), path
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"} - names:
            refused = await farm.client.request(method, path, headers=farm.auth, content=b"")
            assert refused.status_code == 405, (method, path, refused.text)
            assert refused.headers.get("Allow") == asked.headers["Allow"], (method, path)


@on_sqlite
async def test_texts_are_packed_for_whoever_can_unpack_them(farm: Farm, rig: Rig) -> None:
    await farm.log_in()
    for path in (*PAGES[1:3], f"{RIGS}/{rig.id}/logs", f"/cpu-gpu/{rig.id}/log", asset("app.js"), asset("style.css")):
        plain = await farm.client.get(path, headers=PLAIN)
        assert "Content-Encoding" not in plain.headers
        assert plain.headers["Vary"] == "Accept-Encoding"
        for encoding in ("gzip", "zstd"):
            async with farm.client.stream("GET", path, headers={"Accept-Encoding": encoding}) as answer:
                packed = b"".join([part async for part in answer.aiter_raw()])
            assert answer.headers["Content-Encoding"] == encoding, path
            assert int(answer.headers["Content-Length"]) == len(packed) < len(plain.content) / 2, path
            assert answer.headers["Vary"] == "Accept-Encoding"
            assert abs(len(unpacked(packed, encoding)) - len(plain.content)) < 200, (
                path
            )  # times on the page may have moved on


def unpacked(body: bytes, encoding: str) -> bytes:
    return (
        gzip.decompress(body) if encoding == "gzip" else zstandard.ZstdDecompressor().decompressobj().decompress(body)
    )


@on_sqlite
async def test_a_file_of_lines_is_packed_while_it_streams(farm: Farm, rig: Rig) -> None:
    await farm.log_in()
    path = f"/cpu-gpu/{rig.id}/log.csv"
    plain = await farm.client.get(path, headers=PLAIN)
    async with farm.client.stream("GET", path, headers={"Accept-Encoding": "zstd"}) as answer:
        parts = [part async for part in answer.aiter_raw()]
    assert answer.headers["Content-Encoding"] == "zstd"
    assert "Content-Length" not in answer.headers
    unzip = zstandard.ZstdDecompressor().decompressobj()
    lines = [unzip.decompress(part) for part in parts if part]
    assert lines[0].startswith(b"taken_at,"), "the first piece can be read before the last one is there"
    assert b"".join(lines) == plain.content


@on_sqlite
async def test_what_is_small_or_no_text_or_refused_is_not_packed(farm: Farm) -> None:
    for path, accept in (("/healthz", "gzip, zstd"), (asset("icon.svg"), "gzip"), ("/login", "gzip;q=0, zstd;q=0.0")):
        answer = await farm.client.get(path, headers={"Accept-Encoding": accept})
        assert "Content-Encoding" not in answer.headers, path


@on_sqlite
async def test_no_page_that_another_site_asks_for_and_no_new_secret_is_packed(farm: Farm, rig: Rig) -> None:
    """The compressed size could reveal what is in it."""
    await farm.log_in()
    both = {"Accept-Encoding": "gzip, zstd"}
    for site in ("cross-site", "same-site"):
        answer = await farm.client.get("/settings", headers=both | {"Sec-Fetch-Site": site})
        assert "Content-Encoding" not in answer.headers
    own = await farm.client.get("/settings", headers=both | {"Sec-Fetch-Site": "same-origin"})
    assert own.headers["Content-Encoding"] == "zstd"
    made = await farm.client.post("/settings/api-keys", data={"name": "new"}, headers=both)
    assert "mw_key_" in made.text
    assert "Content-Encoding" not in made.headers


def test_the_better_packing_is_taken_of_those_that_are_accepted() -> None:
    offers = {"gzip, deflate, br, zstd": "zstd", "gzip": "gzip", "zstd;q=0, gzip;q=0.5": "gzip", "br": "", "": ""}
    for offer, taken in offers.items():
        assert [each.name for each in accepted(offer)][:1] == ([taken] if taken else []), offer
    assert accepted(None) == []


@on_sqlite
async def test_only_the_front_ends_files_are_served(farm: Farm) -> None:
    for name in ("__init__.py", "manifest.json", "", "../__init__.py", "%2e%2e/app.js"):
        assert (await farm.client.get(f"/assets/{name}")).status_code == 404, name
    for path in assets_folder().glob("*.js"):
        answer = await farm.client.get(f"/assets/{path.name}")
        assert (answer.content, answer.status_code) == (path.read_bytes(), 200)
        assert answer.headers["Content-Type"].startswith(("text/javascript", "application/javascript"))
        assert "immutable" in answer.headers["Cache-Control"]


@pytest.mark.parametrize("text", ["0.5", "1764000000", "-1", "1e9"])
@on_sqlite
async def test_a_time_of_the_api_is_no_number(farm: Farm, rig: Rig, text: str) -> None:
    for path in (f"{RIGS}/{rig.id}/history", f"{RIGS}/{rig.id}/logs", "/api/v1/audit", "/api/v1/asic-stats/history"):
        for name in ("from", "to"):
            answer = await farm.get(f"{path}?{name}={text}")
            assert answer.status_code == 422, (path, answer.text)


@on_sqlite
async def test_the_licences_of_the_bundled_packages_are_served(farm: Farm) -> None:
    notices = await farm.client.get("/assets/THIRD-PARTY-NOTICES.txt")
    assert notices.status_code == 200
    for package in ("morphdom", "uplot"):
        assert f"{package} " in notices.text
    assert notices.text.count("Permission is hereby granted, free of charge") == 2


NAMES = [
    *("%00", "a" * 5_000, "%ff", "%", "..%2f..%2fetc", "-1", "9" * 30, "%0a", "a%2fb", "é", "%f0%9f%92%a9"),
    *(";", "[", "~"),
]
PARENTS = [
    *("/assets/", "/", "/cpu-gpu/", "/asics/", "/mining-software/", f"{RIGS}/", "/api/v1/playbooks/", "/schema/"),
    "/login?next=",
]
VALUES = ["[", "http://[", "]", "a b", "x:port", "x:99999", "\x7f", "\xc3\xa9", "x" * 5_000, "http://", "//[", "null"]
READ_HEADERS = ["Host", "Origin", "X-Forwarded-Host", "Referer", "Cookie", "Authorization", "Content-Type", "Accept"]


@on_sqlite
async def test_no_name_in_an_address_is_an_error_of_the_commander(farm: Farm) -> None:
    await farm.log_in()
    for parent in PARENTS:
        for name in NAMES:
            answer = await farm.client.get(f"{parent}{name}", follow_redirects=False)
            assert answer.status_code < 500, (parent, name[:20])
            if parent == "/assets/":
                assert answer.status_code == 404


@on_sqlite
@pytest.mark.parametrize("number", ["9" * 5_000, "9" * 19, "٣", "²", "-1", ""])
async def test_no_number_in_a_query_is_an_error_of_the_commander(farm: Farm, rig: Rig, number: str) -> None:
    await farm.log_in()
    queries = [
        "/cpu-gpu?dialog=edit&rig=",
        "/cpu-gpu?page=",
        f"/cpu-gpu/{rig.id}/playbooks?dialog=remove&playbook=",
        f"/cpu-gpu/{rig.id}/log?before=",
        f"/cpu-gpu/{rig.id}/log?page=",
        "/templates?dialog=edit&address=",
        "/mining-software?dialog=remove&software=",
        "/mining-software/new?like=",
        f"{RIGS}/{rig.id}/logs?cursor=",
        f"{RIGS}/{rig.id}/history?points=",
    ]
    for query in queries:
        assert (await farm.client.get(query + number)).status_code < 500, query


@on_sqlite
async def test_no_host_and_no_origin_is_an_error_of_the_commander(farm: Farm, rig: Rig) -> None:
    for value in VALUES:
        for name in READ_HEADERS:
            for method, path in (("GET", "/cpu-gpu"), ("GET", RIGS), ("POST", "/login"), ("POST", RIGS)):
                headers = {name.encode(): value.encode("latin-1")}
                answer = await farm.client.request(method, path, headers=headers, follow_redirects=False)
                assert answer.status_code < 500, (name, value[:20], path)
                is_refused = answer.status_code in (400, 429)  # too many wrong passwords are refused before all else
                assert name != "Host" or value == "null" or len(value) > 99 or is_refused
