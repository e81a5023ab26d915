"""The local page of a real agent, asked as a browser asks."""

import re
import time
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import httpx
import pytest
from cpu_gpu_sentry.agent import Agent
from cpu_gpu_sentry.enrolment import SCHEMA, STORE, forget, save_same_commander
from cpu_gpu_sentry.ladder.store import add_event
from cpu_gpu_sentry.local import views
from cpu_gpu_sentry.local.page import Page
from cpu_gpu_sentry.playbooks.run_state import RunState
from cpu_gpu_sentry.playbooks.runs import RunNote
from cpu_gpu_sentry.settings import Settings
from cpu_gpu_sentry.status import read_status, status_lines
from protocol.command_messages import LadderAct, LadderEvent, LadderSettings
from protocol.messages import AlgorithmReading, MinerDevice, MinerReading, MinerState, MinerTrouble
from protocol.playbook_messages import Archive, Platform, Playbook, PlaybookState, SoftwarePackage
from protocol.tokens import TokenKind, new_token
from protocol.units import UNKNOWN
from sentry_kit import store
from sentry_kit.errors import EnrolmentError
from sentry_kit.local_page.access import Access
from sentry_kit.local_page.one_time import new_code
from sentry_kit.local_page.shell import LocalApp
from sentry_kit.store import Enrolment, State
from sentry_kit.worker import Worker

TOKEN = new_token(TokenKind.RIG, pin=None)
SECRET = bytes(range(32))


@dataclass
class Rig:
    agent: Agent
    page: Page
    http: httpx.AsyncClient  # the owner's browser
    stranger: httpx.AsyncClient
    path: Path

    async def enrol(self, state: State) -> None:
        with closing(store.open_store(self.path, SCHEMA)) as db:
            store.save_enrolment(db, Enrolment("https://a.lan", TOKEN, None, 7, "rig-<07>", state))
            if state is State.REMOVED:
                store.mark_removed(db, TOKEN)
        await self.agent.reload()


def browser_at(app: LocalApp) -> httpx.AsyncClient:
    page = "http://127.0.0.1:8471"
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=page, headers={"Origin": page})


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    db, disk = store.open_store(tmp_path / STORE, SCHEMA), Worker("test")
    agent = Agent(Settings(data_dir=tmp_path), db, disk)
    page = Page(agent)
    agent.changed = page.live.publish
    app = page.app("127.0.0.1", Access(SECRET, "cookie"))
    async with browser_at(app) as http, browser_at(app) as stranger:
        assert (await http.get("/login", params={"code": new_code(SECRET, time.time())})).status_code == 303
        yield Rig(agent, page, http, stranger, tmp_path / STORE)
    assert disk.end(within_s=10)
    db.close()


def form_is_open(page: str) -> bool:
    return re.search(r'<section id="enrolment"[^>]*>\s*<details open>', page) is not None


async def test_a_new_sentry_asks_for_its_commander(rig: Rig) -> None:
    page = (await rig.http.get("/")).text
    assert "Not enrolled" in page
    assert form_is_open(page)


@pytest.mark.parametrize(
    ("state", "words", "is_open"),
    [
        (State.ONLINE, "Online", False),
        (State.SPOOLING, "Spooling", False),
        (State.INVALID_TOKEN, "Invalid token", True),
        (State.REMOVED, "Removed", True),
    ],
)
async def test_each_state_is_named_and_the_form_is_open_where_a_token_is_needed(
    rig: Rig, state: State, words: str, is_open: bool
) -> None:
    await rig.enrol(state)
    page = (await rig.http.get("/")).text
    assert f">{words}</span>" in page
    assert form_is_open(page) is is_open
    assert 'value="https://a.lan"' in page
    assert TOKEN.secret not in page
    assert "rig-<07>" not in page
    assert "rig-&lt;07&gt;" in page or state is State.SPOOLING


