#!/usr/bin/env python3
"""A simulated farm: uses the sentries' API as N rigs and M ASICs, with figures that move together.

It behaves as sentries do: a log is kept until the commander has acknowledged it, and sent again after an outage.
At the end, or after Ctrl-C, it prints how many logs were acknowledged.

    devtools/simulate_farm.py --commander https://127.0.0.1:8443 --ca DATA_DIR/tls/ca.pem --api-key KEY
"""

import argparse
import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

from farm_people import ASICS, CannotSimulate, Enrolled, People, enrol_all, remove_all
from farm_wire import BadAddress, Commander, open_commander
from simulated_asics import ASICS_A_SENTRY, SimulatedAsicSentry, Watched, simulated_asic
from simulated_rig import simulated_rig
from simulated_sentry import Sentry, SimulatedSentry, Tally

TROUBLE_A_SECOND = 1 / 7_200  # a rig has trouble about every two hours


@asynccontextmanager
async def sentries_at_work(
    sentries: Sequence[Sentry], given: argparse.Namespace
) -> AsyncIterator[list["asyncio.Task[None]"]]:
    """Yields the tasks that measure; those that deliver go on until the end of the block."""
    spread_s = given.every if given.start_spread is None else given.start_spread
    async with asyncio.TaskGroup() as group:
        measuring, delivering = [], []
        for at, sentry in enumerate(sentries):
            after_s = 0.0 if given.at_once else spread_s * at / len(sentries)
            measuring.append(group.create_task(sentry.measure(every_s=given.every, first_after_s=after_s)))
            delivering.append(group.create_task(sentry.deliver(every_s=given.every)))
        yield measuring
        for task in (*measuring, *delivering):
            task.cancel()


async def simulate(given: argparse.Namespace, tally: Tally) -> None:
    """Runs until `--duration` is over or a signal comes; then it sends what it keeps, for `--drain` seconds at most."""
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with open_commander(*given.commander, ca=given.ca, connections=given.connections) as commander:
        people, asic_people = People(commander, given.api_key), People(commander, given.api_key, path=ASICS)
        enrolled = await enrol_all(people, given.name_prefix, given.rigs)
        asics = await enrol_all(asic_people, f"{given.name_prefix}asic-", given.asics)
        print(
            f"simulating {len(enrolled)} rigs and {len(asics)} ASICs, a log every {given.every:g} s each",
            file=sys.stderr,
            flush=True,
        )
        sentries = [
            *make_sentries(enrolled, commander, tally, given),
            *make_asic_sentries(asics, commander, tally, given),
        ]
        async with sentries_at_work(sentries, given) as measuring:
            await _wait(ended, given.duration)
            for task in measuring:
                task.cancel()
            await _drain(tally, given.drain)
        if given.remove:
            await remove_all(people, enrolled)
            await remove_all(asic_people, asics)


def make_sentries(
    enrolled: list[Enrolled], commander: Commander, tally: Tally, given: argparse.Namespace
) -> list[SimulatedSentry]:
    chance = 0.0 if given.steady else given.every * TROUBLE_A_SECOND
    sentries = []
    for number, rig_id, token in enrolled:
        rig = simulated_rig(number, seed=given.seed, cards=given.gpus, trouble_chance=chance)
        sentries.append(SimulatedSentry(rig, rig_id, token, commander, tally))
    return sentries


def make_asic_sentries(
    enrolled: list[Enrolled], commander: Commander, tally: Tally, given: argparse.Namespace
) -> list[SimulatedAsicSentry]:
    chance = 0.0 if given.steady else given.every * TROUBLE_A_SECOND
    watched = [
        Watched(simulated_asic(number, seed=given.seed, trouble_chance=chance), rig_id, token)
        for number, rig_id, token in enrolled
    ]
    parts = (watched[start : start + ASICS_A_SENTRY] for start in range(0, len(watched), ASICS_A_SENTRY))
    return [SimulatedAsicSentry(part, commander, tally) for part in parts]


