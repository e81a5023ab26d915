"""Finds a model in the table by the name that a device or a person uses.

A model without a row still gets its algorithm from its series.
"""

from functools import lru_cache

from asic_sentry.model_row import (
    ALEO,
    BLAKE2S,
    BLAKE3,
    DECRED,
    EAGLE,
    EQUIHASH,
    ETCHASH,
    HANDSHAKE,
    KHEAVY,
    LBRY,
    RADIANT,
    RANDOMX,
    SCRYPT,
    SHA,
    SIA,
    X11,
    Model,
)
from asic_sentry.model_table import MODELS

__all__ = [
    "MAKES",
    "MODELS",
    "SERIES",
    "Model",
    "find",
    "make_and_model",
    "makes_of",
    "model_named",
    "names_by_make",
    "plain",
]

# By the beginning of a model's name, longer beginnings first. "" stands for all models of a maker of one algorithm.
SERIES = (
    ("Antminer", "KS", *KHEAVY),
    ("Antminer", "KA", *BLAKE2S),
    ("Antminer", "AL", *BLAKE3),
    ("Antminer", "DR", *DECRED),
    ("Antminer", "HS", *HANDSHAKE),
    ("Antminer", "S", *SHA),
    ("Antminer", "T", *SHA),
    ("Antminer", "V", *SHA),
    ("Antminer", "L", *SCRYPT),
    ("Antminer", "D", *X11),
    ("Antminer", "Z", *EQUIHASH),
    ("Antminer", "E", *ETCHASH),
    ("Antminer", "K", *EAGLE),
    ("Antminer", "A", *SIA),
    ("Antminer", "X", *RANDOMX),
    ("Whatsminer", "", *SHA),
    ("Avalon", "", *SHA),
    ("BitAxe", "", *SHA),
    ("NerdAxe", "", *SHA),
    ("IceRiver", "KS", *KHEAVY),
    ("IceRiver", "AL", *BLAKE3),
    ("IceRiver", "AE", *ALEO),
    ("IceRiver", "RX", *RADIANT),
    *((make, "", *SHA) for make in ("Auradine", "Braiins", "ePIC", "Proto", "SealMiner")),
    *((make, "", *SCRYPT) for make in ("Elphapex", "Hammer", "VolcMiner")),
    ("Goldshell", "KD", *BLAKE2S),
    *(("Goldshell", begins, *SCRYPT) for begins in ("LT", "Mini-DOGE", "DG", "E-DG")),
    ("Goldshell", "CK", *EAGLE),
    ("Goldshell", "HS", *HANDSHAKE),
    ("Goldshell", "LB", *LBRY),
    ("Goldshell", "SC", *SIA),
    ("Goldshell", "KA", *KHEAVY),
    ("Goldshell", "AL", *BLAKE3),
    ("Goldshell", "AE", *ALEO),
    ("Innosilicon", "T", *SHA),
    ("Innosilicon", "A10", *ETCHASH),
    ("Innosilicon", "A11", *ETCHASH),
    ("Innosilicon", "A9", *EQUIHASH),
    ("Innosilicon", "A4", *SCRYPT),
    ("Innosilicon", "A6", *SCRYPT),
)


def plain(name: str) -> str:
    """Returns a name for comparisons, without what people write differently: "Nano3s" is a Nano 3S. A plus counts."""
    return "".join(each for each in name.lower() if each.isalnum() or each == "+")


MAKES = tuple(dict.fromkeys(model.make for model in MODELS))
_BY_NAME = {(plain(model.make), plain(model.name)): model for model in MODELS}


@lru_cache(maxsize=1024)
def find(make: str, name: str) -> Model | None:
    """Returns the model's row, or a row with the algorithm of its series."""
    row = _BY_NAME.get((plain(make), plain(name)))
    if row is not None:
        return row
    for of, begins, algorithm, coin in SERIES:
        if plain(of) == plain(make) and plain(name).startswith(plain(begins)):
            return Model(of, name, None, None, None, None, None, algorithm, coin)
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


def make_and_model(name: str) -> tuple[str | None, str | None]:
    """Splits "Antminer S19 XP" or "Bitmain Antminer S19 XP" into the make and the model; the make may be unknown."""
    for make in MAKES:
        position = name.lower().find(make.lower())
        if position >= 0:
            return make, name[position + len(make) :].strip(" -_")[:256] or None
    return None, name.strip()[:256] or None


def makes_of(name: str) -> set[str]:
    """Returns the makes that a person may mean by "Antminer S19 Pro", "S19 Pro" or "iceriver"; empty if none is
    known."""
    key = plain(name)
    named = {model.make for model in MODELS if key.startswith(plain(model.make))}
    return named or {model.make for model in MODELS if plain(model.name) == key}
