"""Checks a log-in with the ASIC, before it is stored and while it is used."""

from asic_sentry.access import Login, WrongPassword, forget_refusals, refusal_of, using
from asic_sentry.dialects.dialect import Question
from asic_sentry.dialects.registry import BY_NAME
from asic_sentry.failures import PollError
from asic_sentry.poll import Identity, is_asked
from asic_sentry.transport import ask


def refusal_of_pages(identity: Identity, login: Login) -> str | None:
    """Returns a sentence if pages beside the ASIC's open API refuse the log-in: its polls succeed without them."""
    for question in BY_NAME[identity.dialect].questions:
        if isinstance(question, Question) and question.access is not None and question.optional:
            sentence = refusal_of(question.access, login, f"{identity.ip}:{question.port or identity.port}")
            if sentence is not None:
                return sentence
    return None


async def refused(identity: Identity, login: Login) -> str | None:
    """Returns the reason if the ASIC refuses this log-in. An ASIC that does not answer, or needs none, refuses none."""
    dialect = BY_NAME[identity.dialect]
    forget_refusals(login)
    for question in dialect.questions:
        if not isinstance(question, Question) or question.access is None:
            continue
        try:
            with using(login):
                if question.optional and not is_asked(identity.port, dialect, question):
                    continue
                await ask(identity.ip, identity.port, identity.dialect, question.name)
        except WrongPassword as error:
            return str(error)
        except PollError:
            continue
        return None
    return None
