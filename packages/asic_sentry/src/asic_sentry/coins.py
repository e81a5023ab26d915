"""Finds the coin that an ASIC mines. The operator's override comes first, then the name of the pool, then the model."""

import re
from collections.abc import Sequence
from functools import lru_cache

from protocol.asic_messages import AsicPool, PoolState
from protocol.coins import pool_words

_WORD = re.compile(r"[a-z]+")


def coin_of(algorithm: str | None, pools: Sequence[AsicPool], usual: str | None) -> str | None:
    """Returns the coin that the name of the pool in use contains; else `usual`, the model's usual coin."""
    if algorithm is None:
        return usual
    for pool in pools:
        if pool.state in (PoolState.CONNECTED, None):
            return _named(algorithm, pool.url or "", pool.user or "") or usual
    return usual


@lru_cache(maxsize=4096)
def _named(algorithm: str, url: str, user: str) -> str | None:
    """Looks at the words of the pool's host, and at what stands before the colon of an account."""
    coins = pool_words(algorithm)
    host = url.lower().partition("://")[2] or url.lower()
    prefix = user.lower().partition(":")[0] if ":" in user else ""
    words = [prefix, *_WORD.findall(host.partition("/")[0])]
    return next((coins[word] for word in words if word in coins), None)
