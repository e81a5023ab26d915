"""Pools and wallets as a browser without script gets them."""

import re

import httpx
from commander_farm import Farm
from pages import error_beside, page, post
from playbook_farm import MONERO, OTHER_MONERO, PLAYBOOKS, Playbooks


async def test_the_navigation_leads_everywhere(person: httpx.AsyncClient) -> None:
    html = await page(person, "/cpu-gpu")
    for path, title in (("/templates", "Templates"), ("/mining-software", "Mining software")):
        assert f'<a href="{path}" title="{title}">' in html
        assert f'<a href="{path}" aria-current="page" title="{title}">' in await page(person, path)


async def test_empty_templates_say_what_to_do_next(person: httpx.AsyncClient) -> None:
    html = await page(person, "/templates")
    assert "No pools yet" in html
    assert "No wallets yet" in html
    assert 'href="/templates?dialog=add&amp;type=wallet"' in html


async def test_an_address_is_added_edited_and_removed_in_dialogs(person: httpx.AsyncClient) -> None:
    assert 'name="type" value="wallet"' in await page(person, "/templates?dialog=add&type=wallet")
    fields = {"type": "wallet", "name": "Cold, mine", "coin": "xmr", "address": MONERO}
    added = await post(person, "/templates", **fields)
    assert (added.status_code, added.headers["location"]) == (303, "/templates")
    html = await page(person, "/templates")
    number = re.search(r'id="address-(\d+)"', html)
    assert number
    assert f'title="{MONERO}">44AFFq5kSi…3RVGQBEP3A<' in html
    assert 'value="Cold, mine"' in await page(person, f"/templates?dialog=edit&address={number[1]}")
    edited = await post(person, f"/templates/{number[1]}/edit", **fields | {"name": "Warm"})
    assert edited.status_code == 303
    assert "No playbook uses this wallet" in await page(person, f"/templates?dialog=remove&address={number[1]}")
    removed = await post(person, f"/templates/{number[1]}/remove")
    assert "The wallet was removed." in await page(person, removed.headers["location"])


async def test_a_mistyped_wallet_comes_back_with_its_error_and_input(person: httpx.AsyncClient) -> None:
    wrong = MONERO[:-1] + "4"
    answer = await post(person, "/templates", type="wallet", name="Mine", coin="Monero", address=wrong)
    assert answer.status_code == 422
    assert "This is no Monero wallet: its checksum does not fit" in error_beside(answer.text, "address")
    assert f'value="{wrong}"' in answer.text
    assert 'data-url="/templates?dialog=add&amp;type=wallet"' in answer.text


async def test_what_is_in_use_says_by_whom_and_a_change_asks_first(
    person: httpx.AsyncClient, farm: Farm, playbooks: Playbooks
) -> None:
    rig = await farm.add("rig-07")
    playbook = await playbooks.add(rig, name="Main")
    wallet = playbook["works"][0]["wallet_id"]
    link = f'<a href="/cpu-gpu/{rig.id}/playbooks/{playbook["id"]}">Main</a> on <span data-rig="{rig.id}">rig-07</span>'
    dialog = await page(person, f"/templates?dialog=remove&address={wallet}")
    assert link in dialog
    assert "danger" not in dialog
    refused = await post(person, f"/templates/{wallet}/remove")
    assert (refused.status_code, link in refused.text) == (422, True)
    fields = {"name": "Cold wallet", "coin": "Monero", "address": OTHER_MONERO}
    asked = await post(person, f"/templates/{wallet}/edit", **fields)
    assert asked.status_code == 422
    assert link in asked.text
    assert "Save and restart 1 playbook<" in asked.text
    assert (await playbooks.get(f"{PLAYBOOKS}/{playbook['id']}"))["revision"] == 1
    assert (await post(person, f"/templates/{wallet}/edit", **fields, confirmed="yes")).status_code == 303
    assert (await playbooks.get(f"{PLAYBOOKS}/{playbook['id']}"))["revision"] == 2
