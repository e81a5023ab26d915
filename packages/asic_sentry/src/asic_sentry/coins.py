"""Which coin an ASIC mines: what its pool is called tells more than its model, and the operator's word most."""

import re
from collections.abc import Sequence
from functools import lru_cache

from protocol.asic_messages import AsicPool, PoolState

# By algorithm, the words in a pool's host or before the colon of an account that tell a coin. A pool of many coins
# (viabtc, antpool) is called by none of these words alone.
_WORDS: dict[str, dict[str, str]] = {
    "SHA-256": {
        **dict.fromkeys(("btc", "bitcoin"), "Bitcoin"),
        **dict.fromkeys(("bch", "bitcoincash"), "Bitcoin Cash"),
        **dict.fromkeys(("bsv", "bitcoinsv"), "Bitcoin SV"),
        **dict.fromkeys(("dgb", "digibyte"), "DigiByte"),
        **dict.fromkeys(("xec", "ecash"), "eCash"),
        **dict.fromkeys(("ppc", "peercoin"), "Peercoin"),
        **dict.fromkeys(("fb", "fractal"), "Fractal Bitcoin"),
    },
    "Scrypt": {
        **dict.fromkeys(("ltc", "litecoin"), "Litecoin"),
        **dict.fromkeys(("doge", "dogecoin"), "Dogecoin"),
        **dict.fromkeys(("dgb", "digibyte"), "DigiByte"),
    },
    "Etchash": {
        **dict.fromkeys(("etc", "ethereumclassic"), "Ethereum Classic"),
        **dict.fromkeys(("ethw", "ethereumpow"), "EthereumPoW"),
    },
    "Equihash": {
        **dict.fromkeys(("zec", "zcash"), "Zcash"),
        **dict.fromkeys(("zen", "horizen"), "Horizen"),
        **dict.fromkeys(("kmd", "komodo"), "Komodo"),
    },
    "kHeavyHash": {
        **dict.fromkeys(("kas", "kaspa"), "Kaspa"),
        **dict.fromkeys(("bga", "bugna"), "Bugna"),
    },
}
_WORD = re.compile(r"[a-z]+")


def coin_of(algorithm: str | None, pools: Sequence[AsicPool], usual: str | None) -> str | None:
    """By the pool in use; else the model's usual coin, which is None where its algorithm isn't known."""
    if algorithm not in _WORDS:
        return usual
    for pool in pools:
        if pool.state in (PoolState.CONNECTED, None):
            return _named(algorithm, pool.url or "", pool.user or "") or usual
    return usual


@lru_cache(maxsize=4096)
def _named(algorithm: str, url: str, user: str) -> str | None:
    host = url.lower().partition("://")[2] or url.lower()
    prefix = user.lower().partition(":")[0] if ":" in user else ""
    words = [prefix, *_WORD.findall(host.partition("/")[0])]
    return next((_WORDS[algorithm][word] for word in words if word in _WORDS[algorithm]), None)
