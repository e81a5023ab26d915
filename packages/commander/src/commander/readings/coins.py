"""One name for each coin. Operators and mining programs write "KAS", "kaspa" or "Kaspa" for one coin."""

from functools import lru_cache

from protocol.coins import coin_name


@lru_cache(maxsize=4096)
def one_coin(name: str) -> str:
    """Returns the coin's name in totals. A coin that is not in the table keeps its name."""
    return coin_name(name.strip()) or name
