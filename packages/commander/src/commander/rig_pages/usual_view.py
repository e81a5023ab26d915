"""The usual values of a rig on its page: what the alert rules compare its hashrate and power with."""

from datetime import datetime
from typing import NamedTuple

from protocol import units

from commander.alert_rules.view import Usual


class UsualView(NamedTuple):
    """Texts such as "17.00 kH/s rx/0" and "412 W"; before enough is known, `learning_until` says until when."""

    values: str
    learning_until: datetime | None


def usual_view(usual: Usual) -> UsualView | None:
    """Returns None for a rig of which nothing is known yet."""
    texts = [f"{units.hashrate_text(hashrate_hs)} {name}" for name, hashrate_hs in usual.hashrates_hs.items()]
    if usual.power_w is not None:
        texts.append(units.power_text(usual.power_w))
    for count, word in ((len(usual.boards or ()), "board"), (usual.fans or 0, "fan")):
        if count:
            texts.append(f"{count} {word}{'' if count == 1 else 's'}")
    if not texts and usual.learning_until is None:
        return None
    return UsualView(", ".join(texts), usual.learning_until)
