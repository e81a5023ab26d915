"""Actions on addresses. Each is one transaction; then the sentries concerned are notified."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from commander.addresses import store
from commander.addresses.checks import checked_address, checked_coin, checked_name
from commander.addresses.domain import Address, AddressKind
from commander.audit.store import record
from commander.db import Database
from commander.dependents import Dependents, InUse, Use, must_be_meant


class AddressWithUses(NamedTuple):
    address: Address
    used_by: list[Use]


class AddressActions:
    def __init__(
        self, database: Database, playbooks: Dependents, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._database = database
        self._playbooks = playbooks
        self._now = now

    async def all(self) -> list[AddressWithUses]:
        async with self._database.reading() as db:
            addresses, uses = await store.all_addresses(db), await self._playbooks.all(db)
        return [AddressWithUses(each, uses.get(each.id, [])) for each in addresses]

    async def find(self, address_id: int) -> AddressWithUses:
        """Raises `AddressNotFound`."""
        async with self._database.reading() as db:
            address = await store.get_address(db, address_id)
            return AddressWithUses(address, await self._playbooks.of(db, address_id))

    async def add(self, kind: AddressKind, name: str, coin: str | None, address: str) -> Address:
        """Raises `BadAddress` or `AddressNameTaken`."""
        checked = _checked(0, kind, name, coin, address)
        async with self._database.transaction() as db:
            added = await store.insert_address(db, kind, checked.name, checked.coin, checked.address, now=self._now())
            await record(db, f"{kind} added", added.name, added.address, at=self._now())
        return added

    async def change(
        self,
        address_id: int,
        kind: AddressKind,
        name: str,
        coin: str | None,
        address: str,
        *,
        author: str,
        confirmed: bool,
    ) -> AddressWithUses:
        """Stores the change, and renders the playbooks that use the address.

        Raises `NotConfirmed` if miners would restart and the form does not confirm it; `BadAddress`,
        `AddressNameTaken` or `AddressNotFound`.
        """
        checked = _checked(address_id, kind, name, coin, address)
        async with self._database.transaction() as db:
            was = await store.get_address(db, address_id)
            uses = await self._playbooks.of(db, address_id)
            if uses and was.kind is not kind:
                raise InUse(f"The {was.kind} {was.name}", uses)
            await store.update_address(db, checked, now=self._now())
            if checked != was:
                await record(db, f"{kind} changed", checked.name, _difference(was, checked), at=self._now())
            what = f"The {kind} {checked.name} was edited"
            changed = await self._playbooks.rerender(db, address_id, author=author, what=what)
            must_be_meant(changed, confirmed=confirmed)
        await self._playbooks.notify(changed)
        return AddressWithUses(checked, uses)

    async def remove(self, address_id: int) -> Address:
        """Raises `InUse` or `AddressNotFound`."""
        async with self._database.transaction() as db:
            address = await store.get_address(db, address_id)
            if uses := await self._playbooks.of(db, address_id):
                raise InUse(f"The {address.kind} {address.name}", uses)
            await store.delete_address(db, address_id)
            await record(db, f"{address.kind} removed", address.name, address.address, at=self._now())
        return address


def _checked(address_id: int, kind: AddressKind, name: str, coin: str | None, address: str) -> Address:
    coin = checked_coin(coin)
    return Address(address_id, kind, checked_name(name), coin, checked_address(kind, coin, address))


def _difference(before: Address, after: Address) -> str:
    """Returns what was changed, for people: "address: a.example:1 → b.example:1"."""
    fields = (
        ("name", before.name, after.name),
        ("coin", before.coin, after.coin),
        ("address", before.address, after.address),
    )
    return "; ".join(f"{name}: {old or 'none'} → {new or 'none'}" for name, old, new in fields if old != new)
