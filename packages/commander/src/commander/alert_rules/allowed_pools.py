"""The pools that ASICs may mine to, as the rule wallet has them: "farm.s19@pool.example:3333, pool.example". Pure."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from protocol.asic_messages import AsicPool
from protocol.pools import same_pool

from commander.readings.wallet_guard import same_user

MAX_LENGTH = 2_000
_BETWEEN = re.compile(r"[\s,]+")
_ENTRY = re.compile(r"(?:[^@\s]+@)?(?:[a-z0-9+]+://)?[A-Za-z0-9_.:\[\]-]+(?:/\S*)?")


class AllowedPool(NamedTuple):
    """A pool, and the account or wallet there; an empty `user` means any."""

    pool: str
    user: str


@lru_cache(maxsize=256)
def allowed_pools(text: str) -> tuple[AllowedPool, ...]:
    """Returns the entries of a text. Raises `ValueError` with the entry that is none."""
    found = []
    for entry in filter(None, _BETWEEN.split(text)):
        if not _ENTRY.fullmatch(entry):
            raise ValueError(entry)
        user, _, pool = entry.rpartition("@")
        found.append(AllowedPool(pool, user))
    return tuple(found)


def difference(pools: Iterable[AsicPool], allowed: Iterable[AllowedPool]) -> str:
    """Returns what differs, in words; empty: nothing is known to differ. All pools that are set count, also spares."""
    listed = tuple(allowed)
    for pool in pools:
        same = [each for each in listed if pool.url and same_pool(pool.url, each.pool)]
        if pool.url and not same:
            return f"Pool differs: {pool.url[:80]}"
        if pool.user and same and not any(not each.user or same_user(pool.user, each.user) for each in same):
            return "Wallet differs"
    return ""
