"""The local page of a real agent, asked as a browser without its script asks."""

import re
from datetime import UTC, datetime
from pathlib import Path

from asic_commander import SmallCommander, problem, serving_commander
from asic_sentry.access import Login
from asic_sentry.addresses import Network
from asic_sentry.asics.asic import Override, Refusal
from asic_sentry.asics.logins import load_logins
from asic_sentry.device import Device
from asic_sentry.local.views import in_trouble
from asic_sentry.poll import Identity
from fake_asics import make_asics, running
from locked_asic import PORT as LOCKED_PORT
from locked_asic import RIGHT, TOKEN, WRONG, locked
from page_browser import PORT, Browser, error, live_parts, row
from protocol.asic_messages import AsicLog, AsicSpecs
from protocol.tokens import TokenKind, new_token
from protocol.units import UNKNOWN
from sentry_farm import BASE, Sentry, put, put_identity
from sentry_kit import store as kit

LENGTH = "Give a password of 1 to 256 characters."
LOG_IN = "POST /api/v1/unlock"


async def test_a_new_sentry_says_what_to_do(browser: Browser) -> None:
    page = await browser.get()
    assert "None yet. Add one below" in page
    assert "Has no ASICs yet" in page


async def test_an_asic_is_added_by_the_form_and_its_figures_are_there(
    browser: Browser, commander: SmallCommander, network: str
) -> None:
    rig = commander.add_rig("ks-<01>")
    async with running(make_asics(1, network, ["iceriver"], port_base=BASE)) as farm:
        ip = farm.asics[0].ip
        answer = await browser.send("/add", ip=ip, port=PORT, model="", token=str(rig.token))
        assert answer.status_code == 303
        await browser.sentry.until(lambda: browser.sentry.device(ip).log is not None)
        page = await browser.get()
    shown = row(page, browser.sentry.device(ip).asic.id)
    assert all(word in shown for word in (ip, "IceRiver KS5L", "ks-&lt;01&gt;", "Online", "Kaspa", "TH/s", "rpm", "°C"))
    assert UNKNOWN in shown  # it tells no wattage
    assert rig.token.secret not in page


async def test_an_error_stands_beside_the_one_of_the_two_that_failed(
    browser: Browser, commander: SmallCommander, network: str
) -> None:
    rig = commander.add_rig("ks-01")
    async with running(make_asics(1, network, ["iceriver"], port_base=BASE)) as farm:
        ip, nobody = farm.asics[0].ip, network.replace("0/24", "9")
        wrong_token = await browser.send("/add", ip=ip, port=PORT, token=str(new_token(TokenKind.ASIC, pin=None)))
        wrong_asic = await browser.send("/add", ip=nobody, port=PORT, token=str(rig.token))
        both = await browser.send("/add", ip="here", token="x")
    assert [each.status_code for each in (wrong_token, wrong_asic, both)] == [422, 422, 422]
    assert "does not know it" in error(wrong_token.text, "asic-token")
    assert error(wrong_token.text, "ip") == ""
    assert "refused" in error(wrong_asic.text, "ip")
    assert error(wrong_asic.text, "asic-token") == ""
    assert error(both.text, "ip")
    assert error(both.text, "asic-token")
    assert f'value="{nobody}"' in wrong_asic.text


async def test_an_invalid_token_has_new_token_beside_it(
    browser: Browser, commander: SmallCommander, network: str
) -> None:
    async with running(make_asics(2, network, ["iceriver"], port_base=BASE)) as farm:
        rigs = browser.sentry.add(farm.asics, commander)
        ip = farm.asics[0].ip
        await commander.until(lambda: all(rig.logs for rig in rigs.values()))
        rigs[ip].is_removed = True
        await browser.sentry.until(lambda: browser.sentry.asic(ip).refusal is Refusal.RIG_REMOVED)
        key = browser.sentry.device(ip).asic.id
        page = await browser.get()
        assert "<dd>2 of 2</dd>" in page  # both answer: the token is the commander's matter
        assert '<a href="/?show=trouble">1 with trouble</a>' in page
        shown = row(page, key)
        assert "Invalid token" in shown
        assert "removed from the commander" in shown
        assert f'href="/?change={key}#change"' in shown
        form = await browser.get(f"/?change={key}")
        assert 'action="/token"' in form
        wrong = await browser.send("/token", id=str(key), token=str(new_token(TokenKind.ASIC, pin=commander.pin)))
        assert "does not know it" in error(wrong.text, "new-token")
        fresh = commander.add_rig("anew")
        assert (await browser.send("/token", id=str(key), token=str(fresh.token))).status_code == 303
        await commander.until(lambda: bool(fresh.logs))
        assert "anew" in row(await browser.get(), key)


