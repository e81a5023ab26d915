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
    """The questions that one kind of firmware answers, and the functions that read the answers.

    `parse` gets the answers to `poll_questions`. If they lack a hashrate, an uptime or the shares, `gap_question` is
    asked too, and `parse` gets its answer as well. `parse_specs` gets the answers to `specs_questions`; None for a
    missing optional one.

    `firmware`, `lacks` and `remark` are for the table of makes in the docs: which firmware speaks the dialect, what is
    not read, and what is read in part. `recorded`: the parsers were tested with answers of real devices. The others
    were written after the sources of other programs.

    `recognise` raises `BadReply` unless the answer to `probe` may come from a device that speaks this dialect. At an
    unusual port `probe_at_other_port` is asked instead, if there is one. A dialect without a `probe` is tried last, and
    only with a device that answers and speaks no other dialect.

    `better` returns the name of a dialect that reads more of a device with these specs, or None. That dialect is tried
    next and has the flag `is_better`. If the device refuses it, the first dialect still reads the device.
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
