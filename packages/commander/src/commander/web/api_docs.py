"""Texts of the OpenAPI document beside the handlers' types."""

from collections.abc import Mapping

from litestar.openapi.datastructures import ResponseSpec
from protocol.messages import Problem

BEARER: list[dict[str, list[str]]] = [{"bearer": []}]

MEANINGS = {
    400: "The body can't be unpacked, or is nested too deeply.",
    401: "No session, key or token, or a wrong one.",
    403: "The role is too low, the password has to be confirmed first, or another web site made a browser send this.",
    404: "There is no such thing, or no longer.",
    409: "The name is taken, or there is no room for more.",
    410: "The rig was removed.",
    413: "The body has more than 4 MiB unpacked.",
    415: "The body is not JSON, or compressed in a way that the commander does not support.",
    422: "Which field is wrong, and why.",
    429: "Too many tries, or too much from one rig; come back.",
    503: "Overloaded, or the database is away; nothing was stored, come back.",
}


AS_USUAL: Mapping[int, str] = {}


def problems(*statuses: int, about: Mapping[int, str] = AS_USUAL) -> Mapping[int, ResponseSpec]:
    """The error answers of a handler. `about` has other meanings than the usual ones.

    If it takes a body, there may be no room for that body. If it needs a sender, that sender's role may be too low.
    """
    if 401 in statuses:
        statuses = (*statuses, 403)
    if 413 in statuses:
        statuses = (*statuses, 503)
    return {
        status: ResponseSpec(
            Problem,
            description=about.get(status, MEANINGS[status]),
            generate_examples=False,
            media_type="application/problem+json",
        )
        for status in sorted(set(statuses))
    }
