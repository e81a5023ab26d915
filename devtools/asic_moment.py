"""One moment of a fake ASIC, and the parts of answers that several makes share."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

Maker = Callable[["Moment"], Any]


class Moment(NamedTuple):
    """`state`: `mining`, `idle`, or `dead_board` for a device whose second board does not work."""

    number: int
    up_s: int
    now: float
    state: str = "mining"

    def moving(self, middle: float, swing: float = 0.02, step: int = 0) -> float:
        """`middle`, give or take a share of it; each ASIC and each `step` at its own pace."""
        phase = self.now / 90 + self.number * 0.37 + step * 0.21
        return round(middle * (1 + swing * math.sin(2 * math.pi * phase)), 2)

    @property
    def is_idle(self) -> bool:
        return self.state == "idle"

    def is_dead(self, place: int) -> bool:
        """Returns whether the board at this place, counted from 0, is broken."""
        return self.state == "dead_board" and place == 1

    def works(self, place: int) -> bool:
        return not self.is_idle and not self.is_dead(place)

    def rate(self, of_board: float, place: int = 0) -> float:
        """Returns the hashrate of the board at this place; 0.0 if it does not work."""
        return self.moving(of_board, 0.02, place) if self.works(place) else 0.0

    def total(self, of_board: float, boards: int) -> float:
        return round(sum(self.rate(of_board, place) for place in range(boards)), 2)

    def power(self, at_work: float) -> float:
        return 35.0 if self.is_idle else self.moving(at_work)

    @property
    def mac(self) -> str:
        return f"02:FA:CE:{self.number >> 16 & 255:02X}:{self.number >> 8 & 255:02X}:{self.number & 255:02X}"


def said(at: Moment, name: str, values: list[Any], words: str = "cgminer 4.11.1") -> dict[str, Any]:
    status = {"STATUS": "S", "When": int(at.now), "Code": 11, "Msg": name.lower(), "Description": words}
    return {"STATUS": [status], name: values, "id": 1}


def shares(at: Moment) -> dict[str, int]:
    return {"Accepted": at.up_s // 12 + 100, "Rejected": at.up_s // 900, "Stale": at.up_s // 1800}


def cgminer_pools(at: Moment) -> dict[str, Any]:
    pools = [
        {"POOL": place, "URL": f"stratum+tcp://{host}:3333", "Status": "Alive" if place < 2 else "Dead",
         "Stratum Active": place == 0, "User": "stand-in.worker", "Pass": "never-shown",
         **(shares(at) if place == 0 else {})}
        for place, host in enumerate(("pool.example", "backup.example", "third.example"))
    ]  # fmt: skip
    return said(at, "POOLS", pools)


class Kind(NamedTuple):
    """`speaks` is `cgminer`, `v3` or `http`; `answers` are its commands, as `asic_wire` names them."""

    port: int
    speaks: str
    answers: Mapping[str, Maker]
