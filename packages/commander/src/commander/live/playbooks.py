"""A playbook as of now: what pages show of it, kept in memory with its rig."""

from dataclasses import dataclass
from datetime import datetime

from protocol.playbook_messages import Playbook, PlaybookState, PlaybookStatus, WalletEvidence

TAIL_LINES = 100


@dataclass(slots=True)
class PlaybookNow:
    """A playbook with its newest status, which is None until its sentry sends one.

    `changed_at` is when its newest revision was written. `tail` has its newest lines while a page shows them.
    """

    id: int
    wire: Playbook
    status: PlaybookStatus | None = None
    reported_at: datetime | None = None
    tail: str | None = None
    changed_at: datetime | None = None

    @property
    def failed(self) -> bool:
        return self.status is not None and self.status.state is PlaybookState.FAILED

    @property
    def is_current(self) -> bool:
        """Returns whether the sentry reports the newest revision."""
        return self.status is not None and self.status.revision == self.wire.revision

    @property
    def wallet_evidence(self) -> WalletEvidence | None:
        """Returns the sentry's evidence; None if not even the script contains the wallet: then nothing could."""
        users = [work.user for work in self.wire.works if work.user]
        is_named = all(user in self.wire.script for user in users)
        return self.status.wallet_evidence if self.status and is_named and self.is_current else None

    def printed(self, lines: list[str]) -> None:
        """Adds new lines to the tail, if a page shows it."""
        if self.tail is not None:
            self.tail = shortened_tail([*self.tail.split("\n"), *lines] if self.tail else lines)


def shortened_tail(lines: list[str]) -> str:
    return "\n".join(lines[-TAIL_LINES:])
