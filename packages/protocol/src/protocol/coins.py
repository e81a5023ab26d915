"""One name for each coin. Operators and mining programs write "KAS", "kaspa" or "Kaspa" for one coin.

The names and tickers are the projects' own.
"""

TICKERS = {
    "Beam": "BEAM",
    "Bitcoin": "BTC",
    "Bitcoin Cash": "BCH",
    "Bitcoin Gold": "BTG",
    "Conflux": "CFX",
    "Dash": "DASH",
    "Dogecoin": "DOGE",
    "Dynex": "DNX",
    "Ergo": "ERG",
    "Ethereum": "ETH",
    "Ethereum Classic": "ETC",
    "EthereumPoW": "ETHW",
    "Firo": "FIRO",
    "Flux": "FLUX",
    "Iron Fish": "IRON",
    "Kaspa": "KAS",
    "Litecoin": "LTC",
    "Monero": "XMR",
    "Neoxa": "NEOX",
    "Nexa": "NEXA",
    "Radiant": "RXD",
    "Ravencoin": "RVN",
    "Verus": "VRSC",
    "Vertcoin": "VTC",
    "Wownero": "WOW",
    "Zano": "ZANO",
    "Zcash": "ZEC",
    "Zephyr": "ZEPH",
}
_BY_WORD = {word.casefold(): name for name, ticker in TICKERS.items() for word in (name, ticker)}


def coin_name(text: str) -> str | None:
    """Returns the coin's name for a name or ticker in any case; None if the coin is not in the table."""
    return _BY_WORD.get(text.casefold())
