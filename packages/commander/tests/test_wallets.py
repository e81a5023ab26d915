"""Checks of addresses: checksums against the coins' own published examples."""

import hashlib
from contextlib import suppress

import pytest
from commander.addresses.checks import checked_address, checked_coin, checked_name
from commander.addresses.coins import COINS, coin_of
from commander.addresses.domain import AddressKind, BadAddress
from commander.addresses.keccak import SHA3_PADDING, keccak256
from hypothesis import given, settings
from hypothesis import strategies as some

WALLETS = [
    ("Bitcoin", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
    ("Bitcoin", "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy"),
    ("Bitcoin", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"),
    ("Bitcoin", "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0"),
    ("Bitcoin Cash", "bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a"),
    ("Bitcoin Cash", "qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a"),
    ("Conflux", "cfx:aarc9abycue0hhzgyrr53m6cxedgccrmmyybjgh4xg"),
    ("Conflux", "CFX:TYPE.USER:AARC9ABYCUE0HHZGYRR53M6CXEDGCCRMMYYBJGH4XG"),
    ("Dash", "XpESxaUmonkq8RaLLp46Brx2K39ggQe226"),
    ("Dogecoin", "DH5yaieqoZN36fDVciNyRueRGvGLR3mr7L"),
    ("Ergo", "9fRAWhdxEsTcdb8PhGNrZfwqa65zfkuYHAMmkQLcic1gdLSV5vA"),
    ("Ethereum", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"),
    ("Flux", "t1XVXWCvpMgBvUaed4XDqWtgQgJSu1Ghz7F"),
    ("Kaspa", "kaspa:qpauqsvk7yf9unexwmxsnmg547mhyga37csh0kj53q6xxgl24ydxjsgzthw5j"),
    ("Kaspa", "qqkqkzjvr7zwxxmjxjkmxxdwju9kjs6e9u82uh59z07vgaks6gg62v8707g73"),
    ("Litecoin", "LVg2kJoFNg45Nbpy53h7Fe1wKyeXVRhMH9"),
    ("Litecoin", "ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9"),
    ("Litecoin", "MQMcJhpWHYVeQArcZR3sBgyPZxxRtnH441"),
    ("Monero", "44AFFq5kSiGBoZ4NMDwYtN18obc8AemS33DBLWs3H7otXft3XjrpDtQGv7SqSsaBYBb98uNbr2VBBEt7f2wfn3RVGQBEP3A"),
    ("Monero", "888tNkZrPN6JsEgekjMnABU4TBzc2Dt29EPAvkRxbANsAnjyPbb3iQ1YBRk1UXcdRsiKc9dhwMVgN5S9cQUiyoogDavup3H"),
    ("Verus", "RQpWNdNZ4LQ5yHUM3VAVuhUmMMiMuGLUhT"),
    ("Zcash", "t1XVXWCvpMgBvUaed4XDqWtgQgJSu1Ghz7F"),
]
WITH_RULE = [coin.name for coin in COINS if coin.rule]


def wallet(coin: str | None, text: str) -> str:
    return checked_address(AddressKind.WALLET, coin, text)


@pytest.mark.parametrize(("coin", "text"), WALLETS, ids=[f"{coin}-{at}" for at, (coin, _) in enumerate(WALLETS)])
def test_a_right_wallet_is_taken_and_one_wrong_character_is_not(coin: str, text: str) -> None:
    assert wallet(coin, f" {text} ") == text
    place = len(text) // 2 + 1
    other = "7" if text[place] != "7" else "8"
    with pytest.raises(BadAddress, match=f"This is no {coin} wallet"):
        wallet(coin, f"{text[:place]}{other}{text[place + 1 :]}")


def test_an_address_of_ethereum_in_small_letters_has_no_checksum() -> None:
    assert wallet("ETC", "0xfb6916095ca1df60bb79ce92ce3ea74c37c5d359")
    with pytest.raises(BadAddress, match="40 hexadecimal digits"):
        wallet("ETC", "0xfb6916095ca1df60bb79ce92ce3ea74c37c5d35")


def test_what_pools_let_people_add_behind_a_wallet_is_let_through() -> None:
    monero = "44AFFq5kSiGBoZ4NMDwYtN18obc8AemS33DBLWs3H7otXft3XjrpDtQGv7SqSsaBYBb98uNbr2VBBEt7f2wfn3RVGQBEP3A"
    for suffix in (".rig1", "+10000", "/rig@example.org"):
        assert wallet("Monero", monero + suffix) == monero + suffix


@pytest.mark.parametrize("coin", WITH_RULE)
def test_another_coin_s_wallet_is_refused(coin: str) -> None:
    own = {text for name, text in WALLETS if name == coin}
    for name, text in WALLETS:
        if (
            text in own
            or {name, coin} <= {"Flux", "Zcash"}
            or {name, coin} <= set(ETHEREUMS)
            or twins(name, coin, text)
        ):
            continue
        with pytest.raises(BadAddress, match="This is no"):
            wallet(coin, text)


ETHEREUMS = ("Ethereum", "Ethereum Classic", "EthereumPoW")


def twins(name: str, coin: str, text: str) -> bool:
    """Coins that kept the version bytes of the coin that they were forked from."""
    forks = {"Bitcoin", "Bitcoin Cash", "Radiant", "Litecoin", "Vertcoin", "Verus", "Ravencoin"}
    return {name, coin} <= forks and not text.startswith(("bc1", "ltc1", "bitcoincash", "q"))


@pytest.mark.parametrize(
    "text", ["; rm -rf /", "$(reboot)", "`id`", "a b", "-u", "a'b", 'a"b', "a\nb", "a%PATH%", "a|b", ""]
)
def test_dangerous_characters_are_refused_for_every_coin(text: str) -> None:
    for coin in ("Monero", "A coin of their own"):
        with pytest.raises(BadAddress) as refused:
            wallet(coin, text)
        assert refused.value.field == "address"


def test_a_coin_that_nobody_knows_is_checked_by_its_shape() -> None:
    assert wallet("Quubit", "account.name") == "account.name"


def test_a_wallet_needs_a_coin() -> None:
    with pytest.raises(BadAddress) as refused:
        wallet(None, "account")
    assert refused.value.field == "coin"


def test_coins_are_known_by_name_and_ticker() -> None:
    assert [checked_coin(text) for text in ("xmr", "MONERO", " Monero ", "", None)] == ["Monero"] * 3 + [None, None]
    words = [word for coin in COINS for word in {coin.name.casefold(), coin.ticker.casefold()}]
    assert len(words) == len(set(words))
    assert coin_of("nonsense") is None


POOLS = [
    ("pool.example:3333", "pool.example:3333"),
    ("stratum+ssl://eu.pool.example:443", "stratum+ssl://eu.pool.example:443"),
    ("STRATUM+TCP://Pool.example:1", "stratum+tcp://Pool.example:1"),
    ("127.0.0.1:3333", "127.0.0.1:3333"),
    ("[2001:db8::1]:3333", "[2001:db8::1]:3333"),
]


@pytest.mark.parametrize(("text", "kept"), POOLS)
def test_a_pool_is_host_and_port_with_a_scheme_or_without(text: str, kept: str) -> None:
    assert checked_address(AddressKind.POOL, None, text) == kept


BAD_POOLS = [
    *("pool.example", "pool.example:0", "pool.example:70000", "pool.example:x", ":3333", "ftp://pool.example:1"),
    *("pool.example:3333/path", "user@pool.example:1", "pool .example:1", "pool.example:1;id", "$(id):1", "-o:1"),
    *("a..b:1", "[::1:1", "[nonsense]:1", "pool.example:\u0661", "x" * 300 + ":1", ""),
]


@pytest.mark.parametrize("text", BAD_POOLS, ids=range(len(BAD_POOLS)))
def test_what_is_no_pool_says_what_is_wrong(text: str) -> None:
    with pytest.raises(BadAddress) as refused:
        checked_address(AddressKind.POOL, None, text)
    assert refused.value.field == "address"
    assert str(refused.value).endswith((".", "!"))


@settings(deadline=None)
@given(some.text(max_size=60))
def test_nothing_but_a_refusal_comes_of_any_text(text: str) -> None:
    for kind in AddressKind:
        for coin in (None, *(coin.name for coin in COINS)):
            with suppress(BadAddress):
                assert checked_address(kind, coin, text)


@pytest.mark.parametrize("name", ["", "  ", "x" * 65, "<b>", "-x", "a\nb"])
def test_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(BadAddress) as refused:
        checked_name(name)
    assert refused.value.field == "name"


@settings(deadline=None)
@given(some.binary(max_size=400))
def test_the_permutation_is_that_of_sha3(data: bytes) -> None:
    assert keccak256(data, padding=SHA3_PADDING) == hashlib.sha3_256(data).digest()


def test_keccak_has_its_own_padding() -> None:
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
