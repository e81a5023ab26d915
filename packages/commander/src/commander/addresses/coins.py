"""Coins, and how a wallet of each is checked. A coin that is not here is checked by its shape alone.

Sources: each coin's chain parameters (version bytes, prefixes), BIP 173 and 350, EIP 55, the CashAddr specification,
CIP 37 (Conflux), Monero's address format.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from protocol import coins

from commander.addresses.checksums import base58check, blake_checked, cash, cryptonote, eip55, segwit

Rule = Callable[[str], None]
_CONFLUX = "abcdefghjkmnprstuvwxyz0123456789"


@dataclass(frozen=True, slots=True)
class Coin:
    """`rule` raises `ValueError` for what is no wallet of this coin."""

    name: str
    ticker: str
    rule: Rule | None = None


def versions(*versions_of_coin: str, bech32: str = "") -> Rule:
    """A base58check address of 20 bytes after one of these versions (hex), or a segwit one with this prefix."""

    def rule(text: str) -> None:
        if bech32 and text.lower().startswith(f"{bech32}1"):
            segwit(bech32, text)
            return
        payload = base58check(text)
        if payload[:-20].hex() not in versions_of_coin:
            raise ValueError("its checksum fits, but it belongs to another coin or network")

    return rule


def prefixed(*prefixes: int) -> Rule:
    """Monero's kind, with one of these prefixes: standard, integrated, sub-address."""

    def rule(text: str) -> None:
        raw = cryptonote(text)
        if raw[0] not in prefixes or len(raw) not in (65, 73):
            raise ValueError("its checksum fits, but it belongs to another coin or network")

    return rule


def cash_or(prefix: str, *versions_of_coin: str, payload_bytes: tuple[int, ...] = (21, 33)) -> Rule:
    """A CashAddr-like address, or an older base58check one of these versions."""
    older = versions(*versions_of_coin)

    def rule(text: str) -> None:
        if versions_of_coin and re.fullmatch(r"[13][1-9A-HJ-NP-Za-km-z]{25,34}", text):
            older(text)
        elif len(cash(prefix, text)) not in payload_bytes:
            raise ValueError("it has a wrong length")

    return rule


def ethereum(text: str) -> None:
    if not re.fullmatch("0x[0-9a-fA-F]{40}", text):
        raise ValueError("it is 0x and 40 hexadecimal digits")
    eip55(text)


def ergo(text: str) -> None:
    if blake_checked(text)[0] >> 4 != 0:
        raise ValueError("its checksum fits, but it belongs to another network")


def conflux(text: str) -> None:
    """Checks `cfx:…`. The form `CFX:TYPE.USER:…` names its type too."""
    parts = text.split(":")
    if len(parts) == 3:
        text = f"{parts[0]}:{parts[2]}"
    if len(cash("cfx", text, _CONFLUX)) != 21:
        raise ValueError("it has a wrong length")


def zcash(text: str) -> None:
    """Transparent addresses; shielded and unified ones are checked by their shape alone."""
    if text.startswith("t"):
        _ZCASH(text)
    elif not re.fullmatch("(zs1|u1)[a-z0-9]{70,300}", text):
        raise ValueError("it begins with t1, t3, zs1 or u1")


_BITCOIN = versions("00", "05", bech32="bc")
_ZCASH = versions("1cb8", "1cbd")
_RULES: dict[str, Rule] = {
    "Bitcoin": _BITCOIN,
    "Bitcoin Cash": cash_or("bitcoincash", "00", "05"),
    "Bitcoin Gold": versions("26", "17", bech32="btg"),
    "Conflux": conflux,
    "Dash": versions("4c", "10"),
    "Dogecoin": versions("1e", "16"),
    "Ergo": ergo,
    "Ethereum": ethereum,
    "Ethereum Classic": ethereum,
    "EthereumPoW": ethereum,
    "Firo": versions("52", "07"),
    "Flux": _ZCASH,
    "Kaspa": cash_or("kaspa", payload_bytes=(33, 34)),
    "Litecoin": versions("30", "32", "05", bech32="ltc"),
    "Monero": prefixed(18, 19, 42),
    "Radiant": versions("00", "05"),
    "Ravencoin": versions("3c", "7a"),
    "Verus": versions("3c", "55", "66"),
    "Vertcoin": versions("47", "05", bech32="vtc"),
    "Zcash": zcash,
}
COINS = tuple(Coin(each.name, each.ticker, _RULES.get(each.name)) for each in coins.COINS)
_BY_NAME = {coin.name: coin for coin in COINS}


def coin_of(text: str) -> Coin | None:
    """By name or ticker, however it is capitalised."""
    return _BY_NAME.get(coins.coin_name(text) or "")
