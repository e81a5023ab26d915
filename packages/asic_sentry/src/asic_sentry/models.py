"""The known models of ASICs: rows, not classes. None stands for what is unknown or differs within a model.

Nominal hashrates are the makers' own, of the most sold variant. A model without a row still gets its algorithm from its
series. `chips` counts those of one board.
"""

from functools import lru_cache
from typing import NamedTuple

from protocol.coins import usual_coin

T, G = 1e12, 1e9


def _with_coin(algorithm: str) -> tuple[str, str | None]:
    return algorithm, usual_coin(algorithm)


SHA, SCRYPT, KHEAVY, BLAKE3 = map(_with_coin, ("SHA-256", "Scrypt", "kHeavyHash", "Blake3"))
EAGLE, X11, EQUIHASH = map(_with_coin, ("Eaglesong", "X11", "Equihash"))
ETCHASH, BLAKE2S = map(_with_coin, ("Etchash", "Blake2s"))


class Model(NamedTuple):
    make: str
    name: str
    boards: int | None
    chips: int | None
    fans: int | None
    nominal_hashrate_hs: float | None
    algorithm: str | None
    coin: str | None


MODELS = (
    Model("Antminer", "S9", 3, 63, 2, 13.5 * T, *SHA),
    Model("Antminer", "S17", 3, 48, 4, 53 * T, *SHA),
    Model("Antminer", "S17 Pro", 3, 48, 4, 53 * T, *SHA),
    Model("Antminer", "S17+", 3, 65, 4, 73 * T, *SHA),
    Model("Antminer", "T17", 3, 30, 4, 40 * T, *SHA),
    Model("Antminer", "S19", 3, 76, 4, 95 * T, *SHA),
    Model("Antminer", "S19 Pro", 3, 114, 4, 110 * T, *SHA),
    Model("Antminer", "S19j", 3, None, 4, 90 * T, *SHA),
    Model("Antminer", "S19j Pro", 3, 126, 4, 100 * T, *SHA),
    Model("Antminer", "S19j Pro+", 3, 120, 4, 122 * T, *SHA),
    Model("Antminer", "S19k Pro", 3, 77, 4, 120 * T, *SHA),
    Model("Antminer", "S19 XP", 3, 110, 4, 140 * T, *SHA),
    Model("Antminer", "T19", 3, 76, 4, 84 * T, *SHA),
    Model("Antminer", "S21", 3, 108, 4, 200 * T, *SHA),
    Model("Antminer", "S21 Pro", 3, 65, 4, 234 * T, *SHA),
    Model("Antminer", "S21+", 3, 55, 4, 216 * T, *SHA),
    Model("Antminer", "T21", 3, 108, 4, 190 * T, *SHA),
    Model("Antminer", "L3+", 4, 72, 2, 504e6, *SCRYPT),
    Model("Antminer", "L7", 4, 120, 4, 9.5 * G, *SCRYPT),
    Model("Antminer", "L9", 4, 110, 4, 16 * G, *SCRYPT),
    Model("Antminer", "KS3", 3, None, 4, 9.4 * T, *KHEAVY),
    Model("Antminer", "KS5", 3, None, 4, 20 * T, *KHEAVY),
    Model("Antminer", "KS5 Pro", 3, None, 4, 21 * T, *KHEAVY),
    Model("Antminer", "KA3", 3, None, 4, 166 * T, *BLAKE2S),
    Model("Antminer", "K7", 3, None, 4, 63.5 * T, *EAGLE),
    Model("Antminer", "D9", 3, None, 4, 1.77 * T, *X11),
    Model("Antminer", "Z15", 3, None, 2, 420e3, *EQUIHASH),
    Model("Antminer", "Z15 Pro", 3, None, 4, 840e3, *EQUIHASH),
    Model("Antminer", "E9 Pro", None, None, 4, 3.68 * G, *ETCHASH),
    Model("Antminer", "AL1", 3, None, 4, 15.6 * T, *BLAKE3),
    Model("Whatsminer", "M20S", 3, 105, 2, 68 * T, *SHA),
    Model("Whatsminer", "M21S", 3, 105, 2, 56 * T, *SHA),
    Model("Whatsminer", "M30S", 3, None, 2, 86 * T, *SHA),
    Model("Whatsminer", "M30S+", 3, None, 2, 100 * T, *SHA),
    Model("Whatsminer", "M30S++", 3, None, 2, 112 * T, *SHA),
    Model("Whatsminer", "M31S", 3, None, 2, 76 * T, *SHA),
    Model("Whatsminer", "M50", 3, None, 2, 114 * T, *SHA),
    Model("Whatsminer", "M50S", 3, None, 2, 126 * T, *SHA),
    Model("Whatsminer", "M60", 3, None, 2, 172 * T, *SHA),
    Model("Whatsminer", "M60S", 3, None, 2, 186 * T, *SHA),
    Model("Avalon", "1246", 3, 120, 4, 90 * T, *SHA),
    Model("Avalon", "1346", 3, None, 4, 110 * T, *SHA),
    Model("Avalon", "1366", 3, None, 4, 130 * T, *SHA),
    Model("Avalon", "1466", 3, None, 4, 150 * T, *SHA),
    Model("Avalon", "1566", 3, None, 4, 185 * T, *SHA),
    Model("Avalon", "Q", 1, 160, 4, 90 * T, *SHA),
    Model("Avalon", "Mini 3", 1, None, 1, 37.5 * T, *SHA),
    Model("Avalon", "Nano 3", 1, None, 1, 4 * T, *SHA),
    Model("Avalon", "Nano 3S", 1, 12, 1, 6 * T, *SHA),
    Model("BitAxe", "Max", 1, 1, 1, 0.4 * T, *SHA),
    Model("BitAxe", "Ultra", 1, 1, 1, 0.5 * T, *SHA),
    Model("BitAxe", "Supra", 1, 1, 1, 0.65 * T, *SHA),
    Model("BitAxe", "Gamma", 1, 1, 1, 1.2 * T, *SHA),
    Model("BitAxe", "Hex", 1, 6, None, 3 * T, *SHA),
    Model("NerdAxe", "NerdAxe", 1, 1, 1, 0.5 * T, *SHA),
    Model("NerdAxe", "NerdQAxe+", 1, 4, None, 2.4 * T, *SHA),
    Model("NerdAxe", "NerdQAxe++", 1, 4, None, 4.8 * T, *SHA),
    Model("IceRiver", "KS0", None, None, None, 0.1 * T, *KHEAVY),
    Model("IceRiver", "KS0 Pro", None, None, None, 0.2 * T, *KHEAVY),
    Model("IceRiver", "KS0 Ultra", None, None, None, 0.4 * T, *KHEAVY),
    Model("IceRiver", "KS1", None, None, 4, 1 * T, *KHEAVY),
    Model("IceRiver", "KS2", None, None, 4, 2 * T, *KHEAVY),
    Model("IceRiver", "KS3", 3, None, 4, 8 * T, *KHEAVY),
    Model("IceRiver", "KS3L", 3, None, 4, 5 * T, *KHEAVY),
    Model("IceRiver", "KS3M", 3, None, 4, 6 * T, *KHEAVY),
    Model("IceRiver", "KS5L", 3, None, 4, 12 * T, *KHEAVY),
    Model("IceRiver", "KS5M", 3, None, 4, 15 * T, *KHEAVY),
    Model("IceRiver", "KS5", 3, None, 4, 15 * T, *KHEAVY),
    Model("IceRiver", "AL3", None, None, None, 15 * T, *BLAKE3),
)

