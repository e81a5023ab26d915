"""Closes the WebSockets of sessions that have ended."""

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
        """Closes the pages and channels of one session."""
        for frames in self._all_frames():
            frames.close_session(session)
        self._channels.close_session(session)

    async def close_ended(self, accounts: AccountActions) -> None:
        """Sessions may be ended by another process (`commander set-password`)."""
        pages = (frames.sessions() for frames in self._all_frames())
        if sessions := self._channels.sessions().union(*pages):
            alive = {str(session.id) for session in await accounts.sessions()}
            for session in sessions - alive:
                self.close(session)
