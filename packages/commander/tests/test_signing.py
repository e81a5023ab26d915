"""The commander's key that signs what rigs run: its file, its numbers, and what a rig's sentry gets."""

import logging
from pathlib import Path
from secrets import token_hex

import msgspec
import pytest
from commander.live.cluster import SingleNode
from commander.live.inbox import Inbox, inbox_item
from commander.live.long_poll import LongPoll
from commander.settings import Settings
from commander.signing import UNSIGNED, Signer, SigningProblem, open_signer
from commander_farm import RIGS, Farm, Rig, on_postgresql, on_sqlite, running
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec.structs import replace
from nats_server import NatsServer
from pages import page
from playbook_farm import STATUS, Playbooks
from protocol.inbox_messages import InboxItem, InboxItems, signed_part
from protocol.item_signature import SIGNED_HEADER, SignedItem, bytes_of, header_of, key_id_of

INBOX = "/api/v1/sentry/inbox"
ITEM = inbox_item("playbooks", "5d41", b'{"playbooks":[]}')


def signer(now_ms: int = 1_000) -> Signer:
    return Signer(Ed25519PrivateKey.generate(), now_ms=lambda: now_ms)


def part(item: InboxItem) -> SignedItem:
    signed = signed_part(item)
    assert signed is not None
    return signed


def verify(public_key: bytes, item: InboxItem) -> None:
    signed = part(item)
    Ed25519PublicKey.from_public_bytes(public_key).verify(bytes.fromhex(signed.signature.signature), bytes_of(signed))


