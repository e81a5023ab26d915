"""The form of a tag, and changes of a rig's tags."""

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from commander.problems import CommanderError, ErrorKind
from commander.registry.names import name_key

TAG_MAX_LENGTH = 48
TAGS_OF_A_RIG = 32
_TAG = re.compile(r"\w[\w .:#()+@/-]*")
_BLANKS = re.compile(r"\s+")
_COLON = re.compile(r" ?: ?")

Tags = tuple[str, ...]


class BadTag(CommanderError):
    """The text can't be a tag."""

    kind = ErrorKind(422, "bad_tag", "Not a tag", field="tags")


class TooManyTags(CommanderError):
    """A rig would have more tags than there is room for."""

    kind = ErrorKind(422, "too_many_tags", "Too many tags", field="tags")


class TagChange(NamedTuple):
    """Tags that some rigs get and lose, checked. A tag that is in both is added."""

    add: Tags = ()
    remove: Tags = ()


def checked_tag(text: str) -> str:
    """Returns `text` as a tag: composed (NFC), without blanks around it and around its colons. Raises `BadTag`."""
    tag = _COLON.sub(":", _BLANKS.sub(" ", unicodedata.normalize("NFC", text)).strip())
    if not tag:
        raise BadTag("Write at least one character for a tag.")
    if len(text) > TAG_MAX_LENGTH:
        raise BadTag(f"A tag has {TAG_MAX_LENGTH} characters at most; “{tag[:20]}…” has {len(text)}.")
    if not _TAG.fullmatch(tag):
        raise BadTag(
            f"“{tag}” is not a tag. A tag begins with a letter or digit and holds letters, digits, spaces and "
            ". _ - : # ( ) + @ / only."
        )
    return tag


def checked_tags(texts: Iterable[str]) -> Tags:
    """Returns tags as a rig has them: sorted, each once, however it is written. Raises `BadTag` or `TooManyTags`."""
    return enough({tag_key(tag): tag for tag in map(checked_tag, texts)}.values())


def tag_key(tag: str) -> str:
    """Two tags with one key are the same tag."""
    return name_key(tag)


def enough(tags: Iterable[str], rig: str = "A rig") -> Tags:
    """Returns the tags sorted. Raises `TooManyTags`."""
    in_order = tuple(sorted(tags))
    if len(in_order) > TAGS_OF_A_RIG:
        raise TooManyTags(f"{rig} has {TAGS_OF_A_RIG} tags at most; these would be {len(in_order)}.")
    return in_order


def changed_tags(before: Tags, change: TagChange, rig: str = "A rig") -> Tags:
    """Returns the tags of a rig after the change. A tag that it has already keeps its spelling."""
    gone = {tag_key(tag) for tag in change.remove} - {tag_key(tag) for tag in change.add}
    kept = {tag_key(tag): tag for tag in before if tag_key(tag) not in gone}
    return enough(({tag_key(tag): tag for tag in change.add} | kept).values(), rig)


def tags_in(text: str) -> list[str]:
    """Returns the tags that somebody wrote with commas or semicolons between them, not yet checked."""
    return [part for part in re.split(r"[,;]", text) if part.strip()]