@pytest.mark.parametrize(
    ("url", "token", "field"),
    [
        ("farm", str(TOKEN), "url"),
        ("http://farm.example:8443", str(TOKEN), "url"),
        ("https://127.0.0.1:1", "<script>", "token"),
        ("https://127.0.0.1:1", str(new_token(TokenKind.ASIC, pin=None)), "token"),
        ("https://127.0.0.1:1", str(TOKEN), "url"),
    ],
    ids=["no URL", "plain HTTP", "no token", "another kind of token", "nobody there"],
)
async def test_a_wrong_enrolment_says_which_of_the_two_is_wrong_and_keeps_the_input(
    rig: Rig, url: str, token: str, field: str
) -> None:
    answer = await rig.http.post("/enroll", data={"url": url, "token": token})
    assert answer.status_code == 422
    assert [name for name in ("url", "token") if f'id="{name}-error"' in answer.text] == [field]
    assert f'value="{url}"' in answer.text
    assert f'value="{token.replace("<", "&lt;").replace(">", "&gt;")}"' in answer.text
    assert "<script>" not in answer.text


async def test_a_miner_is_watched_and_unwatched(rig: Rig) -> None:
    answer = await rig.http.post("/watch", data={"software": "xmrig", "port": "18080", "host": "", "coin": ""})
    assert answer.status_code == 303
    assert [watch.port for watch in rig.agent.watches] == [18080]
    assert "Stop watching XMRig on port 18080" in (await rig.http.get("/")).text
    assert (await rig.http.post("/unwatch", data={"port": "18080"})).status_code == 303
    assert rig.agent.watches == []


async def test_a_token_is_taken_and_never_shown(rig: Rig) -> None:
    form = {"software": "xmrig", "port": "18080", "host": "", "coin": "", "access_token": "a-secret"}
    assert (await rig.http.post("/watch", data=form)).status_code == 303
    assert [watch.access_token for watch in rig.agent.watches] == ["a-secret"]
    assert "a-secret" not in (await rig.http.get("/")).text
    wrong = await rig.http.post("/watch", data=form | {"port": "0"})
    assert (wrong.status_code, "a-secret" in wrong.text) == (422, False)
    spaced = await rig.http.post("/watch", data=form | {"access_token": "a b"})
    assert 'id="access_token-error"' in spaced.text


@pytest.mark.parametrize(("field", "value"), [("port", "0"), ("port", "²"), ("host", "a b"), ("software", "doom")])
async def test_a_wrong_watch_comes_back_with_its_error(rig: Rig, field: str, value: str) -> None:
    form = {"software": "xmrig", "port": "18080", "host": "", "coin": "Monero", field: value}
    answer = await rig.http.post("/watch", data=form)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert 'value="Monero"' in answer.text
    assert rig.agent.watches == []


async def test_leaving_needs_a_confirmation(rig: Rig) -> None:
    await rig.enrol(State.ONLINE)
    assert (await rig.http.post("/leave", data={})).status_code == 422
    assert "Online" in (await rig.http.get("/")).text
    assert (await rig.http.post("/leave", data={"sure": "yes"})).status_code == 303
    assert rig.agent.uploader.state is State.NOT_ENROLLED


async def test_an_open_page_follows_what_happens_elsewhere(rig: Rig) -> None:
    events = rig.page.live.owners.events()
    assert "Not enrolled" in await anext(events)
    await rig.enrol(State.INVALID_TOKEN)
    event = await anext(events)
    assert "Invalid token" in event
    assert "<details open>" in event
    assert 'id="gpus"' not in event


async def test_figures_are_shown_as_people_read_them_and_unknown_is_a_dash(rig: Rig) -> None:
    await rig.http.post("/watch", data={"software": "xmrig", "port": "18080", "host": "", "coin": ""})
    reading = MinerReading(
        software="xmrig", state=MinerState.MINING, version="6.22.2", uptime_s=3700,
        algorithms=[AlgorithmReading(algorithm="rx/0", hashrate_hs=17_000, user="49gTabcdefghijkl")],
        devices=[MinerDevice(device="cpu", hashrates_hs=[None])],
    )  # fmt: skip
    rig.agent.latest.miners = dict.fromkeys(rig.agent.watches, reading)
    page = (await rig.http.get("/")).text
    assert "17.0 kH/s" in page
    assert "1 h 1 min" in page
    assert "49gT…ijkl" in page
    assert "49gTabcdefghijkl" not in page
    assert f"<dt>cpu</dt><dd>{UNKNOWN}</dd>" in page


