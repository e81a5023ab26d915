"""A plain evaluation of selections, against which predicates are compared: no compiling, no caches, other functions."""

from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network

from commander.live.rig_state import Health
from commander.registry.kinds import RigKind
from commander.selections.domain import Key, Operator, Term
from commander.selections.parser import COMPARED
from hypothesis import strategies as some
from selection_rigs import Card, PlainRig

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
    approved=some.booleans(),
)
_values = {
    Key.KIND: some.sampled_from(["asic", "CPU-GPU", "*"]),
    Key.HEALTH: some.sampled_from(["online", "Offline", "waiting", "st*"]),
    Key.APPROVED: some.sampled_from(["yes", "No", "n*"]),
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
    """Returns whether the term matches the rig."""
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
    whole = key in (Key.COIN, Key.ALGORITHM, Key.TAG, Key.SOFTWARE, Key.KIND, Key.HEALTH, Key.APPROVED)
    return any(value == text if whole else value in text for text in texts)


def _plainly_in(text: str, value: str) -> bool:
    try:
        return ip_address(text) in ip_network(value, strict=False)
    except ValueError:
        return text.startswith(value + ".")


def _plain_incidents(rig: PlainRig) -> list[str]:
    """Returns the rules that the rig breaks, and the words for them on pages."""
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
        Key.APPROVED: ["yes" if rig.approved else "no"],
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
