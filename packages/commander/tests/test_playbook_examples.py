"""The worked examples in docs/playbook-examples.md give the scripts that the page shows."""

import re
from pathlib import Path

from commander_farm import Farm
from playbook_farm import ADDRESSES, MONERO, SOFTWARE, Playbooks

PAGE = (Path(__file__).parents[3] / "docs" / "playbook-examples.md").read_text(encoding="utf-8")
XMRIG, RIGEL = re.findall(r"```sh\n(.+?)```", PAGE, re.DOTALL)
WALLETS = {
    "Ergo": "9fRAWhdxEsTcdb8PhGNrZfwqa65zfkuYHAMmkQLcic1gdLSV5vA",
    "Kaspa": "kaspa:qqkqkzjvr7zwxxmjxjkmxxdwju9kjs6e9u82uh59z07vgaks6gg62v8707g73",
}


async def address(playbooks: Playbooks, kind: str, coin: str, text: str) -> int:
    body = {"type": kind, "name": f"{coin} {kind}", "coin": coin, "address": text}
    return int((await playbooks.post(ADDRESSES, body))["id"])


async def shipped(playbooks: Playbooks, software: str) -> int:
    return next(int(each["id"]) for each in await playbooks.get(SOFTWARE) if each["software"] == software)


async def test_monero_on_the_cpu(farm: Farm, playbooks: Playbooks) -> None:
    rig = await farm.add("rig-07")
    pool = await address(playbooks, "pool", "Monero", "stratum+ssl://pool.example:443")
    wallet = await address(playbooks, "wallet", "Monero", MONERO)
    work = {"algorithm": "rx/0", "pool_id": pool, "wallet_id": wallet, "password": "x"}
    await playbooks.add(rig, {"software_id": await shipped(playbooks, "xmrig"), "works": [work]})
    (playbook,) = (await playbooks.wire(rig)).json()["playbooks"]
    assert playbook["script"].strip() == XMRIG.replace("WALLET", MONERO).strip()


async def test_two_coins_on_one_card(farm: Farm, playbooks: Playbooks) -> None:
    rig = await farm.add("rig-07")
    works = [
        {
            "algorithm": algorithm,
            "pool_id": await address(playbooks, "pool", coin, f"{coin.lower()}.example:3333"),
            "wallet_id": await address(playbooks, "wallet", coin, WALLETS[coin]),
        }
        for coin, algorithm in (("Ergo", "autolykos2"), ("Kaspa", "kheavyhash"))
    ]
    await playbooks.add(rig, {"software_id": await shipped(playbooks, "rigel"), "script": RIGEL, "works": works})
    (playbook,) = (await playbooks.wire(rig)).json()["playbooks"]
    assert "-a autolykos2+kheavyhash" in playbook["script"]
    assert all(f"]stratum+tcp://{coin}.example:3333" in playbook["script"] for coin in ("ergo", "kaspa"))
