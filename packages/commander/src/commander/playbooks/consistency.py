"""Checks a playbook's fields together: coins that differ, a coin that nothing mines, a duplicate on the rig.

It runs only when a person writes a playbook. A stored playbook stays valid when a pool or a rig's name changes.
"""

from collections.abc import Iterable, Iterator, Mapping

from protocol.playbook_messages import Playbook

from commander.addresses.checks import checked_coin
from commander.addresses.domain import Address
from commander.playbooks.domain import BadPlaybook, PlaybookSpec, StoredPlaybook, WorkSpec, needs_restart
from commander.software.placeholders import names_in

_POOL2 = {"pool2", "pool2_host", "pool2_port", "pool2_hostport", "pool2_url"}


def check_consistency(spec: PlaybookSpec, addresses: Mapping[int, Address]) -> None:
    """Raises `BadPlaybook` if fields contradict each other. The spec must be one that can be rendered."""
    errors: dict[str, str] = {}
    for at, work in enumerate(spec.works):
        errors |= {f"works.{at}.{field}": text for field, text in _coins_that_differ(work, addresses)}
    if len(spec.works) > 1:
        errors |= {f"works.1.{field}": text for field, text in _unnamed(spec.works[1], set(names_in(spec.script)))}
    if errors:
        raise BadPlaybook(errors)


def check_not_duplicate(wire: Playbook, others: Iterable[StoredPlaybook], *, was: Playbook | None = None) -> None:
    """Raises `BadPlaybook` if another playbook has the same software and script: their miners would share one hashrate.

    `was` is the playbook before the change. What it mined before stays allowed.
    """
    if was is not None and not needs_restart(was, wire):
        return
    for other in others:
        if str(other.id) != wire.id and not needs_restart(other.wire, wire):
            raise BadPlaybook(
                {
                    "script": f"The rig has this already: its playbook {other.wire.name} has the same software and "
                    "the same script. Change one of them."
                }
            )


def _coins_that_differ(work: WorkSpec, addresses: Mapping[int, Address]) -> Iterator[tuple[str, str]]:
    chosen = checked_coin(work.coin)
    pool, wallet = (addresses.get(each) if each is not None else None for each in (work.pool_id, work.wallet_id))
    pool_coin, wallet_coin = pool.coin if pool else None, wallet.coin if wallet else None
    if _differ(chosen, pool_coin):
        yield "pool_id", f"This pool is for {pool_coin}, and the coin is {chosen}; choose another pool or coin."
    if _differ(chosen, wallet_coin):
        yield (
            "wallet_id",
            f"This wallet is for {wallet_coin}, and the coin is {chosen}; {_mend(chosen, 'leave the coin empty')}",
        )
    elif _differ(pool_coin, wallet_coin):
        empty = "take the coin out of the pool's template"
        yield (
            "wallet_id",
            f"This wallet is for {wallet_coin}, and the pool is for {pool_coin}; {_mend(pool_coin, empty)}",
        )


def _mend(mined: str | None, empty: str) -> str:
    return f"choose a wallet for {mined}. If the pool pays another coin than it mines, {empty}."


def _differ(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and one.casefold() != other.casefold()


def _unnamed(second: WorkSpec, named: set[str]) -> Iterator[tuple[str, str]]:
    """Yields the fields of the second coin that were chosen but are not used by the script."""
    if not named & {*_POOL2, "wallet2"}:
        yield (
            "algorithm",
            "The script does not use the second coin, so only the first would be mined: add what the software's note "
            "says, with {pool2_hostport} and {wallet2}, or leave the second coin empty.",
        )
        return
    if second.pool_id is not None and not named & _POOL2:
        yield "pool_id", "The script does not use this pool: add {pool2_hostport} or {pool2_url} to it."
    if second.wallet_id is not None and "wallet2" not in named:
        yield "wallet_id", "The script does not use this wallet: add {wallet2} to it."
