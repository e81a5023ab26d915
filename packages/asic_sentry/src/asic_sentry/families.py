"""Names of firmware and makes as devices give them, also of those that no dialect reads.

A device that no dialect recognises is still called what it says it is: "This is a KAONSU (Marathon)."
"""

from typing import NamedTuple


class Family(NamedTuple):
    """`words` are in its answers, in lower case. `dialects` read it; without one it is not read yet."""

    program: str
    make: str
    words: tuple[str, ...]
    dialects: frozenset[str] = frozenset()


# The first one counts whose word is in the answer.
FAMILIES = (
    Family("GCMiner", "Auradine", ("gcminer", "fluxos"), frozenset({"auradine"})),
    Family("BOSer", "Braiins OS", ("boser", "bosminer"), frozenset({"braiins"})),
    Family("LUXminer", "LuxOS", ("luxminer",), frozenset({"luxos"})),
    Family("bdminer", "SealMiner", ("bdminer", "sealminer"), frozenset({"sealminer"})),
    Family("INNOMINER", "Innosilicon", ("innominer", "innosilicon"), frozenset({"innosilicon"})),
    Family("KAONSU", "Marathon", ("kaonsu",)),
    Family("INTCHAINS", "Goldshell", ("intchains", "goldshell"), frozenset({"goldshell"})),
    Family("PowerPlay", "ePIC", ("powerplay",), frozenset({"epic"})),
    Family("VolcMiner", "VolcMiner", ("volcminer",), frozenset({"volcminer"})),
    Family("Hammer", "Hammer", ("hammer", "blackminer"), frozenset({"hammer"})),
    Family("btminer", "Whatsminer", ("whatsminer", "btminer"), frozenset({"whatsminer_v1", "whatsminer_v2"})),
    Family("Avalon", "Canaan", ("avalon",), frozenset({"avalon", "avalon_stats"})),
    Family("DG firmware", "Elphapex", ("daoge", "elphapex"), frozenset({"elphapex"})),
    Family("Antminer firmware", "Bitmain", ("antminer", "bmminer"), frozenset({"antminer"})),
    Family("Apollo", "FutureBit", ("futurebit", "apollo-miner")),
    Family("JASMINER", "Jasminer", ("jasminer",)),
    Family("ipollo", "iPollo", ("ipollo", "nanolabs")),
    Family("bfgminer", "an unknown make", ("bfgminer",), frozenset({"goldshell"})),
    Family("cgminer", "an unknown make", ("cgminer", "ccminer", "sgminer")),
)


def family_in(answer: str) -> Family | None:
    """Returns the family whose name an answer contains."""
    text = answer.lower()
    return next((family for family in FAMILIES if any(word in text for word in family.words)), None)


def sentence(family: Family, reason: str | None) -> str:
    """Returns the sentence about a device that is not read. `reason` is that of its own dialect, if there is one."""
    named = f"This is {_article(family.program)} {family.program} ({family.make})."
    return f"{named} {reason or 'The sentry can not read it yet.'}"


def _article(word: str) -> str:
    return "an" if word[0].lower() in "aeiou" else "a"
