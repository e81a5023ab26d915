"""Selections: the line, its errors, and which rigs match."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network
from typing import NamedTuple

import msgspec
import pytest
from commander.live.operational_index import Health, OperationalIndex, RigState
from commander.live.playbooks import PlaybookNow
from commander.readings.decode import READERS
from commander.registry.kinds import RigKind
from commander.selections.compiled import compiled
from commander.selections.domain import BadSelection, Key, Operator, Term
from commander.selections.live import KEPT_FOR_S, LiveSelections
from commander.selections.parser import COMPARED, KEYS, parse
from hypothesis import given, settings
from hypothesis import strategies as some
from protocol.playbook_messages import Archive, Platform, Playbook, SoftwarePackage

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


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
    values = {"kind": "asic", "health": "online", "ip": "10.0.0.0/8", "uptime": "3d"}
    line = f"{key}{'>' if key in COMPARED else ':'}{values.get(key, '3')}"
    assert compiled(parse(line), RigKind.CPU_GPU) is not None


class Card(NamedTuple):
    name: str
    driver: str | None
    memory_temperature_c: float | None


class PlainRig(NamedTuple):
    """A rig as a test describes it."""

    kind: RigKind = RigKind.CPU_GPU
    name: str = "rig-01"
    tags: tuple[str, ...] = ()
    health: Health = Health.ONLINE
    coin: str | None = None
    algorithm: str = "rx/0"
    hashrate_hs: float | None = None
    software: str = "xmrig"
    playbook: str | None = None
    cards: tuple[Card, ...] = ()
    model: str | None = None
    firmware: str | None = None
    mac: str | None = None
    ip: str | None = None
    pool: str | None = None
    worker: str | None = None
    sentry: str | None = None
    temperature_c: float | None = None
    power_w: float | None = None
    fan_percent: float | None = None
    fan_rpm: float | None = None
    rejected: int | None = None
    uptime_s: int | None = None
    two_sentries: bool = False


def state_of(rig: PlainRig, rig_id: int = 1, index: OperationalIndex | None = None) -> RigState:
    """The rig in an operational index, after its specs and a log have come."""
    index = index or OperationalIndex(stale_after_s=45, offline_after_s=60)
    state = index.add(rig_id, rig.name)
    is_asic = rig.kind is RigKind.ASIC
    index.set_specs(rig_id, msgspec.json.encode(_asic_specs(rig) if is_asic else _specs(rig)))
    body = msgspec.json.encode(_asic_log(rig) if is_asic else _log(rig))
    reading = READERS[rig.kind](body)
    index.report(rig_id, body, reading.figures, taken_at=NOON, reported_at=NOON, now_s=1.0)
    state.health, state.two_sentries = rig.health, rig.two_sentries
    index.set_tags(rig_id, rig.tags)
    index.set_playbooks(rig_id, [] if rig.playbook is None else [PlaybookNow(1, _playbook(rig.playbook))])
    return state


def _playbook(name: str) -> Playbook:
    package = SoftwarePackage(
        software="xmrig", version="6.22.2", url="https://example.com/x", archive=Archive.TAR_GZ, executable="xmrig"
    )
    return Playbook(id="1", name=name, revision=1, package=package, platform=Platform.LINUX, script="x")


def _specs(rig: PlainRig) -> dict[str, object]:
    cards = [{"pci_address": f"0000:{n:02}:00.0", "name": card.name, "driver_version": card.driver}
             for n, card in enumerate(rig.cards)]  # fmt: skip
    board = {"name": rig.model, "bios_version": rig.firmware}
    return {"gpus": cards, "motherboard": board, "sentry_version": rig.sentry}


def _asic_specs(rig: PlainRig) -> dict[str, object]:
    return {"model": rig.model, "firmware_version": rig.firmware, "mac": rig.mac}


def _log(rig: PlainRig) -> dict[str, object]:
    gpus = [{"pci_address": f"0000:{n:02}:00.0", "memory_temperature_c": card.memory_temperature_c}
            for n, card in enumerate(rig.cards)]  # fmt: skip
    gpu = {"pci_address": "0000:ff:00.0", "fan_percent": rig.fan_percent, "fan_rpm": rig.fan_rpm}
    work = {"algorithm": rig.algorithm, "coin": rig.coin, "hashrate_hs": rig.hashrate_hs, "pool": rig.pool}
    shares = {"accepted": None if rig.rejected is None else 100 - rig.rejected, "rejected": rig.rejected}
    return {
        "taken_at": NOON.isoformat(),
        "lan_ip": rig.ip,
        "uptime_s": rig.uptime_s,
        "cpu": {"temperature_c": rig.temperature_c, "power_w": rig.power_w},
        "gpus": [*gpus, gpu],
        "miners": [{"software": rig.software, "state": "mining", "algorithms": [work | shares | {"user": rig.worker}]}],
    }


def _asic_log(rig: PlainRig) -> dict[str, object]:
    pool = {"url": rig.pool, "user": rig.worker}
    return {
        "taken_at": NOON.isoformat(),
        "lan_ip": rig.ip,
        "uptime_s": rig.uptime_s,
        "algorithm": rig.algorithm,
        "coin": rig.coin,
        "hashrate_hs": rig.hashrate_hs,
        "temperature_c": rig.temperature_c,
        "power_w": rig.power_w,
        "fans_rpm": [rig.fan_rpm],
        "pools": [pool],
        "rejected_percent": rig.rejected,
    }


GAMER = PlainRig(
    name="rig-07",
    tags=("hall:2", "rack:B"),
    coin="KAS",
    algorithm="heavyhash",
    hashrate_hs=1.2e9,
    software="lolminer",
    playbook="Kaspa on lolMiner",
    cards=(Card("GeForce RTX 3080", "535.104", 96.0), Card("GeForce RTX 3090", "535.104", None)),
    model="ROG STRIX Z390",
    ip="192.168.1.20",
    pool="pool.example:3333",
    worker="kaspa:qq07",
    sentry="0.2.1",
    temperature_c=81.0,
    power_w=1_250.0,
    fan_percent=70.0,
    fan_rpm=2_100.0,
    rejected=3,
    uptime_s=86_400,
    two_sentries=True,
)
ANTMINER = PlainRig(
    kind=RigKind.ASIC,
    name="Halle 2 #14",
    coin="Bitcoin",
    algorithm="SHA-256",
    hashrate_hs=0.0,
    model="Antminer S19 Pro",
    firmware="2022-07-05",
    mac="02:00:5E:10:00:01",
    ip="10.20.0.22",
    fan_rpm=5_900.0,
)


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


# A plain evaluation, against which the predicates are compared: no compiling, no caches, other functions.

WORDS = (
    "rig",
    "rig-1",
    "rig-10",
    "Hall 2",
    "hall:2",
    "kaspa",
    "KAS",
    "Monero",
    "xmr",
    "3080",
    "RTX 3080",
    "S19",
    "535",
)
ADDRESSES = ("10.0.0.1", "10.0.0.17", "192.168.1.20")
numbers = some.sampled_from([None, 0.0, 1.0, 50.0, 99.5, 100.0])
plain_rigs = some.builds(
    PlainRig,
    kind=some.sampled_from(RigKind),
    name=some.sampled_from(WORDS),
    tags=some.lists(some.sampled_from(WORDS), max_size=3, unique=True).map(tuple),
    health=some.sampled_from(Health),
    coin=some.sampled_from([None, "Kaspa", "Monero", "Unheard-of"]),
    algorithm=some.sampled_from(["rx/0", "kHeavyHash"]),
    hashrate_hs=numbers,
    software=some.sampled_from(["xmrig", "lolminer"]),
    playbook=some.sampled_from([None, *WORDS]),
    cards=some.lists(
        some.builds(Card, some.sampled_from(WORDS), some.sampled_from([None, "535.104", "5350"]), numbers), max_size=2
    ).map(tuple),
    model=some.sampled_from([None, *WORDS]),
    firmware=some.sampled_from([None, *WORDS]),
    mac=some.sampled_from([None, "02:00:5E:10:00:01"]),
    ip=some.sampled_from([None, *ADDRESSES]),
    pool=some.sampled_from([None, *WORDS]),
    worker=some.sampled_from([None, *WORDS]),
    sentry=some.sampled_from([None, "0.2.1", "0.20"]),
    temperature_c=numbers,
    power_w=numbers,
    fan_percent=numbers,
    fan_rpm=numbers,
    rejected=some.sampled_from([None, 0, 1, 50]),
    uptime_s=some.sampled_from([None, 1, 50, 100]),
    two_sentries=some.booleans(),
)
_values = {
    Key.KIND: some.sampled_from(["asic", "CPU-GPU", "*"]),
    Key.HEALTH: some.sampled_from(["online", "Offline", "waiting", "st*"]),
    Key.IP: some.sampled_from([*ADDRESSES, "10.0.0.0/28", "192.0.0.0/8", "10.0.0.*", "10.0", "10.0.0.1/24"]),
    Key.SENTRY: some.sampled_from(["0.2", "0.2.1", "0.20", "0*"]),
    Key.DRIVER: some.sampled_from(["535", "535.104", "53", "*"]),
    Key.SOFTWARE: some.sampled_from(["xmrig", "XMRig", "xm", "lol*"]),
    Key.COIN: some.sampled_from(["kaspa", "KAS", "xmr", "unheard-of", "*a"]),
    Key.ALGORITHM: some.sampled_from(["randomx", "rx/0", "heavyhash", "rx*"]),
    Key.INCIDENT: some.sampled_from(
        ["two", "two_sentries", "no_hashrate", "clock", "*", "not mining", "temperature", "50 %*"]
    ),
}
_words = some.sampled_from([*WORDS, "RIG", "hall", "r*1", "*", "02:00:5e:10:00:01", "10.0.0.1"])


@some.composite
def plain_terms(draw: some.DrawFn) -> Term:
    key, negated = draw(some.sampled_from(Key)), draw(some.booleans())
    if key in COMPARED:
        operator = draw(some.sampled_from([each for each in Operator if each is not Operator.IS]))
        number = draw(some.sampled_from([0, 1, 50, 100]))
        unit = {Key.UPTIME: "s", Key.FAN: draw(some.sampled_from(["%", "rpm", ""])), Key.HASHRATE: "h/s"}.get(key, "")
        return Term(key, operator, (f"{number}{unit}",), negated)
    values = draw(some.lists(_values.get(key, _words), min_size=1, max_size=3))
    return Term(key, Operator.IS, tuple(values), negated)


def line_of(wanted: list[Term]) -> str:
    words = []
    for term in wanted:
        values = ",".join(f'"{value}"' for value in term.values)
        head = f"{term.key}{term.operator}" if term.key else ""
        words.append(f"{'-' if term.negated else ''}{head}{values}")
    return "  ".join(words)


def plainly(term: Term, rig: PlainRig) -> bool:
    """Whether the term is true of the rig."""
    if term.key in COMPARED:
        return _plainly_compared(term, rig) is not term.negated
    return any(_plainly_is(term.key, value.lower(), rig) for value in term.values) is not term.negated


def _plainly_compared(term: Term, rig: PlainRig) -> bool:
    known, is_asic = [card.memory_temperature_c for card in rig.cards], rig.kind is RigKind.ASIC
    memory = max((value for value in known if value is not None), default=None)
    fan = rig.fan_rpm if term.values[0].endswith("rpm") else None if is_asic else rig.fan_percent
    figure = {
        "hashrate": rig.hashrate_hs,
        "temperature": rig.temperature_c,
        "memory_temperature": None if is_asic else memory,
        "power": rig.power_w,
        "fan": fan,
        "rejected": rig.rejected,
        "uptime": rig.uptime_s,
    }[term.key]
    number = float(term.values[0].rstrip("hrpms/%"))
    return figure is not None and bool(eval(f"{figure} {term.operator} {number}"))  # noqa: S307 - two numbers


def _plainly_is(key: Key, value: str, rig: PlainRig) -> bool:
    texts = [text.lower() for text in _plain_texts(key, rig) if text]
    if "*" in value:
        return any(fnmatchcase(text, value) for text in texts)
    if key is Key.IP:
        return any(_plainly_in(text, value) for text in texts)
    if key in (Key.SENTRY, Key.DRIVER):
        return any(text.split(".")[: value.count(".") + 1] == value.split(".") for text in texts)
    if key in (Key.COIN, Key.ALGORITHM):
        value = {"kas": "kaspa", "xmr": "monero", "randomx": "rx/0", "heavyhash": "kheavyhash"}.get(value, value)
    whole = key in (Key.COIN, Key.ALGORITHM, Key.TAG, Key.SOFTWARE, Key.KIND, Key.HEALTH)
    return any(value == text if whole else value in text for text in texts)


def _plainly_in(text: str, value: str) -> bool:
    try:
        return ip_address(text) in ip_network(value, strict=False)
    except ValueError:
        return text.startswith(value + ".")


def _plain_incidents(rig: PlainRig) -> list[str]:
    """The rules that the rig breaks, and how pages say so."""
    incidents = ["two_sentries"] if rig.two_sentries else []
    if rig.hashrate_hs == 0:
        incidents += ["no_hashrate", "not mining"]
    if rig.kind is RigKind.CPU_GPU and rig.temperature_c is not None and rig.temperature_c >= 95:
        incidents += ["temperature", f"too hot: cpu {rig.temperature_c:.0f} °c"]
    if rig.kind is RigKind.CPU_GPU and rig.rejected == 50:
        incidents += ["rejected", "50 % rejected"]
    return incidents


def _plain_texts(key: Key, rig: PlainRig) -> list[str | None]:
    is_asic = rig.kind is RigKind.ASIC
    cards = () if is_asic else rig.cards
    gpus = [card.name for card in cards]
    mac = rig.mac if is_asic else None
    by_key: dict[Key, list[str | None]] = {
        Key.ANYTHING: [rig.name, *rig.tags, *gpus, rig.model, mac, rig.coin, rig.ip, rig.pool, rig.worker],
        Key.NAME: [rig.name],
        Key.TAG: [*rig.tags],
        Key.KIND: [rig.kind],
        Key.HEALTH: [rig.health],
        Key.COIN: [rig.coin],
        Key.ALGORITHM: [rig.algorithm],
        Key.SOFTWARE: [None if is_asic else rig.software],
        Key.PLAYBOOK: [rig.playbook],
        Key.GPU: [*gpus],
        Key.MODEL: [rig.model],
        Key.FIRMWARE: [rig.firmware],
        Key.IP: [rig.ip],
        Key.SENTRY: [None if is_asic else rig.sentry],
        Key.DRIVER: [card.driver for card in cards],
        Key.INCIDENT: [*_plain_incidents(rig)],
    }
    return by_key[key]


@settings(max_examples=500, deadline=None)
@given(some.lists(plain_rigs, min_size=1, max_size=4), some.lists(plain_terms(), max_size=4))
def test_a_selection_matches_the_rigs_of_which_each_term_is_true(rigs: list[PlainRig], wanted: list[Term]) -> None:
    selection = parse(line_of(wanted))
    assert [term._replace(at=1) for term in selection.terms] == wanted
    for rig in rigs:
        assert compiled(selection, rig.kind)(state_of(rig)) is all(plainly(term, rig) for term in wanted), (rig, wanted)


class Farm:
    """Rigs in an index with live selections over them, which follow each change."""

    def __init__(self) -> None:
        self.index = OperationalIndex(stale_after_s=45, offline_after_s=60)
        self.live = LiveSelections(RigKind.CPU_GPU, self.index)
        self.at_s = 1.0

    def report(self, rig_id: int, rig: PlainRig) -> None:
        self.at_s += 1
        at, body = NOON + timedelta(seconds=self.at_s), msgspec.json.encode(_log(rig))
        summary = READERS[rig.kind](body).figures
        self.index.report(rig_id, body, summary, taken_at=at, reported_at=at, now_s=self.at_s)

    def ids(self, line: str) -> set[int]:
        return set(self.live.of(parse(line)).ids)


def test_a_live_selection_follows_each_rig_and_says_when_it_changed() -> None:
    farm = Farm()
    state_of(GAMER, 1, farm.index)
    hot = farm.live.of(parse("temperature>80"))
    numbers = [hot.changed_at]
    state_of(GAMER._replace(temperature_c=60.0), 2, farm.index)
    assert (hot.ids, hot.changed_at) == ({1}, numbers[-1])
    farm.report(2, GAMER)
    numbers.append(hot.changed_at)
    assert hot.ids == {1, 2}
    farm.report(2, GAMER._replace(temperature_c=82.0))
    assert hot.changed_at == numbers[-1]
    farm.index.remove(1)
    numbers.append(hot.changed_at)
    farm.index.remove(1)
    assert (hot.ids, hot.changed_at) == ({2}, numbers[-1])
    assert len(set(numbers)) == 3


def test_a_report_with_other_numbers_alone_evaluates_comparisons_alone() -> None:
    farm = Farm()
    state_of(GAMER, 1, farm.index)
    mined, hot = farm.live.of(parse("coin:kaspa")), farm.live.of(parse("temperature>80"))
    evaluated = list[str]()

    def noting(name: str) -> Callable[[RigState], bool]:
        def matches(state: RigState) -> bool:
            evaluated.append(name)
            return True

        return matches

    mined.matches, hot.matches = noting("mined"), noting("hot")
    farm.report(1, GAMER._replace(temperature_c=60.0, power_w=1.0))
    assert evaluated == ["hot"]
    for other in (GAMER._replace(pool="other.example:1"), GAMER._replace(coin="Monero"), GAMER._replace(ip="10.0.0.7")):
        evaluated.clear()
        farm.report(1, other)
        assert sorted(evaluated) == ["hot", "mined"]


def test_a_live_selection_is_forgotten_when_nobody_asks_for_it() -> None:
    farm = Farm()
    state_of(GAMER, 1, farm.index)
    used, unused = farm.live.of(parse("health:online")), farm.live.of(parse("rig"))
    farm.index.check_health(KEPT_FOR_S)
    farm.live.of(parse("health:online"))
    farm.index.check_health(KEPT_FOR_S + 1)
    farm.index.rename(1, "other")
    farm.index.check_health(2 * KEPT_FOR_S)
    assert (used.ids, unused.ids) == (set(), {1})
    assert farm.ids("rig") == set()


@settings(max_examples=60, deadline=None)
@given(some.lists(some.tuples(some.integers(1, 5), plain_rigs), max_size=25), some.lists(plain_terms(), max_size=3))
def test_a_live_selection_holds_what_an_evaluation_of_all_rigs_finds(
    changes: list[tuple[int, PlainRig]], wanted: list[Term]
) -> None:
    farm, rigs = Farm(), dict[int, PlainRig]()
    selection = parse(line_of(wanted))
    live = farm.live.of(selection)
    for rig_id, rig in changes:
        rigs[rig_id] = rig = rig._replace(kind=RigKind.CPU_GPU)
        state_of(rig, rig_id, farm.index)
        assert live.ids == {each for each, rig in rigs.items() if all(plainly(term, rig) for term in wanted)}