def test_an_asic_that_reports_a_fault_is_in_trouble_and_one_that_was_never_asked_is_not(sentry: Sentry) -> None:
    (fake,) = make_asics(1, "127.0.0.0/24", ["iceriver"], port_base=BASE)
    device = Device(put(sentry.db, fake), Override(), specs_due_s=0, identify_due_s=0)
    assert in_trouble([device]) == []
    device.log = AsicLog(taken_at=datetime.now(UTC), faults=["fan"])
    assert in_trouble([device]) == [device]


async def test_trouble_is_counted_live(browser: Browser, commander: SmallCommander, network: str) -> None:
    async with running(make_asics(1, network, ["iceriver"], port_base=BASE)) as farm:
        rigs = browser.sentry.add(farm.asics, commander)
        ip = farm.asics[0].ip
        await commander.until(lambda: bool(rigs[ip].logs))
        calm = await live_parts(browser.page)
        rigs[ip].is_removed = True
        await browser.sentry.until(lambda: browser.sentry.device(ip).asic.refusal is not None)
        troubled = await live_parts(browser.page)
    assert '<span id="trouble"></span>' in calm
    assert '<a href="/?show=trouble">1 with trouble</a>' in troubled
    sets = [dict(re.findall(r'id="(\w+-set)"[^>]* data-set="([^"]*)"', event)) for event in (calm, troubled)]
    assert sets[0]["asics-set"] == sets[1]["asics-set"]
    assert sets[0]["trouble-set"] != sets[1]["trouble-set"]


async def test_the_model_is_a_choice_and_is_checked(browser: Browser, commander: SmallCommander, network: str) -> None:
    rig = commander.add_rig("ks-01")
    page = await browser.get()
    choices = re.findall(r"<option[^>]*>([^<]*)</option>", page)
    assert choices[0] == "Find out"
    assert {"Antminer S19 Pro", "IceRiver KS5L", "BitAxe Gamma"} < set(choices)
    async with running(make_asics(1, network, ["iceriver"], port_base=BASE)) as farm:
        given = {"ip": farm.asics[0].ip, "port": PORT, "token": str(rig.token)}
        other = await browser.send("/add", **given, model="IceRiver KS3")
        unknown = await browser.send("/add", **given, model="Toaster 9")
        assert "says that it is an IceRiver KS5L, not an IceRiver KS3" in error(other.text, "model")
        assert "<option selected>IceRiver KS3</option>" in other.text
        assert "This sentry does not know the model" in error(unknown.text, "model")
        assert (await browser.send("/add", **given, model="IceRiver KS5L")).status_code == 303


async def test_wattage_and_coin_are_entered_for_one_and_for_a_model(
    browser: Browser, commander: SmallCommander, network: str
) -> None:
    async with running(make_asics(1, network, ["iceriver"], port_base=BASE)) as farm:
        rig = browser.sentry.add(farm.asics, commander)[farm.asics[0].ip]
        await commander.until(lambda: bool(rig.logs))
        key = browser.sentry.device(farm.asics[0].ip).asic.id
        wrong = await browser.send("/enter", id=str(key), power_w="much", coin="")
        assert "is no wattage" in error(wrong.text, "asic-power")
        assert (await browser.send("/model", model="KS5L", power_w="3400", coin="Bugna")).status_code == 303
        await commander.until(lambda: list(rig.logs.values())[-1].power_w == 3400)
        shown = row(await browser.get(), key)
        assert "3.40 kW" in shown
        assert "entered" in shown
        assert (await browser.send("/enter", id=str(key), power_w="3333", coin="")).status_code == 303
        await commander.until(lambda: list(rig.logs.values())[-1].power_w == 3333)
        assert list(rig.logs.values())[-1].coin == "Bugna"
    assert "is no wattage" in error((await browser.send("/model", model="x", power_w="0")).text, "model-power")


