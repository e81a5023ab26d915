"""Closes the WebSockets of sessions and API keys that have ended."""

from collections.abc import Callable, Sequence

from commander.accounts.actions import AccountActions
from commander.live.channels import Channels
from commander.live.frames import Frames


class HangUp:
    """`all_frames` returns the frames of all open pages."""

    def __init__(self, channels: Channels, all_frames: Callable[[], Sequence[Frames]]) -> None:
        self._channels = channels
        self._all_frames = all_frames

    def close(self, session: str) -> None:
        """Closes the pages and channels of one session or key, as `socket_owner` names it."""
        for frames in self._all_frames():
            frames.close_session(session)
        self._channels.close_session(session)

    async def close_ended(self, accounts: AccountActions) -> None:
        """Sessions and keys may be ended by another process (`commander set-password`), or by their time."""
        pages = (frames.sessions() for frames in self._all_frames())
        if sessions := self._channels.sessions().union(*pages):
            for session in sessions - await accounts.socket_owners():
                self.close(session)