@pytest.mark.parametrize(
    ("state", "trouble", "word"),
    [
        (MinerState.API_SILENT, MinerTrouble.REFUSED, "API silent"),
        (MinerState.API_SILENT, MinerTrouble.UNREADABLE, "Can&#39;t be read"),
        (MinerState.API_SILENT, MinerTrouble.ACCESS_DENIED, "Wants a token"),
        (MinerState.STARTING, MinerTrouble.NO_JOB, "No job from the pool"),
        (MinerState.STARTING, None, "Starting"),
    ],
)
async def test_a_miner_says_why_it_gives_no_figures_on_the_page_and_in_status(
    rig: Rig, state: MinerState, trouble: MinerTrouble | None, word: str
) -> None:
    await rig.http.post("/watch", data={"software": "xmrig", "port": "18080", "host": "", "coin": ""})
    why = "So <it> is." if trouble else None
    reading = MinerReading(software="xmrig", state=state, api_port=18080, trouble=trouble, reason=why)
    rig.agent.latest.miners = dict.fromkeys(rig.agent.watches, reading)
    page = (await rig.http.get("/")).text
    assert f">{word}</span>" in page
    assert ("So &lt;it&gt; is." in page) is (trouble is not None)
    await rig.agent.note_miners()
    (watch,) = read_status(rig.path.parent).watches
    assert (watch.state, watch.reason) == (state, why)
    assert watch.word == word.replace("&#39;", "'")
    said = "\n".join(status_lines(read_status(rig.path.parent)))
    assert f"Watches: xmrig on 127.0.0.1 port 18080: {watch.word}" in said
    assert "The state when the sentry last ran" in said  # no `run` holds the lock in this test
    assert (f"  {why}" in said) is (why is not None)


async def test_the_page_and_the_log_say_one_state_of_a_playbook_s_miner_that_starts(rig: Rig) -> None:
    package = SoftwarePackage(
        software="xmrig", version="6.26.0", url="https://a/b", archive=Archive.TAR_GZ, executable="x", sha256="0" * 64
    )
    playbook = Playbook(id="p1", name="n", revision=1, package=package, platform=Platform.LINUX, script="x")
    run = rig.agent.supervisor.run_states["p1"] = RunState(playbook, 4000)
    note = RunNote(playbook_id="p1", run="1-a", command=["x"], cwd="/", package="k", script="s", port=4001)
    run.began(note, 0)
    silent = MinerReading(
        software="xmrig", state=MinerState.API_SILENT, trouble=MinerTrouble.REFUSED, reason="Nothing."
    )
    run.take(silent, 1)
    reported = run.miner()
    assert reported is not None
    assert reported.state is MinerState.STARTING
    miners = (await rig.http.get("/")).text.partition('id="miners"')[2]
    assert "Starting" in miners
    assert "API silent" not in miners


async def test_a_playbook_is_shown_with_its_state_its_reason_and_its_last_words(rig: Rig) -> None:
    package = SoftwarePackage(
        software="xmrig", version="6.26.0", url="https://a/b", archive=Archive.TAR_GZ, executable="x", sha256="0" * 64
    )
    playbook = Playbook(id="p1", name="<i>Monero</i>", revision=1, package=package, platform=Platform.LINUX, script="x")
    run = rig.agent.supervisor.run_states["p1"] = RunState(playbook, 4000)
    run.show(PlaybookState.DOWNLOADING, percent=41.7)
    page = (await rig.http.get("/")).text
    assert "Downloading 41 %" in page
    assert '<progress max="100" value="41"' in page
    run.last_lines = ["<script>alert(1)</script>", "no space"]
    run.show(PlaybookState.FAILED, "It ended with exit code 1.")
    page = (await rig.http.get("/")).text
    for words in ("&lt;i&gt;Monero", "xmrig 6.26.0", ">Failed<", "exit code 1.", "&lt;script&gt;alert", "no space"):
        assert words in page, words
    assert "<script>alert" not in page


FORMS: dict[str, dict[str, str]] = {
    "/enroll": {"url": "https://192.0.2.1:8443", "token": str(TOKEN)},
    "/watch": {"software": "xmrig", "port": "18080", "host": "", "coin": ""},
    "/unwatch": {"port": "4068"},
    "/leave": {"sure": "yes"},
}


