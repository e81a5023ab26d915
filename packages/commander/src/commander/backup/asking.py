"""The question of a restore: whether keys, tokens and accesses that are valid again are to be revoked."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from protocol.units import count_text

from commander.backup.keys import StoredKey

_NAMES_SHOWN = 20


def revokes_by(answer: bool | None) -> Callable[[Sequence[StoredKey]], bool]:
    """Returns a function that lists the keys and returns whether to revoke them. `answer` None: it asks a person.

    Without a terminal, or without an answer, the keys are kept, and a line says so. The farm is restored already then.
    """

    def decide(keys: Sequence[StoredKey]) -> bool:
        for line in lines_of(keys):
            sys.stderr.write(f"{line}\n")
        chosen = answer
        if chosen is None and sys.stdin.isatty():
            chosen = _typed_answer()
        if chosen is None:
            sys.stderr.write(
                "They are kept, and the farm is restored. Revoke keys, replace tokens and change accesses on the "
                "pages; next time, --revoke-keys does it.\n"
            )
        return bool(chosen)

    return decide


def _typed_answer() -> bool | None:
    """Returns None if the input was ended (Ctrl-D) or interrupted (Ctrl-C)."""
    try:
        typed = input("Revoke them? Rigs with a newer token keep it. [y/N] ")
    except (EOFError, KeyboardInterrupt):
        sys.stderr.write("\n")
        return None
    return typed.strip().casefold() in ("y", "yes")


def lines_of(keys: Sequence[StoredKey]) -> Iterator[str]:
    yield "All sessions have ended. These keys, tokens and accesses of the backup are valid again:"
    for key in keys[:_NAMES_SHOWN]:
        yield f"  {key.what} “{key.name}”"
    for what, number in Counter(key.what for key in keys[_NAMES_SHOWN:]).items():
        yield f"  and {count_text(number)} more: {what}"
