"""The coins of a playbook's works, for the algorithms that its miner reports. Software knows only the algorithm."""

from collections.abc import Sequence

import msgspec
from protocol.coins import algorithm_name, may_be_coin_of
from protocol.messages import UNKNOWN_ALGORITHM, AlgorithmReading
from protocol.playbook_messages import PlaybookWork
from protocol.pools import same_pool


def with_coins(
    algorithms: Sequence[AlgorithmReading], works: Sequence[PlaybookWork], *, may_leave_out: bool
) -> list[AlgorithmReading]:
    """Adds the coins of the works. Where no work is surely an algorithm's, the coin that its parser found stays.

    Software lists its algorithms in the order of the works. `may_leave_out`: one that no device works for is left out,
    also the first, so that the order says nothing.
    """
    return [
        _with_coin(each, _works_of(place, algorithms, works) if may_leave_out else works[place : place + 1])
        for place, each in enumerate(algorithms)
    ]


def _with_coin(reading: AlgorithmReading, works: Sequence[PlaybookWork]) -> AlgorithmReading:
    coins = {work.coin for work in works}
    coin = coins.pop() if len(coins) == 1 else None
    return msgspec.structs.replace(reading, coin=coin) if coin else reading


def _works_of(
    place: int, algorithms: Sequence[AlgorithmReading], works: Sequence[PlaybookWork]
) -> Sequence[PlaybookWork]:
    """Returns the works that may be this algorithm's: by its name; if that says nothing, by its pool and its place."""
    reading = algorithms[place]
    in_place = works[place : place + 1] if len(algorithms) == len(works) else []
    if named := [work for work in works if _is_same_algorithm(reading, work)]:
        found = [work for work in named if _is_same_pool(reading.pool, work.pool)] or named
        return [work for work in found if work in in_place] or found
    taken = [work for work in works if any(_is_same_algorithm(each, work) for each in algorithms)]
    possible = [work for work in works if work not in taken and _may_be(reading, work)]
    of_pool = [work for work in possible if _is_same_pool(reading.pool, work.pool)]
    is_sure = len(of_pool) == 1 and sum(_is_same_pool(each.pool, of_pool[0].pool) is True for each in algorithms) == 1
    return [work for work in possible if work in in_place] or (of_pool if is_sure else [])


def _may_be(reading: AlgorithmReading, work: PlaybookWork) -> bool:
    """Returns whether nothing that is known of the two differs."""
    is_its_coin = work.coin is None or may_be_coin_of(reading.algorithm, work.coin)
    differs = False in (_is_same_algorithm(reading, work), _is_same_pool(reading.pool, work.pool))
    return is_its_coin and not differs


def _is_same_algorithm(reading: AlgorithmReading, work: PlaybookWork) -> bool | None:
    """Returns None if one of them is unknown, or written in a way that is not in the table of algorithms."""
    if reading.algorithm == UNKNOWN_ALGORITHM or work.algorithm is None:
        return None
    if reading.algorithm.casefold() == work.algorithm.casefold():
        return True
    reported, named = algorithm_name(reading.algorithm), algorithm_name(work.algorithm)
    return None if reported is None or named is None else reported == named


def _is_same_pool(reported: str | None, expected: str | None) -> bool | None:
    """Returns None if one of them is unknown, and True if nothing that is known of the two differs."""
    return same_pool(reported, expected) if reported and expected else None