def test_every_form_of_the_page_is_tried_without_its_owner(rig: Rig) -> None:
    templates = Path(views.__file__).parent / "templates"
    forms = {found for each in templates.iterdir() for found in re.findall(r'action="([^"]+)"', each.read_text())}
    assert forms == set(FORMS)


@pytest.mark.parametrize("path", list(FORMS))
async def test_a_form_of_anybody_but_the_owner_changes_nothing(rig: Rig, path: str) -> None:
    await rig.http.post("/watch", data={"software": "lolminer", "port": "4068", "host": "", "coin": ""})
    await rig.enrol(State.ONLINE)
    answer = await rig.stranger.post(path, data=FORMS[path])
    assert (answer.status_code, "cpu-gpu-sentry page" in answer.text) == (403, True)
    await rig.agent.reload()
    assert [watch.port for watch in rig.agent.watches] == [4068]
    assert rig.agent.uploader.enrolment is not None
    assert (rig.agent.uploader.enrolment.url, rig.agent.uploader.state) == ("https://a.lan", State.ONLINE)


async def test_anybody_may_look_but_sees_no_form_and_nothing_that_miners_print(rig: Rig) -> None:
    await rig.enrol(State.ONLINE)
    await rig.http.post("/watch", data={"software": "xmrig", "port": "18080", "host": "", "coin": ""})
    package = SoftwarePackage(
        software="xmrig", version="6.26.0", url="https://a/b", archive=Archive.TAR_GZ, executable="x", sha256="0" * 64
    )
    playbook = Playbook(id="p1", name="Monero", revision=1, package=package, platform=Platform.LINUX, script="x")
    run = rig.agent.supervisor.run_states["p1"] = RunState(playbook, 4000)
    run.printed = ["a line with 49gTabcdefghijkl in it"]
    run.reason = "It printed “invalid address 49gTabcdefghijkl”."
    reading = MinerReading(software="xmrig", state=MinerState.STALLED, reason=run.reason)
    rig.agent.latest.miners = dict.fromkeys(rig.agent.watches, reading)
    assert (await rig.http.get("/")).text.count("49gTabcdefghijkl") == 3
    page = (await rig.stranger.get("/")).text
    events = rig.page.live.others.events()
    for shown in (page, await anext(events)):
        assert "Online" in shown
        assert "Monero" in shown
        assert "49gTabcdefghijkl" not in shown
        assert "<form" not in shown
    assert "cpu-gpu-sentry page" in page
    assert TOKEN.secret not in page


async def test_another_commander_is_taken_only_after_leaving_the_one_before(rig: Rig) -> None:
    new = Enrolment("https://b.lan", new_token(TokenKind.RIG, pin=None), None, 7, "rig-07", State.ONLINE)
    await rig.agent.change(partial(save_same_commander, new))
    with pytest.raises(EnrolmentError, match=r"another commander, https://b.lan; leave that one first"):
        await rig.agent.change(partial(save_same_commander, replace(new, url="https://c.lan")))
    await rig.agent.change(partial(save_same_commander, replace(new, rig_id=8)))
    await rig.agent.change(forget)
    await rig.agent.change(partial(save_same_commander, replace(new, url="https://c.lan")))


async def test_the_watchdogs_acts_and_what_keeps_it_from_acting_are_on_the_page(rig: Rig) -> None:
    page = (await rig.http.get("/")).text
    assert "The watchdog has done nothing yet." in page
    assert "restarts slow playbooks and may not reboot the rig" in page
    event = LadderEvent(id="e1", act=LadderAct.REBOOTED, reason="rebooted: GPU 03:00.0 fell off the bus, Xid 79")
    await rig.agent.change(lambda db: add_event(db, 5.0, event))
    await rig.agent.reload()
    await rig.agent.operations.ladder.take_settings(LadderSettings(reboots=True, maintenance_s=600))
    await rig.agent.operations.ladder.stop_mining()
    page = (await rig.stranger.get("/")).text
    assert "Rebooted: GPU 03:00.0 fell off the bus, Xid 79." in page
    assert "restarts slow playbooks and may reboot the rig" in page
    assert "Mining was stopped by a person" in page
    assert "The rig is in maintenance" in page
