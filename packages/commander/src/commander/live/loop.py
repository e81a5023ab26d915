"""The live loop: four times a second it finds rigs that are silent, and sends frames to open pages."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from itertools import count

from commander.jobs.loop import rest
from commander.live.rig_state import Health, RigState
from commander.live.rigs import LiveRigs
from commander.live.source import LiveSource
from commander.problems import DatabaseProblem
from commander.registry.kinds import RigKind

log = logging.getLogger(__name__)
TICK_S = 0.25
TICKS_BETWEEN_LOOKS = 20
ROLL_CALL_EVERY_S = 1.0  # WebSockets close within 2 s after the end of their session: docs/access.md
TICKS_BETWEEN_ROLL_CALLS = round(ROLL_CALL_EVERY_S / TICK_S)

OnOffline = Callable[[RigKind, list[RigState]], Awaitable[None]]


async def run_live(
    lives: Collection[LiveRigs],
    sources: Collection[LiveSource],
    stop: asyncio.Event,
    *,
    on_offline: OnOffline,
    look: Callable[[], Awaitable[None]],
    hang_up: Callable[[], Awaitable[None]],
) -> None:
    """Runs until `stop`.

    `on_offline` is called with rigs that went offline, `look` every few seconds, and `hang_up` each second: it closes
    the pages of sessions that have ended.
    """
    for tick in count(1):
        if stop.is_set():
            return
        for live in lives:
            await _unharmed(partial(_turn, live, on_offline))
        for source in sources:
            await _unharmed(partial(source.tick, time.monotonic()))
        if tick % TICKS_BETWEEN_LOOKS == 0:
            await _unharmed(look)
        if tick % TICKS_BETWEEN_ROLL_CALLS == 0:
            await _unharmed(hang_up)
        await rest(stop, TICK_S)


async def _unharmed(work: Callable[[], Awaitable[None]]) -> None:
    try:
        await work()
    except DatabaseProblem as error:
        log.warning("a turn of the live loop has to wait: %s", error)
    except Exception:  # a page that can't be made must not stop all the others
        log.exception("a turn of the live loop failed")


async def _turn(live: LiveRigs, on_offline: OnOffline) -> None:
    offline = [state for state in live.tick(time.monotonic()) if state.health is Health.OFFLINE]
    if offline:
        await on_offline(live.kind, offline)
