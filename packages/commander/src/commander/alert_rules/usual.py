"""The usual values of a rig: medians of the last 24 h of ten-minute means while it mined. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import median

from msgspec.structs import replace
from protocol.asic_messages import AsicLog

from commander.alert_rules.view import Usual
from commander.history.ten_minutes import STEP_S, TenMinutes
from commander.readings.series import HASHRATE, POWER

FIGURES = frozenset({HASHRATE, POWER})
LEARNT_FROM = timedelta(hours=24)
FEWEST_MEANS = 36  # six hours
FEWER_FOR = timedelta(days=1)


def usual_of(values: TenMinutes, *, since: datetime, learnt_at: datetime) -> Usual:
    """Returns the usual values of a rig that has worked in the same way since `since`.

    Before six hours are known, nothing is usual: it is learning, until `learning_until`.
    """
    by_algorithm: dict[str, list[float]] = {}
    mines = [False] * values.steps
    for (figure, device, algorithm, _), means in values.means.items():
        if figure == HASHRATE and device is None and algorithm is not None:
            known = [(at, mean) for at, mean in enumerate(means) if mean]
            by_algorithm.setdefault(algorithm, []).extend(mean for _, mean in known)
            for at, _ in known:
                mines[at] = True
    power = next(
        (means for (figure, device, _, _), means in values.means.items() if (figure, device) == (POWER, None)), []
    )
    while_mining = [mean for mean, is_mining in zip(power, mines, strict=False) if mean and is_mining]
    hashrates = {algorithm: median(means) for algorithm, means in by_algorithm.items() if len(means) >= FEWEST_MEANS}
    is_learning = not hashrates
    return Usual(
        hashrates_hs=hashrates,
        power_w=median(while_mining) if len(while_mining) >= FEWEST_MEANS else None,
        learnt_at=learnt_at,
        learning_until=since + timedelta(seconds=FEWEST_MEANS * STEP_S) if is_learning else None,
    )


def with_parts(usual: Usual, before: Usual, log: AsicLog, now: datetime) -> Usual:
    """Returns the usual values with the boards and fans of an ASIC, from its newest log and from what was usual before.

    More are usual at once. Fewer are usual when there were fewer for a day: somebody has taken a part out for good. A
    log without any board does not know them, and neither its fans if no fan has a speed: then the usual ones stay.
    """
    boards, usual_boards = {board.slot for board in log.boards}, set(before.boards or ())
    fans, usual_fans = sum(rpm is not None for rpm in log.fans_rpm), before.fans or 0
    is_fewer = bool(boards and usual_boards - boards) or 0 < fans < usual_fans
    is_unknown = bool(usual_boards and not boards) or bool(usual_fans and not fans)
    since = (before.fewer_since or now) if is_fewer else before.fewer_since if is_unknown else None
    if is_fewer and since is not None and now - since >= FEWER_FOR:
        boards, fans, since = boards or usual_boards, fans or usual_fans, None
    else:
        boards, fans = boards | usual_boards, max(fans, usual_fans)
    return replace(usual, boards=tuple(sorted(boards)) or None, fans=fans or None, fewer_since=since)


def begin_of(changed_at: Sequence[datetime | None], added_at: datetime | None, now: datetime) -> datetime:
    """Returns from when on values count: after the newest change of a playbook, and of the last 24 h."""
    moments = [now - LEARNT_FROM, *(moment for moment in changed_at if moment is not None)]
    return max(moments + ([added_at] if added_at is not None else []))
