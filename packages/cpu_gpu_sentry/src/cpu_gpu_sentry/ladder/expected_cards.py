"""The cards that a rig should have: those seen on the bus earlier in this boot. Pure.

A boot that the ladder has ordered keeps the list, since a card that stays away then is the reason for it. Any other
boot begins a new one: a person may have taken a card out or put it elsewhere, and then all addresses may have changed.
"""

import msgspec


class ExpectedCards(msgspec.Struct, frozen=True):
    boot_id: str | None = None
    addresses: frozenset[str] = frozenset()

    def seen(self, present: frozenset[str], boot_id: str | None, *, keeps_list: bool) -> "ExpectedCards":
        """Returns the list after a look at the bus; `keeps_list`: the ladder has ordered this boot."""
        is_known = boot_id == self.boot_id or keeps_list
        return ExpectedCards(boot_id, self.addresses | present if is_known else present)
