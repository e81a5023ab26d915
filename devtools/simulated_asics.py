"""ASICs that do not exist, and the one sentry that watches many of them: figures that move, faults now and then."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import msgspec
from asic_sentry.models import find
from farm_wire import Answer, Commander, WireError
from protocol.asic_messages import (
    AsicBoard,
    AsicItemReceipt,
    AsicLog,
    AsicPool,
    AsicReceipt,
    AsicSpecs,
    PoolState,
    PowerSource,
)
from simulated_rig import DAY_S, hall_c, wave
from simulated_sentry import Kept, Sentry, Tally

ASICS_A_SENTRY = 250
BATCH_ITEMS = 1_000
KEPT_LOGS_EACH = 360
SHARE_EVERY_S = 6

_encode = msgspec.json.Encoder().encode
_receipt = msgspec.json.Decoder(AsicReceipt)


class Model(NamedTuple):
    """A model of ASIC. `power_w` is None where the model does not report it."""

    make: str
    name: str
    algorithm: str
    coin: str
    hashrate_hs: float
    power_w: float | None
    boards: int
    chips: int | None
    fans: int


MODELS = (
    Model("Antminer", "S19 Pro", "SHA-256", "Bitcoin", 110e12, None, 3, 114, 4),
    Model("Antminer", "S21", "SHA-256", "Bitcoin", 200e12, None, 3, 108, 4),
    Model("Whatsminer", "M60S", "SHA-256", "Bitcoin", 186e12, 3441.0, 3, None, 2),
    Model("Antminer", "L7", "Scrypt", "Litecoin", 9.5e9, None, 4, 120, 4),
    Model("IceRiver", "KS5L", "kHeavyHash", "Kaspa", 12e12, None, 3, 18, 4),
    Model("BitAxe", "Supra", "SHA-256", "Bitcoin", 0.7e12, 16.0, 1, 1, 1),
)


@dataclass(slots=True)
class SimulatedAsic:
    """One machine. `log` is called with rising times; `trouble_chance` is per log."""

    number: int
    model: Model
    chance: random.Random
    trouble_chance: float = 0.0
    trouble: str = ""
    trouble_until_s: float = 0.0
    started_s: float = 0.0
    shares: list[int] = field(default_factory=lambda: [0, 0])

    def specs(self) -> AsicSpecs:
        row = find(self.model.make, self.model.name)
        return AsicSpecs(
            make=self.model.make,
            model=self.model.name,
            firmware_version="2026.11-simulated",
            nominal_hashrate_hs=row.nominal_hashrate_hs if row else None,
            nominal_power_w=row.nominal_power_w if row else None,
            mac=f"02:00:5E:{self.number >> 16 & 255:02X}:{self.number >> 8 & 255:02X}:{self.number & 255:02X}",
        )

    def log(self, now: datetime) -> AsicLog | None:
        """Returns the log that its sentry would read at `now`; None while it does not answer."""
        now_s = now.timestamp()
        self.started_s = self.started_s or now_s - self.chance.uniform(600, 40 * DAY_S)
        if self._trouble(now_s) == "silent":
            return None
        model, boards = self.model, self._boards(now_s)
        hashrate_hs = sum(board.hashrate_hs or 0 for board in boards)
        self.shares[self.chance.random() < 0.004] += self.chance.random() < 10 / SHARE_EVERY_S
        return AsicLog(
            taken_at=now,
            uptime_s=int(now_s - self.started_s),
            lan_ip=f"10.{120 + (self.number >> 16)}.{self.number >> 8 & 255}.{self.number & 255}",
            algorithm=model.algorithm,
            coin=model.coin,
            hashrate_hs=hashrate_hs,
            hashrate_window_s=5,
            average_hashrate_hs=round(model.hashrate_hs * 0.99, 1),
            expected_hashrate_hs=model.hashrate_hs,
            power_w=None if model.power_w is None else round(model.power_w * (1 + 0.01 * wave(now_s, self.number, 70))),
            power_source=None if model.power_w is None else PowerSource.REPORTED,
            temperature_c=max(board.outlet_temperature_c or 0 for board in boards),
            boards=boards,
            fans_rpm=self._fans(now_s),
            pools=self._pools(),
            faults=["temperature"] if self.trouble == "hot" else [],
        )

    def _trouble(self, now_s: float) -> str:
        if self.trouble and now_s >= self.trouble_until_s:
            self.trouble = ""
        if not self.trouble and self.chance.random() < self.trouble_chance:
            self.trouble = self.chance.choice(("silent", "hot", "board", "chips", "fan"))
            self.trouble_until_s = now_s + self.chance.uniform(70, 600)
        return self.trouble

    def _boards(self, now_s: float) -> list[AsicBoard]:
        return [self._board(slot, now_s) for slot in range(1, self.model.boards + 1)]

    def _board(self, slot: int, now_s: float) -> AsicBoard:
        hurt = self.trouble if slot == 1 else ""
        load = 1 + 0.02 * wave(now_s, self.number * 3.7 + slot, 90)
        outlet_c = hall_c(now_s) + 32 + slot + 3 * wave(now_s, self.number + slot, 600) + (25 if hurt == "hot" else 0)
        chips = self.model.chips
        return AsicBoard(
            slot=slot,
            hashrate_hs=0.0 if hurt == "board" else round(self.model.hashrate_hs / self.model.boards * load, 1),
            inlet_temperature_c=round(hall_c(now_s) + 4, 1),
            outlet_temperature_c=round(outlet_c, 1),
            chips=chips - 4 if chips and chips > 4 and hurt == "chips" else chips,
            expected_chips=chips,
        )

    def _fans(self, now_s: float) -> list[float | None]:
        turns: list[float | None] = []
        for place in range(self.model.fans):
            turns.append(float(round(4800 + 30 * hall_c(now_s) + 40 * wave(now_s, self.number + place, 45))))
        return [0.0, *turns[1:]] if self.trouble == "fan" else turns

    def _pools(self) -> list[AsicPool]:
        accepted, rejected = self.shares
        return [
            AsicPool(
                url=f"stratum+tcp://{self.model.coin.lower()}.pool.example:3333",
                user=f"simulated.{self.number:03d}",
                state=PoolState.CONNECTED,
                accepted=accepted,
                rejected=rejected,
            ),
            AsicPool(url="stratum+tcp://backup.pool.example:3333", state=PoolState.STANDBY),
        ]


def simulated_asic(number: int, *, seed: int, trouble_chance: float = 0.0) -> SimulatedAsic:
    chance = random.Random(f"asic-{seed}-{number}")
    return SimulatedAsic(number, chance.choice(MODELS), chance, trouble_chance)


class Watched(NamedTuple):
    """An ASIC, its rig in the commander, and that rig's token."""

    asic: SimulatedAsic
    rig_id: int
    token: str


