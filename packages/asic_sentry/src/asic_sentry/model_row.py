"""The row of a model in the table, and the units of its figures."""

from typing import NamedTuple

from protocol.coins import usual_coin

T, G, M, K = 1e12, 1e9, 1e6, 1e3


def _with_coin(algorithm: str) -> tuple[str, str | None]:
    return algorithm, usual_coin(algorithm)


SHA, SCRYPT, KHEAVY, BLAKE3 = map(_with_coin, ("SHA-256", "Scrypt", "kHeavyHash", "Blake3"))
EAGLE, X11, EQUIHASH, RADIANT = map(_with_coin, ("Eaglesong", "X11", "Equihash", "sha512256d"))
ETCHASH, BLAKE2S, RANDOMX, ALEO = map(_with_coin, ("Etchash", "Blake2s", "rx/0", "zkSNARK"))
HANDSHAKE, SIA, LBRY, DECRED = map(_with_coin, ("Blake2b+SHA3", "Blake2b-Sia", "LBRY", "Blake256r14"))


class Model(NamedTuple):
    """`chips` counts those of one board. None stands for what is unknown or differs within a model.

    The nominal figures are the maker's own, of the most sold variant; `model_table.SOURCES` says where they are from.
    """

    make: str
    name: str
    boards: int | None
    chips: int | None
    fans: int | None
    nominal_hashrate_hs: float | None
    nominal_power_w: float | None
    algorithm: str | None
    coin: str | None

    @property
    def nominal_efficiency_j_per_h(self) -> float | None:
        """Joules per hash; None if a figure is unknown."""
        if not self.nominal_hashrate_hs or not self.nominal_power_w:
            return None
        return self.nominal_power_w / self.nominal_hashrate_hs
