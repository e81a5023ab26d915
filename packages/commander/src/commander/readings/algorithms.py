"""One name for each algorithm, as totals and history call it."""

from functools import lru_cache

from protocol.coins import algorithm_name


@lru_cache(maxsize=4096)
def one_name(algorithm: str) -> str:
    """Returns the algorithm's name in totals. One that is not in the table keeps its name."""
    return algorithm_name(algorithm) or algorithm
