"""The question of a restore: whether keys and tokens that are valid again are to be revoked."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from protocol.units import count_text

from commander.backup.keys import StoredKey

_NAMES_SHOWN = 20


def revokes_by(answer: bool | None) -> Callable[[Sequence[StoredKey]], bool]:
    """Returns a function that lists the keys and returns whether to revoke them; None: a person is asked.

    Without a terminal there is no one to ask. Then they are kept, and the list says so.
    """

    def decide(keys: Sequence[StoredKey]) -> bool:
        for line in lines_of(keys):
            sys.stderr.write(f"{line}\n")
        chosen = answer
        if chosen is None and sys.stdin.isatty():
            chosen = input("Revoke them? Rigs with a newer token keep it. [y/N] ").strip().casefold() in ("y", "yes")
        if chosen is None:
            sys.stderr.write(
                "They are kept. Revoke keys and replace tokens on the pages; next time, --revoke-keys does it.\n"
            )
        return bool(chosen)

    return decide


def lines_of(keys: Sequence[StoredKey]) -> Iterator[str]:
    yield "All sessions have ended. These keys and tokens of the backup are valid again:"
    for key in keys[:_NAMES_SHOWN]:
        yield f"  {key.what} “{key.name}”"
    for what, number in Counter(key.what for key in keys[_NAMES_SHOWN:]).items():
        yield f"  and {count_text(number)} more: {what}"