# By how a model's name begins; longer beginnings first. What a maker builds for one algorithm alone has "".
SERIES = (
    ("Antminer", "KS", *KHEAVY),
    ("Antminer", "KA", *BLAKE2S),
    ("Antminer", "AL", *BLAKE3),
    ("Antminer", "S", *SHA),
    ("Antminer", "T", *SHA),
    ("Antminer", "L", *SCRYPT),
    ("Antminer", "D", *X11),
    ("Antminer", "Z", *EQUIHASH),
    ("Antminer", "E", *ETCHASH),
    ("Whatsminer", "", *SHA),
    ("Avalon", "", *SHA),
    ("BitAxe", "", *SHA),
    ("NerdAxe", "", *SHA),
    ("IceRiver", "KS", *KHEAVY),
    ("IceRiver", "AL", *BLAKE3),
)


def plain(name: str) -> str:
    """Returns a name for comparisons, without what people write differently: "Nano3s" is a Nano 3S. A plus counts."""
    return "".join(each for each in name.lower() if each.isalnum() or each == "+")


_BY_NAME = {(plain(model.make), plain(model.name)): model for model in MODELS}


@lru_cache(maxsize=1024)
def find(make: str, name: str) -> Model | None:
    """Returns the model's row, or a row with the algorithm of its series."""
    row = _BY_NAME.get((plain(make), plain(name)))
    if row is not None:
        return row
    for of, begins, algorithm, coin in SERIES:
        if plain(of) == plain(make) and plain(name).startswith(plain(begins)):
            return Model(of, name, None, None, None, None, algorithm, coin)
    return None


def names_by_make() -> dict[str, list[str]]:
    """Returns the known models by make, such as "Antminer S19 Pro"."""
    by_make: dict[str, list[str]] = {}
    for model in MODELS:
        by_make.setdefault(model.make, []).append(f"{model.make} {model.name}")
    return by_make


def model_named(name: str) -> Model | None:
    """Returns the model that a person means by "Antminer S19 Pro" or "S19 Pro"; None if it is not exactly one."""
    key = plain(name)
    rows = [model for model in MODELS if key in (plain(model.name), plain(model.make + model.name))]
    return rows[0] if len(rows) == 1 else None


def makes_of(name: str) -> set[str]:
    """Returns the makes that a person may mean by "Antminer S19 Pro", "S19 Pro" or "iceriver"; empty if none is
    known."""
    key = plain(name)
    named = {model.make for model in MODELS if key.startswith(plain(model.make))}
    return named or {model.make for model in MODELS if plain(model.name) == key}
