"""Selections: the line, its errors, and which rigs match."""

from fnmatch import fnmatchcase
from time import process_time

import pytest
from commander.registry.kinds import RigKind
from commander.selections.compiled import compiled
from commander.selections.domain import BadSelection, Key
from commander.selections.parser import COMPARED, KEYS, parse
from hypothesis import given
from hypothesis import strategies as some
from selection_rigs import ANTMINER, GAMER, PlainRig, state_of


def terms(line: str) -> list[tuple[str, str, tuple[str, ...], bool]]:
    return [(term.key, term.operator, term.values, term.negated) for term in parse(line).terms]


def error_of(line: str, kind: RigKind = RigKind.CPU_GPU) -> str:
    with pytest.raises(BadSelection) as raised:
        compiled(parse(line), kind)
    return str(raised.value)


def test_a_line_is_words_with_keys_values_and_negation() -> None:
    assert terms('tag:hall:2,"hall 3" -GPU:3080 rig*  temperature>=80 “big one”') == [
        ("tag", ":", ("hall:2", "hall 3"), False),
        ("gpu", ":", ("3080",), True),
        ("", ":", ("rig*",), False),
        ("temperature", ">=", ("80",), False),
        ("", ":", ("big one",), False),
    ]
    assert terms(" \n ") == []


@pytest.mark.parametrize(
    "word",
    ["02:00:5e:10:00:01", "de:ad:be:ef:00:01", "fe80::1", "stratum+tcp://pool.example:3333", "pool.example:3333"],
)
def test_an_address_with_colons_has_no_key(word: str) -> None:
    assert terms(word) == [("", ":", (word,), False)]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("coin:kaspa tga:x", "“tga” (character 12) is not a key. Did you mean “tag”?"),
        (
            "hall:2",
            '“hall” (character 1) is not a key. Write tag:hall:2 for a tag, or "hall:2" for a text.',
        ),
        ("-temp>80", "“temp” (character 1) is not a key. Did you mean “temperature”?"),
        ("tempreature>80", "“tempreature” (character 1) is not a key. Did you mean “temperature”?"),
        ("tag:", "Nothing stands after “tag:” (character 1)."),
        ("a -", "Nothing stands after “-” (character 3)."),
        ('a ""', 'Nothing stands after “""” (character 3).'),
        ('name:a "hall 2', "The quote “hall 2” (character 8) is not closed."),
        ("temperature:80", "“temperature:80” (character 1) compares nothing. Write temperature>80 or temperature<80."),
        ("power=80", "“power=80” (character 1) compares nothing. Write power>80 or power<80."),
        ("coin>3", "“coin>3” (character 1) compares what has no number. Write coin:VALUE."),
        ("power>1,2", "“power>1,2” (character 1) compares with several numbers. Write one."),
        ("power>warm", "“warm” (character 1) is no value of power. Write 1200W or 1.2kW."),
        ("uptime>5", "“5” (character 1) is no value of uptime. Write 90s, 30min, 12h or 3d."),
        ("health:ofline", "“ofline” (character 1) is no value of health. Did you mean “offline”?"),
        ("kind:toaster", "“toaster” (character 1) is no value of kind. Write cpu-gpu, asic."),
        (
            "ip:hall",
            "“hall” (character 1) is no address and no network. "
            "Write ip:192.168.1.20, ip:192.168.1.0/24 or ip:192.168.1.*.",
        ),
        ("x" * 10_000, "A selection has 2,000 characters at most; this one has 10,000. Use tags instead."),
    ],
)
def test_an_error_names_the_word_its_place_and_what_to_do(line: str, message: str) -> None:
    assert error_of(line) == message


def test_a_long_word_is_cut_in_its_error() -> None:
    assert error_of("y" * 500 + ":1").startswith("“" + "y" * 40 + "…” (character 1) is not a key.")


@given(some.text(max_size=60) | some.text(alphabet='tagpowerip:><=,"-* 0123456789./', max_size=40))
def test_every_line_is_a_selection_or_an_error_for_people(line: str) -> None:
    for kind in RigKind:
        try:
            compiled(parse(line), kind)
        except BadSelection as error:
            assert 1 <= error.at <= len(line)  # noqa: PT017 - most lines raise nothing


@pytest.mark.parametrize("key", KEYS)
def test_every_key_can_be_used(key: str) -> None:
    values = {"kind": "asic", "health": "online", "ip": "10.0.0.0/8", "uptime": "3d", "approved": "no"}
    line = f"{key}{'>' if key in COMPARED else ':'}{values.get(key, '3')}"
    assert compiled(parse(line), RigKind.CPU_GPU) is not None


def matches(line: str, rig: PlainRig) -> bool:
    return compiled(parse(line), rig.kind)(state_of(rig))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "RIG-0 -test",
        "rig-* -*-08",
        "tag:hall:2 tag:rack:b -tag:hall",
        "tag:test,rack:B",
        "tag:rack:*",
        "kind:cpu-gpu health:online,stale",
        "coin:kaspa coin:KAS -coin:kas*per",
        "algorithm:kheavyhash",
        "software:lolminer -software:lol",
        'playbook:"kaspa on"',
        "gpu:3080 gpu:3090 -gpu:4090",
        "model:z390",
        "ip:192.168.1.20 ip:192.168.0.0/16 ip:192.168 ip:192.168.1. ip:*.20 -ip:192.168.1.2 -ip:10.0.0.0/8",
        "sentry:0.2 -sentry:0.20 driver:535 -driver:53",
        "incident:two_sentries -incident:clock",
        "hashrate>=1.2GH/s hashrate<1300MH hashrate>1000000k",
        "temperature>80°C temperature<=81",
        "memory_temperature>95C",
        "power>1.2kW power<1251W power>=1250",
        "fan>69% fan<=70 fan>2000rpm",
        "rejected>=3% rejected<4",
        "uptime>=1d uptime<1d30min uptime>23h59m",
        '192.168.1.20 3080 kaspa kas pool.example worker,qq07 "hall:*",strix',
    ],
)
def test_a_rig_is_found_by_what_is_true_of_it(line: str) -> None:
    assert matches(line, GAMER)


@pytest.mark.parametrize(
    "word", ["02:00:5e:10:00:01", "s19", "10.20.0.22", "halle", "bitcoin", "coin:BTC", "incident:mining"]
)
def test_an_asic_is_found_by_a_word_on_its_sticker(word: str) -> None:
    assert matches(word, ANTMINER)


def test_an_unknown_metric_is_neither_more_nor_less() -> None:
    bare = PlainRig()
    for key in COMPARED:
        for operator in "<>":
            number = "1h" if key is Key.UPTIME else "50"
            assert not matches(f"{key}{operator}{number}", bare)
            assert matches(f"-{key}{operator}{number}", bare)


def test_many_stars_in_a_value_are_compared_in_no_time() -> None:
    rig = PlainRig(name="a" * 60, tags=("b" * 40,))
    began_s = process_time()
    for word in ("*a" * 12, "*b" * 12):
        assert matches(f"name:{word}*", rig) is ("a" in word)
        assert matches(f"{word}*", rig)
        assert not matches(f"name:{word}*c", rig)
        assert not matches(f"{word}*c", rig)
    assert process_time() - began_s < 1


@given(some.text(alphabet="ab*", min_size=1, max_size=8), some.text(alphabet="ab", min_size=1, max_size=12))
def test_stars_mean_what_they_mean_in_a_shell(value: str, name: str) -> None:
    assert matches(f"name:*{value}", PlainRig(name=name)) is fnmatchcase(name, f"*{value}")
