"""A dialect: the questions that one kind of firmware answers, and the parsers of the answers.

A question holds the exact bytes that are sent. Dialects declare their questions beside their parsers;
`registry.ALLOWED` collects them, and the transport sends nothing else.
"""

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import NamedTuple

from protocol.asic_messages import AsicSpecs

from asic_sentry.access import Access
from asic_sentry.dialects.parsing import Parser, SpecsParser
from asic_sentry.framing import Framing

USUAL_WITHIN_S = 5.0


class Question(NamedTuple):
    """One request. `{host}` in it is replaced by the device's address. `framing` knows where the answer ends.

    `name` is unique in a dialect; messages show `title`. The answer to an `optional` question may be missing: the
    parser then gets an empty one. `access` is how to log in, with what the operator entered.

    An optional question may have a `port` of its own; it is asked there if the device is at the dialect's port. One
    that is `only_with_login` is asked if a log-in was entered.
    """

    name: str
    request: bytes
    framing: Framing
    optional: bool = False
    shown_as: str = ""
    access: Access | None = None
    port: int | None = None
    only_with_login: bool = False

    @property
    def title(self) -> str:
        return self.shown_as or self.name


class LibraryCall(NamedTuple):
    """A question that another program's library asks. `call` gets the device's IP and returns the answer as JSON."""

    name: str
    call: Callable[[str], Awaitable[bytes]]
    optional: bool = False

    @property
    def title(self) -> str:
        return self.name


class Part(StrEnum):
    """A part of an ASIC that a dialect reads, or lacks."""

    HASHRATE = "hashrate"
    BOARDS = "boards"
    CHIPS = "chips"
    FANS = "fans"
    TEMPERATURES = "temperatures"
    POWER = "power"
    POOLS = "pools"
    FAULTS = "faults"
    MAC = "MAC"


class Dialect(NamedTuple):
    """`parse` gets the answers to `poll_questions`, and the answer to `gap_question` if a hashrate, an uptime or the
    shares were missing in those. `parse_specs` gets the answers to `specs_questions`; None for a missing optional one.

    `firmware`, `lacks` and `remark` are for the table of makes in the docs: what speaks it, what is not read, and what
    is read in part. `recorded` says that answers of real devices were at hand; else it is written after other programs'
    sources.

    `recognise` raises `BadReply` unless the answer to `probe` may come from a device that speaks this dialect. At an
    unusual port `probe_at_other_port` is asked instead, if there is one. Without a `probe` a dialect is tried last,
    on devices that answer and speak no other dialect. `better` names a dialect that reads more of a device with these
    specs; it is tried next. One that is named so has the flag `is_better`: if the device refuses it, the other dialect
    still reads the device.
    """

    name: str
    makes: frozenset[str]
    port: int
    poll_questions: tuple[Question | LibraryCall, ...]
    parse: Parser
    specs_questions: tuple[Question | LibraryCall, ...]
    parse_specs: SpecsParser
    probe: Question | None = None
    recognise: Callable[[bytes], None] = lambda _answer: None
    probe_at_other_port: Question | None = None
    gap_question: Question | None = None
    hangs_if_asked_otherwise: bool = False
    is_installed: Callable[[], bool] = lambda: True
    specs_within_s: float = USUAL_WITHIN_S
    better: Callable[[AsicSpecs], str | None] = lambda _specs: None
    is_better: bool = False
    firmware: str = ""
    lacks: tuple[Part, ...] = ()
    remark: str = ""
    recorded: bool = False

    @property
    def questions(self) -> tuple[Question | LibraryCall, ...]:
        """Everything that this dialect may ever ask."""
        others = (self.probe, self.probe_at_other_port, self.gap_question)
        return tuple(
            dict.fromkeys([*self.poll_questions, *self.specs_questions, *(each for each in others if each is not None)])
        )