async def _wait(ended: asyncio.Event, duration_s: float | None) -> None:
    try:
        async with asyncio.timeout(duration_s):
            await ended.wait()
    except TimeoutError:
        return


async def _drain(tally: Tally, at_most_s: float) -> None:
    try:
        async with asyncio.timeout(at_most_s):
            await tally.all_acknowledged.wait()
    except TimeoutError:
        return


def simulated_prefix(text: str) -> str:
    if "simulated" not in text.lower():
        raise argparse.ArgumentTypeError("must hold the word simulated, or somebody takes these rigs for real ones")
    return text


def positive(text: str) -> float:
    if not (number := float(text)) > 0:
        raise argparse.ArgumentTypeError("must be more than 0")
    return number


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Speaks the sentries' API as rigs that do not exist.")
    add = parser.add_argument
    add("--commander", required=True, metavar="URL", action="append", help="again for each further web node")
    add("--api-key", metavar="KEY", default=os.environ.get("API_KEY"), help="default: the variable API_KEY")
    add(
        "--ca",
        metavar="FILE",
        help="the commander's CA (tls/ca.pem in its data directory); default: the system's",
    )
    add("--rigs", type=int, default=25, help="CPU/GPU rigs; default: %(default)s")
    add("--asics", type=int, default=0, help="ASICs beside them, with a sentry for each 250; default: %(default)s")
    add(
        "--every",
        type=positive,
        default=10.0,
        metavar="S",
        help="seconds between a rig's logs; default: %(default)s",
    )
    add("--duration", type=positive, metavar="S", help="default: until Ctrl-C")
    add("--gpus", type=int, choices=range(17), metavar="N", help="cards in each rig, 0 to 16; default: mixed")
    add("--name-prefix", type=simulated_prefix, default="simulated-", help="default: %(default)s")
    add("--seed", type=int, default=1, help="another farm; default: %(default)s")
    add("--steady", action="store_true", help="no rig goes silent, no miner stalls")
    add(
        "--at-once",
        action="store_true",
        help="all rigs report at the same moment, not spread over the interval",
    )
    add("--start-spread", type=float, metavar="S", help="over how long the rigs start; default: one interval")
    add(
        "--drain",
        type=float,
        default=30.0,
        metavar="S",
        help="wait so long for the last answers; default: %(default)s",
    )
    add("--connections", type=int, default=32, help="to the commander, shared by all; default: %(default)s")
    add("--ledger", type=Path, metavar="FILE", help="append a JSON line for each acknowledged log")
    add("--remove", action="store_true", help="remove the rigs at the end")
    given = parser.parse_args(argv)
    if not given.api_key:
        parser.error("--api-key (or API_KEY) is needed; `commander api-key create NAME --role own` makes one")
    if min(given.rigs, given.asics) < 0 or given.rigs + given.asics < 1 or given.connections < 1:
        parser.error("--rigs and --asics together, and --connections, must be 1 or more")
    return given


def main() -> int:
    given = arguments()
    random.seed(given.seed)
    tally = Tally()
    try:
        with ExitStack() as files:
            if given.ledger:
                tally.ledger = files.enter_context(given.ledger.open("a", encoding="utf-8"))
            asyncio.run(simulate(given, tally))
    except (ExceptionGroup, CannotSimulate, BadAddress, OSError) as error:
        print(f"simulate_farm: {_expected(error)}", file=sys.stderr)
        return 1
    for why, rigs in tally.turned_away.items():
        print(f"{rigs} rigs were turned away: {why}", file=sys.stderr)
    print(tally.summary(), flush=True)
    return 0


def _expected(error: Exception) -> Exception:
    """Returns an error whose text is for people; a bug of this program is raised as it is."""
    first = error
    while isinstance(first, ExceptionGroup):
        first = first.exceptions[0]
    if not isinstance(first, CannotSimulate | BadAddress | OSError):
        raise error
    return first


if __name__ == "__main__":
    sys.exit(main())
