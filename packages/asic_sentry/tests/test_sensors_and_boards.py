"""Every sensor counts for the hottest, wherever firmware has it; a board that the device calls dead is a fault."""

import json
from typing import Any

import pytest
from asic_sentry.dialects.dialect import Dialect
from asic_sentry.dialects.parsing import AsicReading, hottest_sensor
from asic_sentry.dialects.registry import BY_NAME
from right_answers import right_answers


def changed(name: str, which: int, *places: tuple[tuple[str | int, ...], Any]) -> AsicReading:
    """The reading of the dialect's right answers, of which one has other values at these places."""
    dialect: Dialect = BY_NAME[name]
    answers = right_answers(dialect)
    answer = json.loads(answers[which])
    for place, value in places:
        at = answer
        for key in place[:-1]:
            at = at[key]
        at[place[-1]] = value
    answers[which] = json.dumps(answer).encode()
    return dialect.parse(answers, None)


def heat(found: AsicReading, place: int = 0) -> tuple[float | None, float | None, float | None]:
    """The temperatures of a board's own sensors and of its chips, and that of the ASIC."""
    board = found.boards[place]
    return board.outlet_temperature_c, board.chip_temperature_c, found.temperature_c


def chain(name: str, **values: Any) -> AsicReading:
    """An ASIC with one chain, which has these values."""
    answers = right_answers(BY_NAME[name])
    about, values_of_all = json.loads(answers[0])["STATS"]
    chains = ("temp", "chain_")
    rest = {key: value for key, value in values_of_all.items() if not key.startswith(chains)}
    stats = {"STATS": [about, {**rest, "chain_acn6": 63, "chain_rate6": "3600.5", **values}]}
    return BY_NAME[name].parse([json.dumps(stats).encode(), *answers[1:]], None)


@pytest.mark.parametrize("name", ["antminer", "hammer", "volcminer"])
@pytest.mark.parametrize(
    ("values", "right"),
    [
        ({"temp6": 65, "temp2_6": 80, "temp3_6": 97}, (65, 97, 97)),
        ({"temp6": 65, "temp2_6": 80, "temp3_6": 0}, (65, 80, 80)),
        ({"temp_chip6": "0-0-0-0", "temp2_6": 59, "temp3_6": 57, "temp_pcb6": "45-42-47-42"}, (47, 59, 59)),
        ({"temp_chip6": "0-0-0-0", "temp_pcb6": "45-42-47-42"}, (47, None, 47)),
        ({"temp_chip6": "78-50-x-", "temp2_6": 0}, (None, 78, 78)),
        ({"temp_chip6": [78], "temp2_6": None, "temp6": "61"}, (61, None, 61)),
    ],
)
def test_all_sensors_of_a_chain_count(
    name: str, values: dict[str, Any], right: tuple[float | None, float | None, float | None]
) -> None:
    assert heat(chain(name, **values), -1) == right


def test_the_sensors_beside_the_controller_of_an_antminers_board_count() -> None:
    assert heat(chain("antminer", temp_pcb6="45-42", temp_pic6="45-88"), -1) == (88, None, 88)
    for name in ("antminer_web", "elphapex"):
        found = changed(name, 0, (("STATS", 0, "chain", 1, "temp_pic"), [51, 119, 60]))
        assert (found.boards[1].outlet_temperature_c, found.temperature_c) == (119, 119)


@pytest.mark.parametrize(
    ("reading", "right"),
    [("50-78-69", 78), ("-50", None), ("-50-60", 60), ("50--78", 50), (71.5, 71.5), ("", None), ("9" * 999, None)],
)
def test_a_text_has_one_or_several_sensors(reading: object, right: float | None) -> None:
    assert hottest_sensor(reading) == right


def test_the_sensors_on_an_icerivers_boards_count() -> None:
    sensors = ("data", "boards", 0, "pcbtemp"), "70.00-0.00-99.50-68.25"
    found = changed("iceriver", 0, sensors)
    assert (found.boards[0].outlet_temperature_c, found.temperature_c) == (99.5, 99.5)
    assert changed("iceriver", 0, (sensors[0], "0.00-0.00")) == changed("iceriver", 0)


@pytest.mark.parametrize(
    ("temps", "right"),
    [
        (b"", (None, 70.5, 70.5)),
        (b'{"STATUS":[{"STATUS":"E","Code":14,"Msg":"Invalid command"}]}', (None, 70.5, 70.5)),
        (b'{"TEMPS":[{"ID":6,"Board":58.5,"Chip":0.0}]}', (58.5, 70.5, 70.5)),
        (b'{"TEMPS":[{"ID":6,"Board":58.5,"Chip":74.5}]}', (58.5, 74.5, 74.5)),
    ],
)
def test_a_braiins_os_without_its_temps_has_a_temperature_of_each_board(
    temps: bytes, right: tuple[float | None, float | None, float | None]
) -> None:
    answers = right_answers(BY_NAME["braiins"])
    devs = json.loads(answers[1])
    for row in devs["DEVS"]:
        row["Temperature"] = 70.5
    answers[1], answers[3] = json.dumps(devs).encode(), temps
    assert heat(BY_NAME["braiins"].parse(answers, None)) == right


def test_the_temperature_of_a_whatsminers_board_counts() -> None:
    for name in ("whatsminer_v1", "whatsminer_v2"):
        found = changed(name, 1, (("DEVS", 1, "Temperature"), 121.5))
        assert (found.boards[1].outlet_temperature_c, found.temperature_c) == (121.5, 121.5)
    assert changed("whatsminer_v1", 0, (("SUMMARY", 0, "Temperature"), 123.5)).temperature_c == 123.5


@pytest.mark.parametrize(
    ("values", "of_boards"),
    [
        ([40.5, 119.5, 41.5], [40.5, 119.5, 41.5]),
        ([40.5, 119.5], [None, None, None]),  # of which boards, it does not say
        ([40.5, 119.5, None], [40.5, 119.5, None]),
    ],
)
def test_the_temperatures_of_a_whatsminers_boards_count(values: object, of_boards: list[float | None]) -> None:
    found = changed("whatsminer_v3", 0, (("msg", "summary", "board-temperature"), values))
    assert [board.outlet_temperature_c for board in found.boards] == of_boards
    assert found.temperature_c == 119.5


@pytest.mark.parametrize(
    ("name", "which", "place", "dead", "alive"),
    [
        ("whatsminer_v1", 1, ("DEVS", 1, "Status"), "Dead", "Alive"),
        ("whatsminer_v2", 1, ("DEVS", 1, "Status"), "Dead", "alive"),
        ("whatsminer_v3", 1, ("msg", "edevs", 1, "status"), "dead", "Alive"),
        ("iceriver", 0, ("data", "boards", 1, "state"), False, True),
    ],
)
def test_a_board_that_is_called_dead_is_a_fault(
    name: str, which: int, place: tuple[str | int, ...], dead: object, alive: object
) -> None:
    assert changed(name, which, (place, dead)).faults == ["board"]
    for state in (alive, None, ""):
        assert changed(name, which, (place, state)).faults == []
