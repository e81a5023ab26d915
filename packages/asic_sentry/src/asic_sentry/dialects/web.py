"""Requests and answers of makes whose API is JSON over HTTP."""

from typing import Any

from asic_sentry.access import Access
from asic_sentry.dialects.dialect import Question
from asic_sentry.dialects.parsing import Row, decode
from asic_sentry.failures import bad_response
from asic_sentry.framing import HTTP_HEAD, http_body


def get(path: str, *, optional: bool = False, access: Access | None = None) -> Question:
    """Returns the question `GET path`."""
    request = b"GET %s HTTP/1.1\r\n" % path.encode() + HTTP_HEAD + b"\r\n"
    return Question(path, request, http_body, optional, access=access)


def post(path: str, body: str, *, name: str = "", optional: bool = False, access: Access | None = None) -> Question:
    """Returns the question `POST path` with a JSON body; `name` if there are several for the path."""
    head = b"POST %s HTTP/1.1\r\n" % path.encode() + HTTP_HEAD + b"Content-Type: application/json\r\n"
    request = head + b"Content-Length: %d\r\n\r\n" % len(body) + body.encode()
    return Question(name or path, request, http_body, optional, access=access)


def beside(question: Question, port: int, *, only_with_login: bool = True) -> Question:
    """Returns an optional question that is asked at another port than the dialect's."""
    return question._replace(optional=True, port=port, only_with_login=only_with_login)


def is_web_page(reply: bytes) -> bool:
    """Returns whether a page for people, such as the one for the log-in, comes instead of values."""
    return bool(reply.strip()) and not reply.lstrip().startswith((b"{", b"["))


def mapping_of(make: str, reply: bytes, *keys: str) -> Row:
    """Returns the object in the answer. Raises `BadReply` if it is none, or if it lacks one of `keys`."""
    answer = decode(reply)
    if not isinstance(answer, dict):
        raise bad_response(f"The answer is not that of {make}: it is no object.")
    if missing := [key for key in keys if key not in answer]:
        raise bad_response(f"The answer is not that of {make}: it has no {missing[0]}.")
    return answer


def list_of(make: str, reply: bytes) -> list[Any]:
    answer = decode(reply)
    if not isinstance(answer, list):
        raise bad_response(f"The answer is not that of {make}: it is no list.")
    return answer
