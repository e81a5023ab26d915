"""One name for each algorithm. Mining programs spell them differently; totals would count one coin twice.

A new spelling is one word in this table. Spellings are compared without case, spaces, dashes and the like.
"""

from functools import lru_cache

_SPELLINGS = {
    "autolykos2": "autolykos autolykosv2 ergo",
    "beamhash3": "beamhash beamhashiii beamiii beam beamv3",
    "blake3-alephium": "blake3alephium alephium alph aleph blake3alph",
    "blake3-decred": "blake3decred decred",
    "cn/gpu": "cryptonightgpu cngpu",
    "cuckatoo32": "grin32 c32",
    "dynexsolve": "dynex dnx",
    "equihash125_4": "equihash1254 1254 equi1254 zelhash flux",
    "equihash144_5": "equihash1445 1445 equi1445 zhash",
    "equihash192_7": "equihash1927 1927 equi1927",
    "etchash": "etc",
    "ethash": "daggerhashimoto eth ethw",
    "evrprogpow": "evr",
    "firopow": "firo",
    "fishhash": "ironfish",
    "ghostrider": "gr",
    "karlsenhash": "karlsen",
    "kHeavyHash": "kheavyhash heavyhash kaspa kas",
    "kawpow": "ravencoin rvn progpowrvn",
    "meowpow": "meow",
    "nexapow": "nexa",
    "octopus": "conflux cfx",
    "progpowz": "progpowzano zano",
    "rx/0": "randomx rx randomxmonero",
    "rx/arq": "randomarq",
    "rx/keva": "randomkeva",
    "rx/sfx": "randomsfx",
    "rx/wow": "randomwow",
    "rx/yada": "randomyada",
    "SHA-256": "sha256 sha256d sha256asicboost",
    "Scrypt": "scrypt",
    "sha512256d": "radiant rxd sha512256dradiant",
    "verthash": "vertcoin",
    "verushash": "verus verushashv2 verushash22",
}


def _plain(name: str) -> str:
    return "".join(each for each in name.casefold() if each.isalnum() or each == "/")


_KNOWN = {_plain(name): name for name in _SPELLINGS} | {
    word: name for name, words in _SPELLINGS.items() for word in words.split()
}


@lru_cache(maxsize=4096)
def one_name(algorithm: str) -> str:
    """The algorithm as totals call it; one that is not in the table keeps its name."""
    return _KNOWN.get(_plain(algorithm), algorithm)
