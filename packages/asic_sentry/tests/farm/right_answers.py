"""A right answer to each question of every dialect, from the fake that speaks it."""

import json

from asic_moment import Moment
from asic_payloads import body_of
from asic_sentry.dialects.dialect import Dialect, LibraryCall, Question
from asic_sentry.dialects.registry import BY_NAME
from asic_wire import command_of
from pyasic_rs_data import DATA

KIND_OF = {
    **{name: name for name in BY_NAME if name != "pyasic_rs"},  # no fake speaks to the library
    **{"whatsminer_v1": "whatsminer", "whatsminer_v2": "whatsminer-v2", "whatsminer_v3": "whatsminer-v3"},
    **{"avalon_stats": "avalon-old"},
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