def test_the_key_is_a_file_of_its_own_that_only_its_owner_reads(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    first, again = open_signer(settings), open_signer(settings)
    assert first is not None
    assert again is not None
    assert first.public_key == again.public_key
    path = tmp_path / "tls" / "playbook.key"
    assert path.stat().st_mode & 0o777 == 0o600


@on_sqlite
async def test_a_new_key_asks_for_a_new_backup_only_where_a_farm_existed_before(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with running(settings) as client:
        farm = Farm(client, settings)
        await farm.make_key()
        await farm.add("rig-01")
    path = settings.data_dir / "tls" / "playbook.key"
    assert f"A key that signs playbooks was made: {path}" in caplog.messages
    assert "backup" not in caplog.text
    async with running(settings):
        assert "backup" not in caplog.text, "the key is there"
    path.unlink()
    async with running(settings):
        assert "make a new backup" in caplog.text


@pytest.mark.parametrize("content", [b"", b"noise", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_damaged_key_is_a_sentence_and_stays(tmp_path: Path, content: bytes) -> None:
    settings = Settings(data_dir=tmp_path)
    open_signer(settings)
    path = tmp_path / "tls" / "playbook.key"
    path.write_bytes(content)
    with pytest.raises(SigningProblem, match="Put it back from a backup"):
        open_signer(settings)
    assert path.read_bytes() == content


def test_several_commanders_share_the_key_or_sign_nothing(tmp_path: Path) -> None:
    scaled = Settings(data_dir=tmp_path / "1", nats_url="nats://queue.lan:4222")
    assert open_signer(scaled) is None
    shared = [replace(scaled, data_dir=tmp_path / name, ca_dir=tmp_path / "ca") for name in ("1", "2")]
    one, two = map(open_signer, shared)
    assert one is not None
    assert two is not None
    assert one.public_key == two.public_key


@on_postgresql
async def test_pages_say_where_nothing_is_signed(settings: Settings, nats_server: NatsServer, tmp_path: Path) -> None:
    alone = replace(settings, nats_url=nats_server.url, nats_prefix=f"signing-{token_hex(4)}")
    async with running(alone) as client:
        farm = Farm(client, alone)
        await farm.make_key()
        rig = await farm.add()
        at = f"/cpu-gpu/{rig.id}/playbooks"
        made = await Playbooks(farm).add(rig)
    paths = ["/settings", at, f"{at}/{made['id']}"]
    assert [UNSIGNED in html for html in await pages_of(alone, paths)] == [True] * 3
    shared = replace(alone, ca_dir=tmp_path / "ca")
    assert [UNSIGNED in html for html in await pages_of(shared, paths)] == [False] * 3


async def pages_of(settings: Settings, paths: list[str]) -> list[str]:
    async with running(settings) as client:
        await Farm(client, settings).log_in()
        return [await page(client, path) for path in paths]


def test_a_signature_is_about_the_body_the_kind_the_rig_and_the_number() -> None:
    key = signer()
    item = key.signed(ITEM, 7, None)
    verify(key.public_key, item)
    signature = part(item).signature
    assert (signature.key_id, signature.rig_id, signature.number) == (key_id_of(key.public_key), 7, 1_000)
    others = [
        replace(item, body=msgspec.Raw(b'{"playbooks": []}')),
        replace(item, kind="commands"),
        replace(item, signature=replace(signature, rig_id=8)),
        replace(item, signature=replace(signature, number=1_001)),
    ]
    for other in others:
        with pytest.raises(InvalidSignature):
            verify(key.public_key, other)


def test_a_number_is_above_what_the_sentry_has_whatever_the_clock_says() -> None:
    key = signer(now_ms=5_000)
    taken = part(key.signed(ITEM, 7, None))
    late = Signer(key.key, now_ms=lambda: 1_000)
    assert part(late.signed(ITEM, 7, taken)).signature.number == 5_001
    early = Signer(key.key, now_ms=lambda: 9_000)
    assert part(early.signed(ITEM, 7, taken)).signature.number == 9_000


def test_nobody_can_make_the_commander_sign_a_number_of_the_future() -> None:
    key, other = signer(), signer()
    signed = part(key.signed(ITEM, 7, None))
    raised = replace(signed, signature=replace(signed.signature, number=2**50))
    foreign = part(Signer(other.key, now_ms=lambda: 2**50).signed(ITEM, 7, None))
    another_rig_s = part(Signer(key.key, now_ms=lambda: 2**50).signed(ITEM, 8, None))
    for newest in (raised, foreign, another_rig_s):
        assert part(key.signed(ITEM, 7, newest)).signature.number == 1_000


class Fixed:
    def __init__(self, kind: str) -> None:
        self._kind = kind

    async def item_for(self, rig_id: int) -> InboxItem:
        return inbox_item(self._kind, "1", b"1")


async def test_the_numbers_of_one_answer_rise() -> None:
    inbox = Inbox(LongPoll(), SingleNode(), signer())
    for kind in ("one", "two", "three"):
        inbox.add(Fixed(kind))
    items = await inbox.news(7, {})
    assert [part(item).signature.number for item in items] == [1_000, 1_001, 1_002]


async def answer(farm: Farm, rig: Rig, **headers: str) -> InboxItems:
    response = await farm.client.get(INBOX, headers=rig.auth | headers)
    return msgspec.json.decode(response.content, type=InboxItems)


async def test_a_rig_learns_the_key_from_the_welcome_and_gets_signed_items(farm: Farm) -> None:
    rig, other = await farm.add(), await farm.add("rig-02")
    await Playbooks(farm).add(rig)
    welcome = (await farm.client.get("/api/v1/sentry", headers=rig.auth)).json()
    public_key = bytes.fromhex(welcome["signing_key"])
    (item,) = (await answer(farm, rig)).items
    verify(public_key, item)
    assert part(item).signature.rig_id == rig.id
    assert part((await answer(farm, other)).items[0]).signature.rig_id == other.id
    (again,) = (await answer(farm, rig, **{SIGNED_HEADER: header_of(part(item))})).items
    verify(public_key, again)
    assert part(again).signature.number > part(item).signature.number


@pytest.mark.parametrize("header", ["", "x", "{}", '{"kind":"playbooks","sha256":"","signature":null}'])
async def test_a_header_that_can_not_be_read_changes_nothing(farm: Farm, header: str) -> None:
    rig = await farm.add()
    (item,) = (await answer(farm, rig, **{SIGNED_HEADER: header})).items
    assert item.signature is not None


async def test_an_asic_learns_no_key(farm: Farm) -> None:
    asic = await farm.add_asic()
    assert (await farm.client.get("/api/v1/sentry", headers=asic.auth)).json()["signing_key"] is None


async def test_a_refusal_stands_on_the_rig_s_pages_until_it_is_over(farm: Farm) -> None:
    rig = await farm.add()
    await farm.log_in()

    async def pages() -> list[str]:
        return [await page(farm.client, f"/cpu-gpu/{rig.id}{part_of}") for part_of in ("", "/playbooks")]

    async def trouble() -> list[str]:
        faults: list[str] = (await farm.client.get(f"{RIGS}/{rig.id}", headers=farm.auth)).json()["faults"]
        return faults

    body = {"playbooks": [], "refused": "It is signed with <another> key."}
    assert (await farm.client.put(STATUS, json=body, headers=rig.auth)).status_code == 204
    for html in await pages():
        assert "Playbooks refused: It is signed with &lt;another&gt; key." in html
    assert "Playbooks refused" in await trouble()
    assert (await farm.client.put(STATUS, json={"playbooks": []}, headers=rig.auth)).status_code == 204
    for html in await pages():
        assert "Playbooks refused" not in html
    assert "Playbooks refused" not in await trouble()
