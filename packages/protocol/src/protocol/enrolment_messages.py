"""The messages with which a CPU/GPU sentry enrolls by itself, and by which a copy of its data folder is noticed."""

from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.messages import Message, RigName, Text

KEY_HEADER = "Sentry-Key"  # has the key of a rig's sentry, beside its token
Key = Annotated[str, Meta(pattern="^[0-9a-f]{32}$", description="128 random bits, in hex")]
Mac = Annotated[str, Meta(pattern="^[0-9a-f]{2}(:[0-9a-f]{2}){5}$", description="a MAC address, in lower case")]
Fingerprint = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", description="a SHA-256, in hex")]


class Identity(Message, frozen=True, kw_only=True, gc=False):
    """The data folder of a sentry, and the machine that it is on now.

    `key` is made at the first start of a sentry. `machine_id` and `board_serial` are hashes: serial numbers stay on the
    rig. `macs` are those of its network cards. A sentry that was answered 409 `clone` makes another key; it sends the
    key before that as `former_key`.
    """

    key: Key
    former_key: Key | None = None
    machine_id: Fingerprint | None = None
    board_serial: Fingerprint | None = None
    macs: Annotated[list[Mac], Meta(max_length=64)] = msgspec.field(default_factory=list)
    hostname: Text | None = None


class Enrolled(Message, frozen=True, kw_only=True, gc=False):
    """Answer to a sentry that enrolls: its rig, and the token of that rig. Not `approved`: it gets no playbooks yet."""

    rig: RigName
    token: Text
    approved: bool
