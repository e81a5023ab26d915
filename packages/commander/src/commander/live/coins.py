"""One name for each coin. Operators and mining programs write "KAS", "kaspa" or "Kaspa" for one coin."""

from functools import lru_cache

from commander.addresses.coins import coin_of


@lru_cache(maxsize=4096)
def one_coin(name: str) -> str:
    """Returns the coin as totals call it; a coin that is not in the table keeps its name."""
    known = coin_of(name.strip())
    return known.name if known else name
