"""Addresses, and the errors about them."""

from dataclasses import dataclass
from enum import StrEnum

from commander.problems import CommanderError, ErrorKind

NAME_MAX_LENGTH = 64
ADDRESS_MAX_LENGTH = 200


class AddressKind(StrEnum):
    """The purpose of an address."""

    POOL = "pool"
    WALLET = "wallet"


class AddressError(CommanderError):
    """Root of what can be wrong with a request about an address; its text is for people."""


class BadAddress(AddressError):
    """A field can't be taken; `field` says which."""

    kind = ErrorKind(422, "bad_address", "Not an address")

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


class AddressNameTaken(AddressError):
    """Another address of this type has this name."""

    kind = ErrorKind(409, "name_taken", "Name taken", field="name")


class AddressNotFound(AddressError):
    """No such address, or no longer."""

    kind = ErrorKind(404, "address_not_found", "No such address")


@dataclass(frozen=True, slots=True)
class Address:
    """`coin` is None for a pool of several coins."""

    id: int
    kind: AddressKind
    name: str
    coin: str | None
    address: str