async def test_a_password_is_entered_for_one_and_for_a_model_and_never_shown(
    browser: Browser, commander: SmallCommander, network: str
) -> None:
    async with running(make_asics(1, network, ["iceriver"], port_base=BASE)) as farm:
        ip = farm.asics[0].ip
        browser.sentry.add(farm.asics, commander)
        await browser.sentry.until(lambda: any(device.log for device in browser.sentry.agent.poller))
        key = str(browser.sentry.device(ip).asic.id)
        assert 'action="/password"' in await browser.get(f"/?change={key}")
        empty = await browser.send("/password", id=key, user="root", password="")
        assert "1 to 256 characters" in error(empty.text, "asic-password")
        assert (await browser.send("/password", id=key, user="me", password="s3cret-1")).status_code == 303
        assert browser.sentry.device(ip).login == Login("me", "s3cret-1")
        for name, password in (("elphapex dg1+", "s3cret-2"), ("192.0.2.77", "s3cret-3")):
            given = {"model": name, "user": "root", "password": password}
            assert (await browser.send("/model-password", **given)).status_code == 303
        wrong = await browser.send("/model-password", model="", user="root", password="s3cret-4")
        assert "Give a model" in error(wrong.text, "password-model")
        page = await browser.get(f"/?change={key}")
        assert "one is stored, for the user “me”" in page
        for name in (ip, "192.0.2.77", "Elphapex DG1+"):
            assert f'<th scope="row" class="whole">{name}</th>' in page
        for text in (page, wrong.text, empty.text, await live_parts(browser.page)):
            assert "s3cret" not in text
        assert "s3cret" not in (await browser.other_mac.get("/")).text
        assert (await browser.send("/password", id=key, remove="1")).status_code == 303
        assert browser.sentry.device(ip).login is None
        assert (await browser.send("/model-password", model="192.0.2.77", remove="1")).status_code == 303
    assert set(load_logins(browser.sentry.db)) == {"model elphapexdg1+"}


async def test_a_password_that_the_asic_refuses_is_not_stored_and_one_that_can_not_be_is_not_sent(
    browser: Browser, network: str
) -> None:
    async with locked(network, "vnish", TOKEN) as (ip, asic):
        put_identity(browser.sentry.db, Identity(ip=ip, port=LOCKED_PORT, dialect="vnish", specs=AsicSpecs()))
        await browser.sentry.until(lambda: any(device.failures for device in browser.sentry.agent.poller))
        key = str(browser.sentry.device(ip).asic.id)
        for password in ("", "x" * 257):
            answer = await browser.send("/password", id=key, user="root", password=password)
            assert (answer.status_code, error(answer.text, "asic-password")) == (422, LENGTH)
        assert LOG_IN not in asic.seen
        answer = await browser.send("/password", id=key, user="root", password=WRONG.password)
        assert (answer.status_code, LOG_IN in asic.seen) == (422, True)
        assert "It refuses the password that was entered." in error(answer.text, "asic-password")
        assert load_logins(browser.sentry.db) == {}
        answer = await browser.send("/password", id=key, user="root", password=RIGHT.password)
        assert answer.status_code == 303
        await browser.sentry.until(lambda: browser.sentry.device(ip).log is not None)
    assert list(load_logins(browser.sentry.db).values()) == [RIGHT]


async def test_a_dead_asic_keeps_no_figures(browser: Browser, commander: SmallCommander, network: str) -> None:
    async with running(make_asics(1, network, ["iceriver"], port_base=BASE)) as farm:
        ip = farm.asics[0].ip
        browser.sentry.add(farm.asics, commander)
        await browser.sentry.until(lambda: any(device.log for device in browser.sentry.agent.poller))
    device = browser.sentry.device(ip)
    await browser.sentry.until(lambda: device.asic.failure is not None)
    shown = row(await browser.get(), device.asic.id)
    assert "Not answering" in shown
    assert "refused" in shown
    assert "TH/s" not in shown
    assert "<time" in shown
    assert row(await browser.get("/?show=trouble"), device.asic.id) == shown


async def test_removing_leaves_the_others(browser: Browser, commander: SmallCommander, network: str) -> None:
    async with running(make_asics(2, network, ["iceriver"], port_base=BASE)) as farm:
        browser.sentry.add(farm.asics, commander)
        await browser.sentry.until(lambda: len(browser.sentry.agent.poller.devices) == 2)
        key = browser.sentry.device(farm.asics[0].ip).asic.id
        assert (await browser.send("/remove", id=str(key))).status_code == 303
        assert (await browser.send("/remove", id=str(key))).status_code == 303
    page = await browser.get()
    assert farm.asics[0].ip not in page
    assert farm.asics[1].ip in page


