"""Puts a value into a script so that the program gets exactly this value as one argument, or refuses it.

A value of plain characters stands as it is, wherever its placeholder stands: no shell reads anything into them. Any
other value has to be quoted, and that is possible only where the script itself does not quote.
"""

import re
import shlex

VALUE_MAX_LENGTH = 256
_PLAIN_SH = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")
_PLAIN_BAT = re.compile(r"[A-Za-z0-9_@+:./\\-]+")
_BAT_DANGER = '%^&|<>"!'
# Where quotes mean something else than usual, this scanner does not pretend to know where they begin and end.
_TOO_CLEVER = re.compile(r"`|<<|\$['\"\[]|\(\(|\$\{[^}]*['\"]|\beval\b")
# These read a value a second time, after the shell has taken its quotes away.
_READS_AGAIN = re.compile(
    r"(?:^|[\s;&|(/!'\"\\])(?:(?:ba|da|z|k|a|fi)?sh['\"]?\s(?:[^\n;&|]*\s)?-[A-Za-z]*c\s"
    r"|(?:su|runuser|script|flock)\s[^\n;&|]*(?:-c\s|--command[\s=])|env\s[^\n;&|]*(?:-S|--split-string)"
    r"|screen\s[^\n;&|]*-X\s|(?:trap|alias|ssh|autossh|rsh|pdsh|tmux|watch|parallel|xargs)\s)",
    re.MULTILINE,
)
_WORD_ENDS = " \t\n;&|()<>"


class CantQuote(Exception):
    """The value can't be put there; the text says what to do."""


def check_value(value: str) -> str:
    """Refuses a value that no script can hold. Raises `CantQuote`."""
    if len(value) > VALUE_MAX_LENGTH:
        raise CantQuote(f"it has more than {VALUE_MAX_LENGTH} characters")
    if not value.isprintable():  # control characters, line ends, halves of characters, other kinds of space
        raise CantQuote("it holds a character that can't be printed, or a line end")
    return value


def quoted_sh(value: str, script_before: str) -> str:
    """`value` as it is to stand after `script_before` in a script for /bin/sh. Raises `CantQuote`."""
    if script_before.endswith("$"):
        raise CantQuote("a $ stands before it; write ${{name}} for a variable of the shell")
    if _PLAIN_SH.fullmatch(check_value(value)):
        return value
    if not _stands_bare(script_before):
        raise CantQuote(
            "it has to be quoted, and stands between quotes or the like already; take the quotes out of the script, "
            "or use only letters, digits and _ @ % + = : , . / -"
        )
    return shlex.quote(value)


def quoted_bat(value: str, script_before: str) -> str:
    """`value` as it is to stand after `script_before` in a .bat file. Raises `CantQuote`."""
    check_value(value)
    if not value.isascii() or any(each in value for each in _BAT_DANGER):
        raise CantQuote(f"on Windows it can't hold {' '.join(_BAT_DANGER)} or letters beyond ASCII")
    if value.endswith("\\") or script_before.endswith(("^", "%")):
        raise CantQuote("on Windows a \\ can't be its last character, and no ^ or % can stand before it")
    if _PLAIN_BAT.fullmatch(value) or script_before.rpartition("\n")[2].count('"') % 2:
        return value
    return f'"{value}"'


def _stands_bare(script: str) -> bool:
    """Returns whether the end of `script` is outside of quotes and comments of /bin/sh; False also where it is hard to
    tell."""
    quote, at, word_begins = "", 0, True
    while at < len(script):
        each, pair = script[at], script[at : at + 2]
        at += 1
        if quote:
            if quote == '"' and pair == "$(":
                return False
            at += quote == '"' and each == "\\"
            quote = "" if each == quote else quote
        elif each == "#" and word_begins:
            at = script.find("\n", at)
            if at < 0:
                return False
        else:
            at += each == "\\"
            quote = each if each in "'\"" else ""
            word_begins = each in _WORD_ENDS or (word_begins and pair == "\\\n")
    is_simple = not _TOO_CLEVER.search(script) and not _READS_AGAIN.search(script.replace("\\\n", " "))
    return not quote and at == len(script) and is_simple
