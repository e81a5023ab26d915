"""Braiins OS over HTTP at port 80, for ASICs whose port 4028 is closed, and for the values that are not there.

GraphQL answers up to firmware 25.05, without a log-in. The REST API answers from 25.07 on. It needs a log-in, and also
has the MAC, the serial number, the temperatures at both sides of each board and the tuner's target.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from protocol.asic_messages import AsicBoard, AsicPool, AsicSpecs
from sentry_kit.parsing import count, positive, scaled, temperature, text

from asic_sentry import models
from asic_sentry.access import PLAIN, Token
from asic_sentry.dialects.braiins import MAKE
from asic_sentry.dialects.braiins_errors import appeals_of, errors_of
from asic_sentry.dialects.cgminer import is_alive
from asic_sentry.dialects.dialect import Dialect, Part, Question
from asic_sentry.dialects.parsing import (
    AsicReading,
    Rate,
    Row,
    checked,
    expected_chips,
    fan_speeds,
    first_rate,
    hottest,
    hottest_of,
    limited_boards,
    limited_pools,
    mac,
    objects,
    part,
    pool_of,
    pool_state,
    rejected_percent_of,
    sample,
    slot_of,
)
from asic_sentry.dialects.web import get, list_of, mapping_of, post
from asic_sentry.failures import bad_response, error_status
from asic_sentry.models import Model

_ALGORITHM = "SHA-256"
_WINDOWS = (("last_1m", 60), ("last_5m", 300), ("last_15m", 900), ("last_5s", 5))
_NOT_MINING = {1, 3, 4}  # not started, paused, suspended
_GRAPHQL_WINDOWS = (("mhs5S", 5),)

# --- GraphQL


def _query(name: str, query: str, *, optional: bool = False) -> Question:
    return post("/graphql", json.dumps({"query": query}), name=name, optional=optional)


_FIGURES = _query(
    "graphql",
    "{bos{uptime{durationS}}bosminer{info{fans{rpm}summary{power{approxConsumptionW}}"
    "workSolver{realHashrate{mhs5S}nominalMhs childSolvers{name realHashrate{mhs5S}hwDetails{chips}"
    "temperatures{name degreesC}}}poolGroups{pools{url user status active shares{acceptedSolutions"
    " rejectedSolutions}}}}}}",
)
_APPEALS = _query("graphql_events", "{events{appeals{__typename}}}", optional=True)
_ABOUT = _query("graphql_about", "{bos{hostname info{version{full}}}}")
_MODEL = _query("graphql_model", "{bosminer{info{modelName}}}", optional=True)


def _data_if_any(reply: bytes | None) -> Row:
    """Returns the object under `data`; an empty one if there is none."""
    return part(mapping_of(MAKE, reply), "data") if reply else {}


def _data(reply: bytes) -> Row:
    """Returns the object under `data`. Raises `BadReply` with the device's words if there is none."""
    answer = mapping_of(MAKE, reply)
    if data := part(answer, "data"):
        return data
    errors = objects(answer.get("errors"))
    if errors:
        raise error_status(text(errors[0].get("message")) or "")
    raise bad_response(f"The answer is not that of {MAKE}: it has no data.")


def recognise_graphql(about: bytes) -> None:
    """Raises `BadReply` if the answer has no `bos`: other servers with GraphQL answer with errors only."""
    if not checked(MAKE, lambda: part(_data_if_any(about), "bos")):
        raise bad_response(f"The answer is not that of {MAKE}: it has no bos.")


def parse_graphql(replies: Sequence[bytes], model: Model | None) -> AsicReading:
    """Reads the one answer that has all values, and the open appeals if the version knows them."""
    return sample(MAKE, lambda: _parse_graphql(_data(replies[0]), appeals_of(replies[1]), model))


def _parse_graphql(data: Row, faults: list[str], model: Model | None) -> AsicReading:
    info = part(part(data, "bosminer"), "info")
    solver = part(info, "workSolver")
    boards = limited_boards(_solver(each, place, model) for place, each in enumerate(objects(solver["childSolvers"])))
    pools = limited_pools(_graphql_pools(objects(info.get("poolGroups"))))
    rate = first_rate(_GRAPHQL_WINDOWS, 1e6, part(solver, "realHashrate"))
    return AsicReading(
        uptime_s=count(part(part(data, "bos"), "uptime").get("durationS")),
        hashrate_hs=rate.hashrate_hs,
        hashrate_window_s=rate.window_s,
        expected_hashrate_hs=scaled(solver.get("nominalMhs"), 1e6) or None,
        power_w=positive(part(part(info, "summary"), "power").get("approxConsumptionW")),
        temperature_c=hottest_of(boards),
        boards=boards,
        fans_rpm=fan_speeds(each.get("rpm") for each in objects(info.get("fans"))),
        pools=pools,
        rejected_percent=rejected_percent_of(pools),
        faults=faults,
        algorithm=_ALGORITHM,
    )


