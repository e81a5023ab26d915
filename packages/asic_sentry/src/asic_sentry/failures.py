"""Why a poll gave no sample: a value with a kind for programs and a sentence for people."""

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


class PollError(Exception):
    """Root of what stops a poll; it never leaves `poll` and `identify`, which answer its `failure`."""

    def __init__(self, kind: FailureKind, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind

    @property
    def failure(self) -> PollFailure:
        return PollFailure(self.kind, str(self))


class NoAnswer(PollError):
    """Nothing that could be read came from the device."""


class BadReply(PollError):
    """What came is not what this dialect answers (`bad_response`), or the device says no (`error_status`)."""


def bad_response(detail: str) -> BadReply:
    return BadReply(FailureKind.BAD_RESPONSE, detail)


def error_status(device_text: str) -> BadReply:
    """`words` are the device's own."""
    return BadReply(FailureKind.ERROR_STATUS, device_text[:200] or "The device says that there is an error, not which.")
