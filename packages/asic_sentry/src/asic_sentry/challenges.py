"""The challenges in the headers `WWW-Authenticate` of an answer: the ways in which a device takes a log-in (RFC 9110).

A device may name several: in one header, in several, or both.
"""

import re
from collections.abc import Sequence

_FOLDED = re.compile(rb"\r\n[ \t]+")
_HEADER = re.compile(rb"(?i)\r\nWWW-Authenticate[ \t]*:([^\r\n]*)")
_PART = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*"?)+')  # a comma in quotes does not separate
_SCHEME = re.compile(r"[\w!#$%&'*+.^`|~-]+(?=\s+[^\s=]|\s*$)", re.ASCII)  # else it is the name of a parameter
_NAME_LIMIT, _NAMES_LIMIT = 32, 4


def challenges_in(head: bytes) -> tuple[str, ...]:
    """Returns the challenges of an answer with this head, each with its scheme first. Other texts are left out."""
    challenges: list[str] = []
    for header in _HEADER.findall(_FOLDED.sub(b" ", head)):
        has_scheme = False
        for part in (part.strip() for part in _PART.findall(header.decode("latin-1"))):
            if _SCHEME.match(part):
                challenges.append(" ".join(part.split(maxsplit=1)))
                has_scheme = True
            elif part and has_scheme:
                challenges[-1] += f", {part}"
    return tuple(challenges)


def of_scheme(scheme: str, challenges: Sequence[str]) -> list[str]:
    """Returns those that name this scheme."""
    return [each for each in challenges if _scheme_of(each).lower() == scheme]


def other_schemes(scheme: str, challenges: Sequence[str]) -> str:
    """Returns the schemes that are named besides this one, as "Basic or Negotiate"; an empty text if there are none."""
    others = dict.fromkeys(_scheme_of(each) for each in challenges)
    return " or ".join([each[:_NAME_LIMIT] for each in others if each.lower() != scheme][:_NAMES_LIMIT])


def _scheme_of(challenge: str) -> str:
    return challenge.split(maxsplit=1)[0]
