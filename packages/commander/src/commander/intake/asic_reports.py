"""Takes the report of an ASIC sentry apart. An item that can't be read does not affect the others."""

import msgspec
from protocol.asic_messages import AsicReport, AsicReportItem
from protocol.messages import Message, Text
from protocol.plain_words import sentence

from commander.web.bodies import TooLarge

ITEMS_MAX = 5_000

Items = list[AsicReportItem]


class _RawItems(Message, frozen=True, kw_only=True, gc=False):
    items: list[msgspec.Raw]


class _TokenAlone(Message, frozen=True, kw_only=True, gc=False):
    token: msgspec.Raw


_report = msgspec.json.Decoder(AsicReport)
_raw_items = msgspec.json.Decoder(_RawItems)
_item = msgspec.json.Decoder(AsicReportItem)
_token_alone = msgspec.json.Decoder(_TokenAlone)
_text: msgspec.json.Decoder[str] = msgspec.json.Decoder(Text)


def items_of(body: bytes) -> tuple[Items, dict[int, str]]:
    """Returns the items in order, and why some can't be read: those keep only their token.

    Raises `TooLarge`, and `msgspec.DecodeError` if the body is no report or an item has no token.
    """
    try:
        items, unreadable = _report.decode(body).items, dict[int, str]()
    except msgspec.ValidationError as error:
        try:
            items, unreadable = _one_by_one(_raw_items.decode(body).items)
        except msgspec.ValidationError:
            raise error from None
    _check_number(len(items))
    return items, unreadable


def _check_number(count: int) -> None:
    if count > ITEMS_MAX:
        raise TooLarge(f"A report has {ITEMS_MAX} items at most; send it in parts.")


def _one_by_one(raw_items: list[msgspec.Raw]) -> tuple[Items, dict[int, str]]:
    _check_number(len(raw_items))
    items, unreadable = Items(), dict[int, str]()
    for index, raw in enumerate(raw_items):
        try:
            items.append(_item.decode(raw))
        except msgspec.ValidationError as error:
            items.append(AsicReportItem(token=_text_of(_token_alone.decode(raw).token)))
            unreadable[index] = sentence(error)
    return items, unreadable


def _text_of(token: msgspec.Raw) -> str:
    """Returns the token; empty, and so invalid, if it is not a text or is too long."""
    try:
        return _text.decode(token)
    except msgspec.ValidationError:
        return ""
