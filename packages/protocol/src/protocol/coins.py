"""The table of coins and algorithms: every name, ticker and spelling that this product knows.

Mining software, devices and people spell them differently ("KAS", "kaspa", "Kaspa"); totals would count one coin
twice. Names and tickers are the projects' own. A new coin, algorithm or spelling is one line here.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Coin(NamedTuple):
    """`pool_words` are further words for it in the names of pools."""

    name: str
    ticker: str
    pool_words: str = ""


class Algorithm(NamedTuple):
    """`coins` are those that it is mined for, the usual one first; empty where no coin is usual.

    `spellings` are other names of the algorithm. `sure` are those spellings that stand for the first coin alone: a
    miner that reports "rx/0" mines Monero, one that reports "randomx" may mine another coin.
    """

    name: str
    spellings: str = ""
    coins: tuple[str, ...] = ()
    sure: str = ""


COINS = (
    Coin("Aleo", "ALEO"),
    Coin("Alephium", "ALPH"),
    Coin("ArQmA", "ARQ"),
    Coin("Beam", "BEAM"),
    Coin("Bitcoin", "BTC"),
    Coin("Bitcoin Cash", "BCH"),
    Coin("Bitcoin Gold", "BTG"),
    Coin("Bitcoin SV", "BSV"),
    Coin("Bugna", "BGA"),
    Coin("Conflux", "CFX"),
    Coin("Dash", "DASH"),
    Coin("Decred", "DCR"),
    Coin("Dero", "DERO"),
    Coin("DigiByte", "DGB"),
    Coin("Dogecoin", "DOGE"),
    Coin("Dynex", "DNX"),
    Coin("eCash", "XEC"),
    Coin("Ergo", "ERG"),
    Coin("Ethereum", "ETH"),
    Coin("Ethereum Classic", "ETC"),
    Coin("EthereumPoW", "ETHW"),
    Coin("Firo", "FIRO"),
    Coin("Flux", "FLUX"),
    Coin("Fractal Bitcoin", "FB", "fractal"),
    Coin("Handshake", "HNS"),
    Coin("Horizen", "ZEN"),
    Coin("Iron Fish", "IRON"),
    Coin("Kadena", "KDA"),
    Coin("Kaspa", "KAS"),
    Coin("Kevacoin", "KVA"),
    Coin("Komodo", "KMD"),
    Coin("LBRY Credits", "LBC", "lbry"),
    Coin("Litecoin", "LTC"),
    Coin("Monero", "XMR"),
    Coin("Neoxa", "NEOX"),
    Coin("Nervos", "CKB"),
    Coin("Nexa", "NEXA"),
    Coin("Peercoin", "PPC"),
    Coin("Radiant", "RXD"),
    Coin("Ravencoin", "RVN"),
    Coin("Safex", "SFX"),
    Coin("Siacoin", "SC", "siacoin"),
    Coin("Ubiq", "UBQ"),
    Coin("Verus", "VRSC"),
    Coin("Vertcoin", "VTC"),
    Coin("Wownero", "WOW"),
    Coin("YadaCoin", "YDA"),
    Coin("Zano", "ZANO"),
    Coin("Zcash", "ZEC"),
    Coin("Zephyr", "ZEPH"),
    Coin("Zilliqa", "ZIL"),
)

_SHA256_COINS = ("Bitcoin", "Bitcoin Cash", "Bitcoin SV", "DigiByte", "eCash", "Peercoin", "Fractal Bitcoin")

ALGORITHMS = (
    Algorithm("astrobwt", coins=("Dero",), sure="astrobwt"),
    Algorithm("autolykos2", "autolykos autolykosv2 ergo", ("Ergo",), "autolykos2 autolykosv2"),
    Algorithm("beamhash3", "beamhash beamhashiii beamiii beam beamv3", ("Beam",), "beamhashiii"),
    Algorithm("Blake256r14", "blake256", ("Decred",), "blake256r14"),
    Algorithm("Blake2b-Sia", "blake2bsia sia", ("Siacoin",), "blake2bsia"),
    Algorithm("Blake2b+SHA3", "blake2bsha3 handshake hns", ("Handshake",), "blake2bsha3"),
    Algorithm("Blake2s", coins=("Kadena",)),
    Algorithm("Blake3", coins=("Alephium",)),
    Algorithm("blake3-alephium", "blake3alephium alephium alph aleph blake3alph"),
    Algorithm("blake3-decred", "blake3decred decred"),
    Algorithm("cn/gpu", "cryptonightgpu cngpu"),
    Algorithm("cuckatoo32", "grin32 c32"),
    Algorithm("dynexsolve", "dynex dnx", ("Dynex",), "dynexsolve"),
    Algorithm("Eaglesong", coins=("Nervos",)),
    Algorithm("Equihash", coins=("Zcash", "Horizen", "Komodo")),
    Algorithm("equihash125_4", "equihash1254 1254 equi1254 zelhash flux", ("Flux",), "zelhash"),
    Algorithm("equihash144_5", "equihash1445 1445 equi1445 zhash"),
    Algorithm("equihash192_7", "equihash1927 1927 equi1927"),
    Algorithm("etchash", "etc", ("Ethereum Classic", "EthereumPoW"), "etchash"),
    Algorithm("ethash", "daggerhashimoto eth ethw"),
    Algorithm("evrprogpow", "evr"),
    Algorithm("firopow", "firo", ("Firo",), "firopow"),
    Algorithm("fishhash", "ironfish", ("Iron Fish",), "fishhash"),
    Algorithm("ghostrider", "gr"),
    Algorithm("karlsenhash", "karlsen"),
    Algorithm("kHeavyHash", "kheavyhash heavyhash kaspa kas", ("Kaspa", "Bugna"), "kheavyhash"),
    Algorithm("kawpow", "ravencoin rvn progpowrvn"),
    Algorithm("LBRY", "lbrycredits", ("LBRY Credits",), "lbry"),
    Algorithm("meowpow", "meow"),
    Algorithm("nexapow", "nexa", ("Nexa",), "nexapow"),
    Algorithm("octopus", "conflux cfx", ("Conflux",), "octopus"),
    Algorithm("progpowz", "progpowzano zano", ("Zano",), "progpowz"),
    Algorithm("rx/0", "randomx rx randomxmonero", ("Monero",), "rx/0"),
    Algorithm("rx/arq", "randomarq", ("ArQmA",), "rx/arq"),
    Algorithm("rx/keva", "randomkeva", ("Kevacoin",), "rx/keva"),
    Algorithm("rx/sfx", "randomsfx", ("Safex",), "rx/sfx"),
    Algorithm("rx/wow", "randomwow", ("Wownero",), "rx/wow"),
    Algorithm("rx/yada", "randomyada", ("YadaCoin",), "rx/yada"),
    Algorithm("SHA-256", "sha256 sha256d sha256asicboost", _SHA256_COINS),
    Algorithm("Scrypt", "scrypt", ("Litecoin", "Dogecoin", "DigiByte")),
    Algorithm("sha512256d", "radiant rxd sha512256dradiant", ("Radiant",), "sha512256d"),
    Algorithm("ubqhash", coins=("Ubiq",), sure="ubqhash"),
    Algorithm("verthash", "vertcoin", ("Vertcoin",), "verthash"),
    Algorithm("verushash", "verus verushashv2 verushash22", ("Verus",), "verushash"),
    Algorithm("X11", coins=("Dash",)),
    Algorithm("zil", "zilliqa", ("Zilliqa",), "zil"),
    Algorithm("zkSNARK", "aleo", ("Aleo",), "zksnark"),
)


def _plain(name: str) -> str:
    """Returns an algorithm's name without what people and programs write differently: case, spaces, dashes."""
    return "".join(each for each in name.casefold() if each.isalnum() or each == "/")


