"""What an address is, and what can be wrong with one."""

from dataclasses import dataclass
from enum import StrEnum

NAME_MAX_LENGTH = 64
ADDRESS_MAX_LENGTH = 200


class AddressKind(StrEnum):
    """What an address leads to."""

    POOL = "pool"
    WALLET = "wallet"


class AddressError(Exception):
    """Root of what can be wrong with a request about an address; its text is for people."""


class BadAddress(AddressError):
    """A field can't be taken; `field` says which."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


class AddressNameTaken(AddressError):
    """Another address of this type has this name."""


class AddressNotFound(AddressError):
    """No such address, or no longer."""


@dataclass(frozen=True, slots=True)
class Address:
    """`coin` is None for a pool of several coins."""

    id: int
    kind: AddressKind
    name: str
    coin: str | None
    address: str
