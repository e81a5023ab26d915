"""Which coin an algorithm is mined for, where only one is meant. Kawpow, Ethash and the like serve several:
unknown."""

_COINS = {
    "astrobwt": "Dero",
    "autolykos2": "Ergo",
    "autolykosv2": "Ergo",
    "beamhashiii": "Beam",
    "dynexsolve": "Dynex",
    "etchash": "Ethereum Classic",
    "firopow": "Firo",
    "fishhash": "Iron Fish",
    "kheavyhash": "Kaspa",
    "nexapow": "Nexa",
    "octopus": "Conflux",
    "progpowz": "Zano",
    "rx/0": "Monero",
    "rx/arq": "ArQmA",
    "rx/keva": "Kevacoin",
    "rx/sfx": "Safex",
    "rx/wow": "Wownero",
    "rx/yada": "YadaCoin",
    "sha512256d": "Radiant",
    "ubqhash": "Ubiq",
    "verthash": "Vertcoin",
    "verushash": "Verus",
    "zelhash": "Flux",
}


def coin_of(algorithm: str) -> str | None:
    """By the software's own name of the algorithm: "Autolykos V2" and "autolykos2" are one."""
    return _COINS.get("".join(each for each in algorithm.lower() if each.isalnum() or each == "/"))