_BY_WORD = {word.casefold(): coin.name for coin in COINS for word in (coin.name, coin.ticker)}
_BY_SPELLING = {_plain(each.name): each for each in ALGORITHMS} | {
    spelling: each for each in ALGORITHMS for spelling in each.spellings.split()
}
_SURE = {spelling: each.coins[0] for each in ALGORITHMS for spelling in each.sure.split()}
_WORDS_OF_COIN = {
    coin.name: {coin.ticker.casefold(), "".join(coin.name.casefold().split()), *coin.pool_words.split()}
    for coin in COINS
}
_POOL_WORDS = {each.name: {word: coin for coin in each.coins for word in _WORDS_OF_COIN[coin]} for each in ALGORITHMS}


def coin_name(text: str) -> str | None:
    """Returns the coin's name for a name or ticker in any case; None if the coin is not in the table."""
    return _BY_WORD.get(text.casefold())


def algorithm_name(text: str) -> str | None:
    """Returns the algorithm's name for any of its spellings; None if it is not in the table."""
    row = _BY_SPELLING.get(_plain(text))
    return None if row is None else row.name


def usual_coin(algorithm: str) -> str | None:
    """Returns the coin that the algorithm is usually mined for, in any spelling."""
    row = _BY_SPELLING.get(_plain(algorithm))
    return row.coins[0] if row is not None and row.coins else None


def only_coin(algorithm: str) -> str | None:
    """Returns the coin if this spelling stands for one coin alone. Kawpow, Ethash and others serve several: None."""
    return _SURE.get(_plain(algorithm))


def may_be_coin_of(algorithm: str, coin: str) -> bool:
    """Returns False if the table has the coin for other algorithms alone. Coins that it has for none may be any's."""
    row, name = _BY_SPELLING.get(_plain(algorithm)), coin_name(coin)
    return row is None or not row.coins or name in row.coins or all(name not in each.coins for each in ALGORITHMS)


def pool_words(algorithm: str) -> Mapping[str, str]:
    """Returns the coin for each word that names a coin of this algorithm in the name of a pool or of an account.

    A word must stand alone: viabtc is a pool for many coins and does not name Bitcoin.
    """
    row = _BY_SPELLING.get(_plain(algorithm))
    return {} if row is None else _POOL_WORDS[row.name]
