"""ASICs that got another address are known by their MAC. Decisions only."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from asic_sentry.asics.asic import Asic
from asic_sentry.poll import Identity
from asic_sentry.scan import Found


def moves(lost: Iterable[Asic], found: Sequence[Found], taken: Mapping[str, int]) -> dict[int, Identity]:
    """Where each lost ASIC is now, by its number. `taken` are the addresses of all ASICs that are listed.

    An address that another one has is free if that one moves too.
    """
    missing = list(lost)
    times = Counter(asic.mac for asic in missing)
    by_mac: dict[str, list[Identity]] = {}
    for each in found:
        if each.mac is not None:
            by_mac.setdefault(each.mac, []).append(each.identity)
    moved = {
        asic.id: by_mac[asic.mac][0]
        for asic in missing
        if asic.mac is not None
        and times[asic.mac] == 1
        and len(by_mac.get(asic.mac, [])) == 1
        and by_mac[asic.mac][0].ip != asic.ip
    }
    while blocked := [key for key, to in moved.items() if taken.get(to.ip, key) not in moved]:
        for key in blocked:
            del moved[key]
    return moved


def words_of_move(asic: Asic, to: Identity) -> str:
    return f"Found again at {to.ip} by its MAC; it was at {asic.ip}."
