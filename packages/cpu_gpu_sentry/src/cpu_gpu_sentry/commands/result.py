"""The result of a command."""

from dataclasses import dataclass, field

from protocol.command_messages import CommandState, FetchedLog, Finding


@dataclass(frozen=True, slots=True)
class Result:
    """`text` is a sentence for people."""

    state: CommandState
    text: str
    findings: list[Finding] = field(default_factory=list)
    logs: list[FetchedLog] = field(default_factory=list)


def done(text: str) -> Result:
    return Result(CommandState.DONE, text)


def failed(text: str) -> Result:
    return Result(CommandState.FAILED, text)


def waits(text: str) -> Result:
    """The result comes later: with the next boot."""
    return Result(CommandState.BEGUN, text)
