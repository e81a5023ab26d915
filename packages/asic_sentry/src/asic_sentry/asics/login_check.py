"""Checks a log-in with the ASIC, before it is stored and while it is used."""

from collections.abc import Iterator

from asic_sentry.access import (
    Access,
    Login,
    WrongPassword,
    forget_acceptance,
    forget_refusals,
    is_accepted,
    refusal_of,
    using,
)
from asic_sentry.dialects.dialect import Dialect, Question
from asic_sentry.dialects.registry import BY_NAME
from asic_sentry.failures import PollError
from asic_sentry.poll import Identity, is_asked
from asic_sentry.transport import ask, device_key


def refusal_of_pages(identity: Identity, login: Login) -> str | None:
    """Returns a sentence if pages beside the ASIC's open API refuse the log-in: its polls succeed without them."""
    for question in BY_NAME[identity.dialect].questions:
        if isinstance(question, Question) and question.access is not None and question.optional:
            sentence = refusal_of(question.access, login, device_key(identity.ip, identity.port, question))
            if sentence is not None:
                return sentence
    return None


async def refused(identity: Identity, login: Login) -> str | None:
    """Returns the reason if the ASIC refuses this log-in; None if it accepts it, needs none or does not answer.

    An open page answers any log-in, so the questions are asked until one needs it.
    """
    forget_refusals(login)
    with using(login):
        for dialect, port, question, access in _questions_with_login(identity):
            key = device_key(identity.ip, port, question)
            forget_acceptance(access, login, key)
            try:
                await ask(identity.ip, port, dialect.name, question.name)
            except WrongPassword as error:
                return str(error)
            except PollError as error:
                if error.is_late:
                    return None
            if is_accepted(access, login, key):
                return None
    return None


def _questions_with_login(identity: Identity) -> Iterator[tuple[Dialect, int, Question, Access]]:
    """Yields the questions of the ASIC's dialect, and of the one that reads more of the ASIC with a password."""
    own = BY_NAME[identity.dialect]
    dialects = [(own, identity.port)]
    if identity.port == own.port and (name := own.better(identity.specs)):
        dialects.append((BY_NAME[name], BY_NAME[name].port))
    for dialect, port in dialects:
        for question in dialect.questions:
            if not isinstance(question, Question) or question.access is None:
                continue
            if is_asked(port, dialect, question):
                yield dialect, port, question, question.access
