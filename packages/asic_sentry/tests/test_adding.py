"""Adding an ASIC: both the ASIC and the token are checked, and what is wrong with which is said."""

import stat
from contextlib import closing
from pathlib import Path

import pytest
from asic_commander import SmallCommander, serving_commander
from asic_sentry.asics import store
from asic_sentry.asics.addition import NotAdded, add, give_token
from asic_sentry.asics.asic import Override, Refusal
from asic_sentry.asics.store import SCHEMA, STORE
from asic_sentry.connect import connect, connected_to
from fake_asics import FakeAsic, make_asics, running
from protocol.tokens import TokenKind, new_token
from sentry_farm import BASE
from sentry_kit import store as kit
from sentry_kit.errors import EnrolmentError


@pytest.fixture
async def path(tmp_path: Path, commander: SmallCommander) -> Path:
    """The store of a sentry that is connected, as one with a site token is not needed."""
    await connect(tmp_path / STORE, commander.url, None, "tests")
    return tmp_path / STORE


async def errors(path: Path, ip: str, token: object, model: str = "", port: str = str(BASE + 80)) -> dict[str, str]:
    with pytest.raises(NotAdded) as caught:
        await add(path, ip, port, model, str(token), "tests")
    return dict(caught.value.errors)


def iceriver(network: str, fault: str | None = None) -> list[FakeAsic]:
    return make_asics(1, network, ["iceriver"], [(fault, 100)] if fault else [], BASE)


async def test_what_is_right_is_added_and_kept_for_its_owner_alone(
    path: Path, commander: SmallCommander, network: str
) -> None:
    rig = commander.add_rig("ks-01")
    async with running(iceriver(network)) as farm:
        added = await add(path, farm.asics[0].ip, str(BASE + 80), None, str(rig.token), "tests")
    assert added == (farm.asics[0].ip, "IceRiver KS5L", "ks-01")
    with closing(kit.open_store(path, SCHEMA)) as db:
        asic = store.load_asics(db)[0]
        modes = {stat.S_IMODE(file.stat().st_mode) for file in path.parent.glob("sentry.db*")}
    assert (asic.token, asic.rig.id, asic.mac) == (rig.token, rig.id, asic.identity.specs.mac)
    assert modes == {0o600}


async def test_a_wrong_token_is_the_token_s_fault_alone(path: Path, commander: SmallCommander, network: str) -> None:
    removed = commander.add_rig("gone")
    removed.is_removed = True
    async with running(iceriver(network)) as farm:
        ip = farm.asics[0].ip
        unknown = await errors(path, ip, new_token(TokenKind.ASIC, pin=commander.pin))
        without_pin = await errors(path, ip, new_token(TokenKind.ASIC, pin=None))
        foreign = await errors(path, ip, new_token(TokenKind.ASIC, pin="ab" * 32))
        gone = await errors(path, ip, removed.token)
        kind = await errors(path, ip, commander.site_token)
        nothing = await errors(path, ip, "")
    said = [unknown, without_pin, foreign, gone, kind, nothing]
    assert all(set(each) == {"token"} for each in said)
    words = ("does not know it", "", "not the commander that the token", "was removed", "mw_asic_", "mw_asic_")
    assert all(word in each["token"] for word, each in zip(words, said, strict=True))
    assert connected_to(path) is not None


async def test_a_wrong_asic_is_the_asic_s_fault_alone(path: Path, commander: SmallCommander, network: str) -> None:
    rig = commander.add_rig("ks-01")
    async with running(iceriver(network, "error_status")) as farm:
        refusing = await errors(path, farm.asics[0].ip, rig.token)
        nobody = await errors(path, network.replace("0/24", "9"), rig.token)
        no_ip = await errors(path, "here", rig.token)
        no_port = await errors(path, farm.asics[0].ip, rig.token, port="http")
    assert [set(each) for each in (refusing, nobody, no_ip, no_port)] == [{"ip"}, {"ip"}, {"ip"}, {"port"}]
    assert "error_status" in refusing["ip"]
    assert "refused" in nobody["ip"]


async def test_where_both_are_wrong_both_are_said(path: Path, commander: SmallCommander, network: str) -> None:
    with pytest.raises(NotAdded) as caught:
        await add(path, network.replace("0/24", "9"), None, None, str(new_token(TokenKind.ASIC, pin=None)), "tests")
    assert set(caught.value.errors) == {"ip", "token"}
    assert str(caught.value).startswith("The ASIC failed: ")
    assert " The token failed: " in str(caught.value)


