"""Queries about addresses. None commits."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.addresses.domain import Address, AddressKind, AddressNameTaken, AddressNotFound
from commander.addresses.tables import addresses
from commander.registry.names import name_key

_ADDRESS = (addresses.c.id, addresses.c.kind, addresses.c.name, addresses.c.coin, addresses.c.address)


async def all_addresses(db: AsyncConnection) -> list[Address]:
    rows = await db.execute(sa.select(*_ADDRESS).order_by(addresses.c.kind, addresses.c.name_key))
    return [_address(*row) for row in rows]


async def get_address(db: AsyncConnection, address_id: int) -> Address:
    row = (await db.execute(sa.select(*_ADDRESS).where(addresses.c.id == address_id))).one_or_none()
    if row is None:
        raise AddressNotFound("There is no such address; it may have been removed.")
    return _address(*row)


async def insert_address(
    db: AsyncConnection, kind: AddressKind, name: str, coin: str | None, address: str, *, now: datetime
) -> Address:
    values = {"kind": kind.value, "name": name, "name_key": name_key(name), "coin": coin, "address": address}
    query = sa.insert(addresses).values(**values, created_at=now, changed_at=now).returning(addresses.c.id)
    try:
        return Address((await db.execute(query)).scalar_one(), kind, name, coin, address)
    except IntegrityError as error:
        raise _name_taken(kind, name) from error


async def update_address(db: AsyncConnection, changed: Address, *, now: datetime) -> None:
    values = {
        "kind": changed.kind.value,
        "name": changed.name,
        "name_key": name_key(changed.name),
        "coin": changed.coin,
        "address": changed.address,
        "changed_at": now,
    }
    try:
        await db.execute(sa.update(addresses).where(addresses.c.id == changed.id).values(values))
    except IntegrityError as error:
        raise _name_taken(changed.kind, changed.name) from error


async def delete_address(db: AsyncConnection, address_id: int) -> None:
    await db.execute(sa.delete(addresses).where(addresses.c.id == address_id))


def _address(address_id: int, kind: str, name: str, coin: str | None, address: str) -> Address:
    return Address(address_id, AddressKind(kind), name, coin, address)


def _name_taken(kind: AddressKind, name: str) -> AddressNameTaken:
    return AddressNameTaken(f"Another {kind} is called {name}; choose another name.")
