"""A right answer to each question of every dialect, from the fake that speaks it."""

import json

from asic_makes import MAKES
from asic_moment import Moment
from asic_payloads import body_of
from asic_sentry.dialects.dialect import Dialect, LibraryCall, Question
from asic_sentry.dialects.registry import BY_NAME
from asic_sentry.poll import Identity
from asic_web_makes import WEB_MAKES
from asic_wire import command_of
from fake_asics import FakeAsic
from protocol.asic_messages import AsicSpecs
from pyasic_rs_data import DATA

KIND_OF = {
    **{name: name for name in BY_NAME if name != "pyasic_rs"},  # no fake speaks to the library
    **{"whatsminer_v1": "whatsminer", "whatsminer_v2": "whatsminer-v2", "whatsminer_v3": "whatsminer-v3"},
    **{"avalon_stats": "avalon-old"},
}
DIALECT_OF = {
    "antminer": "antminer",
    "antminer-terse": "antminer",
    "whatsminer": "whatsminer_v1",
    "whatsminer-v2": "whatsminer_v2",
    "whatsminer-v3": "whatsminer_v3",
    "whatsminer-nameless": "whatsminer_v1",
    "avalon": "avalon",
    "avalon-old": "avalon_stats",
    "avalon-idle": "avalon",
    "axeos": "axeos",
    "iceriver": "iceriver",
    "braiins-terse": "braiins",
    **{kind: kind for kind in (*MAKES, *WEB_MAKES) if kind != "braiins-terse"},
}
NOW_S, UP_S = 1_790_000_000.0, 50_000


def moment(state: str = "mining") -> Moment:
    return Moment(7, UP_S, NOW_S, state)


def right_answer(dialect: Dialect, question: Question | LibraryCall, state: str = "mining") -> bytes:
    if isinstance(question, LibraryCall):
        return json.dumps(DATA).encode()
    return body_of(KIND_OF[dialect.name], command_of(question.request) or "", moment(state))


def right_answers(dialect: Dialect, state: str = "mining") -> list[bytes]:
    """Answers to the questions of a poll."""
    return [right_answer(dialect, question, state) for question in dialect.poll_questions]


def right_specs(dialect: Dialect) -> list[bytes | None]:
    return [right_answer(dialect, question) for question in dialect.specs_questions]


def identity(asic: FakeAsic) -> Identity:
    return Identity(ip=asic.ip, port=asic.port, dialect=DIALECT_OF[asic.kind], specs=AsicSpecs())
