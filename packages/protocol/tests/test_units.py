"""Figures as people read them."""

from protocol import units


def test_a_figure_has_three_digits_and_its_prefix() -> None:
    texts = {0.0: "0.00 H/s", 999.4: "999 H/s", 999.6: "1.00 kH/s", 17_000: "17.0 kH/s", 178.2e6: "178 MH/s"}
    assert {value: units.hashrate_text(value) for value in texts} == texts
    assert units.hashrate_text(15.011e12) == "15.0 TH/s"
    assert units.hashrate_text(1.2e24) == "1,200,000 EH/s"


def test_power_is_whole_watts_until_a_kilowatt() -> None:
    assert [units.efficiency_text(joules) for joules in (27.43e-12, 650e-12, 360e-9, 0.02)] == [
        "27.4 J/TH",
        "650 J/TH",
        "360 J/GH",
        "20.0 J/kH",
    ]
    assert [units.power_text(power_w) for power_w in (0.4, 221.5, 3410.0)] == ["0 W", "222 W", "3.41 kW"]


def test_memory_is_counted_in_powers_of_two() -> None:
    sizes = {512: "512 B", 8 * 2**30: "8.00 GiB", 2**40: "1.00 TiB", 12_345: "12.1 KiB"}
    assert {size: units.bytes_text(size) for size in sizes} == sizes


def test_a_duration_shows_its_two_largest_parts() -> None:
    texts = {0: "0 s", 7.9: "7 s", 60: "1 min", 725: "12 min 5 s", 3600: "1 h", 93_784: "1 d 2 h", 86_401: "1 d"}
    assert {seconds: units.duration_text(seconds) for seconds in texts} == texts


def test_unknown_is_never_zero() -> None:
    for text in (
        units.hashrate_text,
        units.efficiency_text,
        units.power_text,
        units.temperature_text,
        units.percent_text,
        units.clock_text,
        units.bytes_text,
        units.duration_text,
    ):
        assert text(None) == units.UNKNOWN
    assert units.count_text(None) == units.UNKNOWN
    assert units.temperature_text(0.0) == "0 °C"


def test_a_long_list_ends_with_how_many_more_there_are() -> None:
    assert units.listed([], 2) == ""
    assert units.listed(["a", "b"], 2) == "a, b"
    assert units.listed(["a", "b", "c"], 2) == "a, b and 1 more"
    assert units.listed([str(number) for number in range(2_001)], 1) == "0 and 2,000 more"
