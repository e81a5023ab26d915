"""No words of Python or msgspec reach a person."""

import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta
from protocol.plain_words import plain, quoted, sentence, why


class Colour(StrEnum):
    RED = "red"


class Message(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1, max_length=3)]
    count: Annotated[int, Meta(ge=1, lt=9)] = 1
    maybe: int | None = None
    share: Annotated[float, Meta(ge=0, le=5)] = 0
    either: int | str | None = None
    flag: bool = False
    colour: Colour = Colour.RED
    at: Annotated[datetime, Meta(tz=True)] | None = None
    word: Annotated[str, Meta(pattern="^a+$")] = "a"
    even: Annotated[int, Meta(multiple_of=2)] = 2
    numbers: Annotated[list[int], Meta(max_length=2)] = []
    words: Annotated[dict[str, int], Meta(max_length=1)] = {}
    below: "list[Message]" = []
    blob: bytes = b""


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"count": "x"}, ("count", "must be a whole number, not a text")),
        ({"count": 1.5}, ("count", "must be a whole number, not a number")),
        ({"maybe": "x"}, ("maybe", "must be a whole number, not a text")),
        ({"count": 0}, ("count", "must be 1 or more")),
        ({"count": 9}, ("count", "must be 8 or less")),
        ({"share": 5.5}, ("share", "must be 5 or less")),
        ({"share": None}, ("share", "must be a number, not null")),
        ({"either": []}, ("either", "must be a whole number or a text, not a list")),
        ({"flag": 1}, ("flag", "must be true or false, not a whole number")),
        ({"colour": "blue"}, ("colour", "can't be blue")),
        ({"name": ""}, ("name", "must have 1 character or more")),
        ({"name": "abcd"}, ("name", "must have 3 characters at most")),
        ({"at": "noon"}, ("at", "must be a time such as 2026-11-20T12:00:00Z")),
        ({"at": "2026-01-01T00:00:00"}, ("at", "must be a time with its zone, such as 2026-11-20T12:00:00Z")),
        ({"word": "b"}, ("word", "has another form than expected")),
        ({"even": 3}, ("even", "must be a whole number")),
        ({"numbers": [1, 2, 3]}, ("numbers", "must have 2 elements at most")),
        ({"words": {"a": 1, "b": 2}}, ("words", "must have 1 field at most")),
        ({"below": [{"name": 5}]}, ("below[0].name", "must be a text, not a whole number")),
        ({"below": [{}]}, ("below[0].name", "is missing")),
        ({"blob": "$"}, ("blob", "must be a text in base64")),
        ({"other": 1}, ("", "has a field that is not known: other")),
    ],
)
def test_every_message_of_the_decoder_is_said_plainly(fields: dict[str, Any], said: tuple[str, str]) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(msgspec.json.encode({"name": "abc"} | fields), type=Message)
    assert plain(caught.value) == said
    assert is_plain(sentence(caught.value))


@pytest.mark.parametrize("body", [b"", b"nul", b"{", b"[]", b"5", b'{"share": 1e999, "name": "a"}', b"\xff", b"{}}"])
def test_what_is_no_message_at_all_is_said_plainly(body: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)) as caught:
        msgspec.json.decode(body, type=Message)
    assert is_plain(why(caught.value))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (KeyError("hashrate"), "it has no “hashrate”"),
        (IndexError("list index out of range"), "a list in it is too short"),
        (TypeError("'NoneType' object is not subscriptable"), "a part of it is of another kind than expected"),
        (AttributeError("'str' object has no attribute 'get'"), "a part of it is of another kind than expected"),
        (ValueError("could not convert string to float: 'x'"), "a figure in it is no number"),
        (ZeroDivisionError(), "a figure in it is no number"),
        (RecursionError(), "it is nested too deeply"),
    ],
)
def test_what_a_parser_stumbled_over_is_said_plainly(error: Exception, words: str) -> None:
    assert why(error) == words


def test_an_answer_is_quoted_as_text() -> None:
    assert quoted(b"<html>\r\n\xff" + b"x" * 100) == "“<html>··\ufffd" + "x" * 51 + "”"


def is_plain(text: str) -> bool:
    return bool(text) and not re.search(r"`|\b(int|str|dict|bool|float|array|NoneType|Expected|struct)\b", text)