async def test_without_a_commander_the_token_can_not_be_checked(tmp_path: Path, network: str) -> None:
    async with running(iceriver(network)) as farm:
        said = await errors(tmp_path / STORE, farm.asics[0].ip, new_token(TokenKind.ASIC, pin=None))
    assert "Connect it first" in said["token"]


async def test_a_token_that_another_asic_has_is_refused(path: Path, commander: SmallCommander, network: str) -> None:
    rig = commander.add_rig("ks-01")
    async with running(make_asics(2, network, ["iceriver"], port_base=BASE)) as farm:
        first, second = (asic.ip for asic in farm.asics)
        await add(path, first, str(BASE + 80), None, str(rig.token), "tests")
        said = await errors(path, second, rig.token)
        again = await add(path, first, str(BASE + 80), None, str(rig.token), "tests")
    assert first in said["token"]
    assert again.ip == first


async def test_a_new_token_keeps_what_was_entered_and_takes_the_refusal_away(
    path: Path, commander: SmallCommander, network: str
) -> None:
    rig = commander.add_rig("ks-01")
    async with running(iceriver(network)) as farm:
        ip = farm.asics[0].ip
        await add(path, ip, str(BASE + 80), None, str(rig.token), "tests")
    with closing(kit.open_store(path, SCHEMA)) as db:
        asic = store.load_asics(db)[0]
        store.set_asic_override(db, ip, Override(3400.0, None))
        store.note_refusal(db, asic.id, asic.token, Refusal.INVALID_TOKEN)
        with pytest.raises(NotAdded):
            await give_token(path, asic.id, ip, str(new_token(TokenKind.ASIC, pin=commander.pin)), "tests")
        await give_token(path, asic.id, ip, str(commander.renew(rig)), "tests")
        asic = store.load_asics(db)[0]
    assert (asic.refusal, asic.token, asic.override.power_w) == (None, rig.token, 3400.0)


async def test_the_first_token_names_the_authority_and_a_commander_that_was_set_up_anew_another(
    path: Path, commander: SmallCommander, network: str, tmp_path: Path
) -> None:
    before = connected_to(path)
    assert before is not None
    assert before.ca_pem is None
    async with running(make_asics(2, network, ["iceriver"], port_base=BASE)) as farm:
        await add(path, farm.asics[0].ip, str(BASE + 80), None, str(commander.add_rig("a").token), "tests")
        trusted = connected_to(path)
        async with serving_commander(tmp_path / "other") as other:
            await connect(path, other.url, str(other.site_token), "tests")
            await add(path, farm.asics[1].ip, str(BASE + 80), None, str(other.add_rig("b").token), "tests")
    after = connected_to(path)
    assert trusted is not None
    assert after is not None
    assert trusted.ca_pem not in (None, after.ca_pem)


async def test_a_site_token_that_is_none_is_told_beside_it(tmp_path: Path, commander: SmallCommander) -> None:
    for token in (new_token(TokenKind.SITE, pin=commander.pin), commander.add_rig("x").token):
        with pytest.raises(EnrolmentError) as caught:
            await connect(tmp_path / STORE, commander.url, str(token), "tests")
        assert caught.value.field == "token"


@pytest.mark.parametrize(("column", "value"), [("token", "mw_asic2_x"), ("specs", "{"), ("refusal", 7), ("specs", 7)])
async def test_an_asic_that_another_version_wrote_does_not_stop_the_others(
    path: Path, commander: SmallCommander, network: str, column: str, value: object
) -> None:
    async with running(make_asics(2, network, ["iceriver"], port_base=BASE)) as farm:
        first, second = (asic.ip for asic in farm.asics)
        rigs = [commander.add_rig(ip) for ip in (first, second)]
        for ip, rig in zip((first, second), rigs, strict=True):
            await add(path, ip, str(BASE + 80), None, str(rig.token), "tests")
        with closing(kit.open_store(path, SCHEMA)) as db:
            db.execute(f"UPDATE asic SET {column} = ? WHERE ip = ?", (value, first))  # noqa: S608 - a test's own word
            assert [asic.ip for asic in store.load_asics(db)] == [second]
        await add(path, first, str(BASE + 80), None, str(commander.renew(rigs[0])), "tests")
        with closing(kit.open_store(path, SCHEMA)) as db:
            assert [asic.ip for asic in store.load_asics(db)] == [first, second]
