"""What people do with addresses: each is one transaction, and then the rigs that it concerns are told."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from commander.addresses import store
from commander.addresses.checks import checked_address, checked_coin, checked_name
from commander.addresses.domain import Address, AddressKind, BadAddress
from commander.db import Database
from commander.playbooks import store as playbooks
from commander.playbooks.changes import Changed, rerender
from commander.playbooks.delivery import Delivery
from commander.playbooks.domain import BadPlaybook, InUse, NotConfirmed, StoredPlaybook, Use


class KnownAddress(NamedTuple):
    address: Address
    used_by: list[Use]


class AddressBook:
    def __init__(
        self, database: Database, delivery: Delivery, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._database = database
        self._delivery = delivery
        self._now = now

    async def all(self) -> list[KnownAddress]:
        async with self._database.reading() as db:
            found, every = await store.all_addresses(db), await playbooks.all_playbooks(db)
            uses = {use.playbook_id: use for use in await playbooks.uses(db, every)}
        return [KnownAddress(each, [uses[one.id] for one in every if _names(one, each.id)]) for each in found]

    async def find(self, address_id: int) -> KnownAddress:
        """Raises `AddressNotFound`."""
        async with self._database.reading() as db:
            found = await store.get_address(db, address_id)
            return KnownAddress(found, await playbooks.uses(db, await playbooks.using_address(db, address_id)))

    async def add(self, kind: AddressKind, name: str, coin: str | None, address: str) -> Address:
        """Raises `BadAddress` or `AddressNameTaken`."""
        given = _checked(0, kind, name, coin, address)
        async with self._database.transaction() as db:
            return await store.insert_address(db, kind, given.name, given.coin, given.address, now=self._now())

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
    ) -> KnownAddress:
        """Playbooks that use it are rendered anew.

        Raises `NotConfirmed` if miners would restart and nobody has said that this is meant; `BadAddress`,
        `AddressNameTaken` or `AddressNotFound`.
        """
        given = _checked(address_id, kind, name, coin, address)
        async with self._database.transaction() as db:
            was = await store.get_address(db, address_id)
            using = await playbooks.using_address(db, address_id)
            if using and was.kind is not kind:
                raise InUse(f"The {was.kind} {was.name}", await playbooks.uses(db, using))
            await store.update_address(db, given, now=self._now())
            try:
                what = f"The {kind} {given.name} was edited"
                changed = await rerender(db, using, author=author, what=what, now=self._now())
            except BadPlaybook as error:
                raise BadAddress("address", str(error)) from error
            _must_be_meant(changed, confirmed)
            uses = await playbooks.uses(db, using)
        await self._delivery.changed(changed.rig_ids)
        return KnownAddress(given, uses)

    async def remove(self, address_id: int) -> Address:
        """Raises `InUse` or `AddressNotFound`."""
        async with self._database.transaction() as db:
            found = await store.get_address(db, address_id)
            if using := await playbooks.using_address(db, address_id):
                raise InUse(f"The {found.kind} {found.name}", await playbooks.uses(db, using))
            await store.delete_address(db, address_id)
        return found


def _checked(address_id: int, kind: AddressKind, name: str, coin: str | None, address: str) -> Address:
    coin = checked_coin(coin)
    return Address(address_id, kind, checked_name(name), coin, checked_address(kind, coin, address))


def _names(playbook: StoredPlaybook, address_id: int) -> bool:
    return any(address_id in (work.pool_id, work.wallet_id) for work in playbook.recipe.works)


def _must_be_meant(changed: Changed, confirmed: bool) -> None:
    """Raised within the transaction: nothing of the change stays."""
    if changed.restarting and not confirmed:
        raise NotConfirmed(changed.restarting)