def _solver(each: Row, place: int, model: Model | None) -> AsicBoard:
    slot, chips = slot_of(each.get("name"), place), count(part(each, "hwDetails").get("chips"))
    heat = {str(sensor.get("name")): sensor.get("degreesC") for sensor in objects(each.get("temperatures"))}
    return AsicBoard(
        slot=slot,
        hashrate_hs=first_rate(_GRAPHQL_WINDOWS, 1e6, part(each, "realHashrate")).hashrate_hs,
        outlet_temperature_c=temperature(heat.get("Board")),
        chip_temperature_c=temperature(heat.get("Chip")),
        chips=chips,
        expected_chips=expected_chips(model, chips),
    )


def _graphql_pools(groups: Sequence[Row]) -> Iterator[AsicPool]:
    for group in groups:
        for each in objects(group.get("pools")):
            shares, state = part(each, "shares"), pool_state(is_alive(each.get("status")), each.get("active"))
            named = {"accepted": shares.get("acceptedSolutions"), "rejected": shares.get("rejectedSolutions")}
            yield pool_of({**each, **named}, state)


def parse_graphql_specs(replies: Sequence[bytes | None]) -> AsicSpecs:
    """Reads the version, the host name and, if the firmware tells it, the model."""
    return checked(MAKE, lambda: _graphql_specs(_data(replies[0] or b""), replies[1]))


def _graphql_specs(about: Row, model: bytes | None) -> AsicSpecs:
    bos = part(about, "bos")
    named = part(part(_data_if_any(model), "bosminer"), "info").get("modelName")
    make, name = models.make_and_model(text(named) or "")
    return AsicSpecs(
        make=make,
        model=name,
        firmware_version=MAKE,
        software_version=text(part(part(bos, "info"), "version").get("full")),
        hostname=text(bos.get("hostname")),
    )


BRAIINS_GRAPHQL = Dialect(
    name="braiins_graphql",
    makes=frozenset({"Antminer", "Braiins"}),
    port=80,
    poll_questions=(_FIGURES, _APPEALS),
    parse=parse_graphql,
    specs_questions=(_ABOUT, _MODEL),
    parse_specs=parse_graphql_specs,
    probe=_ABOUT,
    recognise=recognise_graphql,
    firmware="Braiins OS up to 25.05, where port 4028 is closed",
    lacks=(Part.MAC,),
    remark="power is the tuner's estimate",
    recorded=True,
)


# --- REST


def recognise_rest(version: bytes) -> None:
    checked(MAKE, lambda: mapping_of(MAKE, version, "major", "minor", "patch"))


def parse_rest(replies: Sequence[bytes], model: Model | None) -> AsicReading:
    """Reads `miner/stats`, `miner/hw/hashboards`, `pools`, `cooling/state`, `miner/details` and `miner/errors`."""
    return sample(MAKE, lambda: _parse_rest(replies, model))


def _parse_rest(replies: Sequence[bytes], model: Model | None) -> AsicReading:
    answer, details = mapping_of(MAKE, replies[0], "miner_stats"), mapping_of(MAKE, replies[4], "bos_version")
    stats = part(answer, "miner_stats")
    hashboards = objects(mapping_of(MAKE, replies[1], "hashboards")["hashboards"])
    is_stopped = count(details.get("status")) in _NOT_MINING
    boards = limited_boards(_hashboard(each, place, model, is_stopped) for place, each in enumerate(hashboards))
    pools = limited_pools(_rest_pools(objects(list_of(MAKE, replies[2]))))
    cooling = mapping_of(MAKE, replies[3], "fans")
    rate, uptime_s = _rate(stats, is_stopped), count(details.get("bosminer_uptime_s"))
    return AsicReading(
        uptime_s=uptime_s,
        hashrate_hs=rate.hashrate_hs,
        hashrate_window_s=rate.window_s,
        average_hashrate_hs=_gigahashes(part(stats, "real_hashrate").get("last_30m")),
        expected_hashrate_hs=_gigahashes(stats.get("nominal_hashrate")) or None,
        power_w=positive(part(part(answer, "power_stats"), "approximated_consumption").get("watt")),
        temperature_c=hottest([hottest_of(boards), _degrees(part(cooling, "highest_temperature").get("temperature"))]),
        boards=boards,
        fans_rpm=fan_speeds(each.get("rpm") for each in objects(cooling["fans"])),
        pools=pools,
        rejected_percent=rejected_percent_of(pools),
        faults=errors_of(replies[5], uptime_s, datetime.now(UTC)),
        algorithm=_ALGORITHM,
    )


