"""`asic-sentry poll`: identifies and polls one ASIC, for a person or a program."""

from collections.abc import Iterator

import msgspec
from protocol import units
from protocol.asic_messages import AsicBoard, AsicLog, AsicSpecs

from asic_sentry import models
from asic_sentry.access import Login, using
from asic_sentry.failures import PollFailure
from asic_sentry.identify import identify
from asic_sentry.poll import poll


class Answer(msgspec.Struct, frozen=True):
    specs: AsicSpecs
    log: AsicLog


class Failed(msgspec.Struct, frozen=True):
    failure: PollFailure


async def poll_once(ip: str, port: int | None, model: str | None, login: Login | None = None) -> Answer | PollFailure:
    with using(login):
        identity = await identify(ip, port, model)
        if isinstance(identity, PollFailure):
            return identity
        sample = await poll(identity)
    return sample if isinstance(sample, PollFailure) else Answer(identity.specs, sample.log)


def answer_text(answer: Answer | PollFailure, *, as_json: bool) -> str:
    if as_json:
        body = Failed(answer) if isinstance(answer, PollFailure) else answer
        return msgspec.json.format(msgspec.json.encode(body)).decode()
    return answer.detail if isinstance(answer, PollFailure) else "\n".join(_lines(answer.specs, answer.log))


def _lines(specs: AsicSpecs, log: AsicLog) -> Iterator[str]:
    names = [specs.make, specs.model, specs.model_variant]
    yield " ".join(part for part in names if part) or "An ASIC that doesn't say what it is"
    yield f"  firmware     {specs.firmware_version or units.UNKNOWN}"
    yield f"  mines        {_mines(log)}"
    yield f"  hashrate     {_hashrate(specs, log)}"
    yield f"  power        {units.power_text(log.power_w)}"
    yield f"  temperature  {units.temperature_text(log.temperature_c)}"
    yield f"  up           {units.duration_text(log.uptime_s)}"
    yield f"  fans         {', '.join(_rounded(rpm) for rpm in log.fans_rpm) or units.UNKNOWN} rpm"
    for board in log.boards:
        yield f"  board {board.slot:<6} {_board(board)}"
    for pool in log.pools:
        yield f"  pool         {pool.url or units.UNKNOWN} ({pool.state or 'unknown'})"
    if log.faults:
        yield f"  faults       {', '.join(log.faults)}"


def _mines(log: AsicLog) -> str:
    return " · ".join(word for word in (log.coin, log.algorithm) if word) or units.UNKNOWN


def _hashrate(specs: AsicSpecs, log: AsicLog) -> str:
    window = f" (mean of {units.duration_text(log.hashrate_window_s)})" if log.hashrate_window_s else ""
    model = models.find(specs.make or "", specs.model or "")
    expected = log.expected_hashrate_hs or (model.nominal_hashrate_hs if model else None)
    of = f", nominal {units.hashrate_text(expected)}" if expected else ""
    return f"{units.hashrate_text(log.hashrate_hs)}{window}{of}"


def _board(board: AsicBoard) -> str:
    readings = (board.inlet_temperature_c, board.outlet_temperature_c, board.chip_temperature_c)
    hottest = max((each for each in readings if each is not None), default=None)
    known = units.UNKNOWN + " chips" if board.chips is None else units.counted(board.chips, "chip")
    chips = f"{known} of {board.expected_chips:,}" if board.expected_chips else known
    return f"{units.hashrate_text(board.hashrate_hs)}, {units.temperature_text(hottest)}, {chips}"


def _rounded(value: float | None) -> str:
    return units.UNKNOWN if value is None else f"{value:,.0f}"
