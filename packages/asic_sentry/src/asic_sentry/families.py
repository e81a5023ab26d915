"""Names of firmware and makes as devices give them, also of those that no dialect reads.

A failure of such a device names it: "This is a KAONSU (Marathon)."
"""

from typing import NamedTuple


class Family(NamedTuple):
    """A program of devices and its make. `words` stand in its answers, in lower case; `dialects` read it, if any do."""

    program: str
    make: str
    words: tuple[str, ...]
    dialects: frozenset[str] = frozenset()


NOT_READ = "The sentry can't read it yet."
# The first family with a word that is in the answer counts.
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
    return f"{named} {reason or NOT_READ}"


def _article(word: str) -> str:
    return "an" if word[0].lower() in "aeiou" else "a"