def _gigahashes(value: object) -> float | None:
    return scaled(value.get("gigahash_per_second"), 1e9) if isinstance(value, dict) else None


def _degrees(value: object) -> float | None:
    return temperature(value.get("degree_c")) if isinstance(value, dict) else None


def _rate(stats: Row, is_stopped: bool) -> Rate:
    """Returns the hashrate; 0 while the ASIC does not mine: its means still have what it did before."""
    if is_stopped:
        return Rate(0.0)
    means = part(stats, "real_hashrate")
    return first_rate(_WINDOWS, 1e9, {key: part(means, key).get("gigahash_per_second") for key in means})


def _hashboard(each: Row, place: int, model: Model | None, is_stopped: bool) -> AsicBoard:
    slot, chips = slot_of(each.get("id"), place), count(each.get("chips_count"))
    return AsicBoard(
        slot=slot,
        hashrate_hs=_rate(part(each, "stats"), is_stopped).hashrate_hs,
        inlet_temperature_c=_degrees(each.get("lowest_inlet_temp")),
        outlet_temperature_c=hottest([_degrees(each.get("highest_outlet_temp")), _degrees(each.get("board_temp"))]),
        chip_temperature_c=_degrees(part(each, "highest_chip_temp").get("temperature")),
        chips=chips,
        expected_chips=expected_chips(model, chips),
    )


def _rest_pools(groups: Sequence[Row]) -> Iterator[AsicPool]:
    for group in groups:
        for each in objects(group.get("pools")):
            shares = {key.removesuffix("_shares"): value for key, value in part(each, "stats").items()}
            yield pool_of({**shares, **each}, pool_state(each.get("alive"), each.get("active")))


def parse_rest_specs(replies: Sequence[bytes | None]) -> AsicSpecs:
    """Reads `miner/details` and, if it is there, the tuner's target in `performance/tuner-state`."""
    return checked(MAKE, lambda: _rest_specs(mapping_of(MAKE, replies[0] or b"", "bos_version"), replies[1]))


def _rest_specs(details: Row, tuner: bytes | None) -> AsicSpecs:
    identity = part(details, "miner_identity")
    make, name = models.make_and_model(text(identity.get("miner_model")) or text(identity.get("name")) or "")
    version, target = text(part(details, "bos_version").get("current")), _target(tuner)
    return AsicSpecs(
        make=make,
        model=name,
        firmware_version=MAKE,
        software_version=text(", ".join(word for word in (version, target) if word)),
        mac=mac(details.get("mac_address")),
        serial_number=text(details.get("serial_number")),
        hostname=text(details.get("hostname")),
    )


def _target(tuner: bytes | None) -> str | None:
    """Returns the power or the hashrate that the tuner aims at, such as "power target 3031 W"."""
    modes = part(mapping_of(MAKE, tuner), "mode_state") if tuner else {}
    watts = positive(part(part(modes, "powertargetmodestate"), "current_target").get("watt"))
    if watts is not None:
        return f"power target {watts:g} W"
    terahashes = positive(part(part(modes, "hashratetargetmodestate"), "current_target").get("terahash_per_second"))
    return None if terahashes is None else f"hashrate target {terahashes:g} TH/s"


_ACCESS = Token("/api/v1/auth/login", '{"username":"{user}","password":"{password}"}', header=PLAIN)
_DETAILS = get("/api/v1/miner/details", access=_ACCESS)
_VERSION = get("/api/v1/version")
BRAIINS_REST = Dialect(
    name="braiins_rest",
    makes=frozenset({"Antminer", "Braiins"}),
    port=80,
    poll_questions=(
        *(get(f"/api/v1/{path}", access=_ACCESS) for path in ("miner/stats", "miner/hw/hashboards", "pools")),
        get("/api/v1/cooling/state", access=_ACCESS),
        _DETAILS,
        get("/api/v1/miner/errors", optional=True, access=_ACCESS),
    ),
    parse=parse_rest,
    specs_questions=(_DETAILS, get("/api/v1/performance/tuner-state", optional=True, access=_ACCESS)),
    parse_specs=parse_rest_specs,
    probe=_VERSION,
    recognise=recognise_rest,
    is_better=True,
    firmware="Braiins OS from 25.07; needs a password",
    remark="power is the tuner's estimate",
    recorded=True,
)
