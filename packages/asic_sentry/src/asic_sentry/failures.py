"""Reasons for a poll without values: a kind for programs and a sentence for people."""

from enum import StrEnum

import msgspec


class FailureKind(StrEnum):
    REFUSED = "refused"
    CONNECT_TIMEOUT = "connect_timeout"
    UNREACHABLE = "unreachable"
    READ_TIMEOUT = "read_timeout"
    CLOSED = "closed"
    BAD_RESPONSE = "bad_response"
    ERROR_STATUS = "error_status"
    LOCAL_LIMIT = "local_limit"
    OTHER_DEVICE = "other_device"


class PollFailure(msgspec.Struct, frozen=True):
    kind: FailureKind
    detail: str


class PasswordFailure(PollFailure, frozen=True):
    """The ASIC needs a password, or refuses the one that was entered."""


class PollError(Exception):
    """Ends a poll. It never leaves `poll` and `identify`, which return its `failure`."""

    def __init__(self, kind: FailureKind, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind

    @property
    def is_late(self) -> bool:
        """Returns whether the device took too long, so that a next question may take as long."""
        return self.kind in (FailureKind.CONNECT_TIMEOUT, FailureKind.READ_TIMEOUT)

    @property
    def failure(self) -> PollFailure:
        return PollFailure(self.kind, str(self))


class NoAnswer(PollError):
    """The device sent nothing that could be read."""


class BadReply(PollError):
    """The answer does not fit the dialect (`bad_response`), or the device reports an error (`error_status`)."""


class PasswordError(BadReply):
    """The device needs a password, or refuses the one that was entered."""

    @property
    def failure(self) -> PasswordFailure:
        return PasswordFailure(self.kind, str(self))


def broken() -> PollFailure:
    """Returns the failure for an answer that the sentry itself fails on: a fault of its own, which is in its log."""
    return PollFailure(FailureKind.BAD_RESPONSE, "The sentry can't process this ASIC's answer; see the sentry's log.")


def bad_response(detail: str) -> BadReply:
    return BadReply(FailureKind.BAD_RESPONSE, detail)


def error_status(device_text: str) -> BadReply:
    """Returns the error for a device that reports one. `device_text` is the device's own text."""
    return BadReply(FailureKind.ERROR_STATUS, device_text[:200] or "The device says that there is an error, not which.")