class SimulatedAsicSentry(Sentry):
    """Speaks the sentries' API for many ASICs: one request holds a log of each."""

    def __init__(self, watched: Sequence[Watched], commander: Commander, tally: Tally) -> None:
        super().__init__(commander, tally, kept_logs=KEPT_LOGS_EACH * len(watched))
        self._watched = watched
        self._specs_due = set(range(len(watched)))
        self._refused: set[int] = set()

    def take(self, now: datetime) -> None:
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        for place, each in enumerate(self._watched):
            if place not in self._refused and (log := each.asic.log(now)):
                self.keep(Kept(now.isoformat(timespec="milliseconds"), _encode(log), place))

    async def attempt(self, longest_s: float) -> float:
        batch = self.batch(BATCH_ITEMS)
        body = b'{"items":[' + b",".join(self._item(log) for log in batch) + b"]}"
        try:
            request = self._commander.request("POST", "/api/v1/sentry/asic-logs", self._headers, body)
            answer = await self._commander.send(request)
        except WireError:
            return self.failed(longest_s)
        return self._heard(answer, batch, longest_s)

    def _item(self, log: Kept) -> bytes:
        asic, _, token = self._watched[log.place]
        specs = b',"specs":' + _encode(asic.specs()) if log.place in self._specs_due else b""
        return b'{"token":"' + token.encode() + b'"' + specs + b',"logs":[' + log.body + b"]}"

    def _heard(self, answer: Answer, batch: Sequence[Kept], longest_s: float) -> float:
        if answer.status != 200:
            return self.failed(longest_s, answer.retry_after_s)
        for log, result in zip(batch, _receipt.decode(answer.body).results, strict=True):
            self._told(log, result)
        self.delivered(batch)
        return 0

    def _told(self, log: Kept, result: AsicItemReceipt) -> None:
        """The ASIC of a dead token is watched no longer; the others are."""
        self._specs_due.discard(log.place)
        if result.error is None:
            self._tally.count(result, self._watched[log.place].rig_id, [log], key="asic_id")
            return
        self._tally.dropped += 1
        if log.place not in self._refused:
            self._refused.add(log.place)
            why = "token replaced" if result.error == "invalid_token" else "rig removed"
            self._tally.turned_away[why] = self._tally.turned_away.get(why, 0) + 1
        self._gone = len(self._refused) == len(self._watched)
