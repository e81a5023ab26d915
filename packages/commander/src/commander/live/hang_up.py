"""Closes the WebSockets of sessions, API keys and view links that have ended."""

from collections.abc import Awaitable, Callable, Sequence

from commander.accounts.domain import PROXY_OWNERS
from commander.live.channels import Channels
from commander.live.frames import Frames


class HangUp:
    """`all_frames` returns the frames of all open pages."""

    def __init__(self, channels: Channels, all_frames: Callable[[], Sequence[Frames]]) -> None:
        self._channels = channels
        self._all_frames = all_frames

    def close(self, session: str) -> None:
        """Closes the pages and channels of one session, key or link, as `socket_owner` and `link_owner` name it."""
        for frames in self._all_frames():
            frames.close_session(session)
        self._channels.close_session(session)

    async def close_ended(self, valid_owners: Callable[[], Awaitable[set[str]]]) -> None:
        """Closes all whose owner is not valid any more.

        It may have been ended by another process (`commander set-password`), or by its time.
        """
        pages = (frames.sessions() for frames in self._all_frames())
        if sessions := self._channels.sessions().union(*pages):
            for session in sessions - await valid_owners():
                if not session.startswith(PROXY_OWNERS):  # see `BELIEVED_S`
                    self.close(session)