async def test_what_a_scan_finds_is_ticked_named_and_adopted(
    browser: Browser, commander: SmallCommander, network: str
) -> None:
    scans = browser.sentry.agent.scans
    async with running(make_asics(6, network, ["iceriver"], port_base=BASE)) as farm:
        assert "is not a network" in error((await browser.send("/scan", network="farm")).text, "network")
        assert (await browser.send("/scan", network=network)).status_code == 303
        assert 'action="/scan/stop"' in await browser.get()
        assert (await browser.send("/scan/stop")).status_code == 303
        scans.start(Network(network), [int(PORT)])  # the usual ports need root
        assert scans.current is not None
        await scans.current.run()
        page = await browser.get()
        assert page.count('type="checkbox" name="ip"') == 6
        chosen = [asic.ip for asic in farm.asics[:4]]
        wrong = await browser.send("/adopt", ip=chosen, name="{password}")
        assert "may hold" in error(wrong.text, "adopt-name")
        assert "Tick the ASICs" in (await browser.send("/adopt", name="{ip}")).text
        assert (await browser.send("/adopt", ip=chosen, name="farm-{ip}")).status_code == 303
        await commander.until(lambda: sum(bool(rig.logs) for rig in commander.rigs.values()) == 4)
    assert {rig.name for rig in commander.rigs.values()} == {f"farm-{ip}" for ip in chosen}
    page = await browser.get()
    assert page.count('type="checkbox" name="ip"') == 2
    assert page.count(">added<") == 4


async def test_another_commander_is_checked_before_it_is_kept(browser: Browser, commander: SmallCommander) -> None:
    wrong = await browser.send("/connect", url="farm", token="")
    assert error(wrong.text, "url")
    token = new_token(TokenKind.SITE, pin=commander.pin)
    assert "this site token" in error(
        (await browser.send("/connect", url=commander.url, token=str(token))).text, "site-token"
    )
    assert (await browser.send("/connect", url=commander.url, token="")).status_code == 303
    known = kit.load_enrolment(browser.sentry.db)
    assert known is not None
    assert (known.token, known.ca_pem) == (None, commander.ca_pem)
    assert "Adopting them needs" not in await browser.get()


async def test_while_the_commander_is_away_the_page_says_so(browser: Browser, commander: SmallCommander) -> None:
    commander.refuses = lambda _path: problem(503, "overloaded")
    browser.sentry.agent.uploader._reset()
    browser.sentry.agent.uploader._greet_at = 0.0
    await browser.sentry.until(lambda: "is busy" in (browser.sentry.agent.uploader.error or ""))
    assert "The commander is busy" in await browser.get()


async def test_only_rows_that_changed_travel_to_an_open_page(
    browser: Browser, commander: SmallCommander, network: str
) -> None:
    async with running(make_asics(3, network, ["iceriver"], port_base=BASE)) as farm:
        browser.sentry.add(farm.asics, commander)
        await browser.sentry.until(lambda: sum(device.log is not None for device in browser.sentry.agent.poller) == 3)
        events = browser.page.live.owners.events()
        assert (await anext(events)).count("<tr ") == 3
        device = browser.sentry.device(farm.asics[0].ip)
        device.touch(news="Found again.")
        known = {each.asic.id: each.version for each in browser.sentry.agent.poller}
        browser.page.live.publish()
        said = await anext(events)
        browser.page.live.close()
    assert "Found again." in said
    assert len(known) == 3


async def test_many_are_shown_in_parts(browser: Browser, commander: SmallCommander, network: str) -> None:
    wide = make_asics(300, f"{network.rsplit('.', 2)[0]}.0.0/22", ["iceriver"], port_base=BASE)
    browser.sentry.add(wide, commander)
    await browser.sentry.until(lambda: len(browser.sentry.agent.poller.devices) == 300)
    first, second = await browser.get(), await browser.get("/?page=2")
    assert (first.count("<tr id="), second.count("<tr id=")) == (250, 50)
    assert (await browser.get("/?page=x&change=9999999999999")).count("<tr id=") == 250


async def test_buttons_and_facts_have_the_usual_words(
    browser: Browser, commander: SmallCommander, network: str
) -> None:
    rig = browser.sentry.add(make_asics(1, network, ["iceriver"], port_base=BASE), commander)
    await browser.sentry.until(lambda: len(browser.sentry.agent.poller.devices) == 1)
    key = browser.sentry.device(next(iter(rig))).asic.id
    page = await browser.get(f"/?change={key}")
    for words in (">Edit</a>", "<button>Save</button>", "<button>Scan network</button>", "Last report stored"):
        assert words in page
    assert not re.search("<button>(Keep|Look for ASICs)</button>|Last stored there|>Change</a>", page)


async def test_the_page_does_not_hand_the_asics_to_another_commander(
    browser: Browser, commander: SmallCommander, tmp_path: Path
) -> None:
    async with serving_commander(tmp_path / "other") as other:
        for token in ("", str(other.site_token)):
            answer = await browser.send("/connect", url=other.url, token=token)
            assert "run asic-sentry connect" in error(answer.text, "url")
    known = kit.load_enrolment(browser.sentry.db)
    assert known is not None
    assert known.url == commander.url
