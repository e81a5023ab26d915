"""The sentry's inbox: what the commander has for a rig, one item of each kind, brought by one held request.

    GET /api/v1/sentry/inbox?playbooks=5d41&commands=b1946
    Prefer: wait=50

Each parameter is a kind and the version that the sentry has. The answer has the items whose version differs. If there
is none, the commander holds the request until there is one, or until the time is over; then `items` is empty. An item
comes at least once: again and again, until the sentry names its version. A sentry names the version of a kind that it
does not know, too, so that the item does not come again.

The header `Minewarden-Signed` has the newest signed item that the sentry has taken (`SignedItem`, as JSON). The
commander then signs with a higher number, also if its clock is wrong.

A message that is the body of an item says so by `INBOX_KIND`.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.item_signature import ItemSignature, SignedItem, digest_of
from protocol.messages import Message, Name


class InboxItem(Message, frozen=True, kw_only=True, gc=False):
    """One item for a rig. `kind` says which message `body` is; it is decoded by itself. `version` names the body.

    `signature` is about the bytes of `body` as they travel. A sentry that knows the commander's key takes no item
    without it.
    """

    kind: Name
    version: Name
    body: msgspec.Raw
    signature: ItemSignature | None = None


class InboxItems(Message, frozen=True, kw_only=True, gc=False):
    """Answer to `GET /api/v1/sentry/inbox`: the items whose version the sentry does not have yet."""

    items: Annotated[list[InboxItem], Meta(max_length=64)]


def signed_part(item: InboxItem) -> SignedItem | None:
    """Returns the item without its body; None if it is not signed."""
    if item.signature is None:
        return None
    return SignedItem(kind=item.kind, sha256=digest_of(bytes(item.body)), signature=item.signature)
