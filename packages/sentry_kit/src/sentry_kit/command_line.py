"""The frame of a sentry's command line: argparse, because typer and cyclopts take 9 and 11 MB of a budget of 50 MB."""

import argparse
import getpass
import logging
import os
import sqlite3
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import NoReturn

from protocol.reasons import reason

from sentry_kit.errors import BadUse, SentryError
from sentry_kit.masking import MaskingFormatter, mask

Handler = Callable[[argparse.Namespace], int]


STDIN = "-"
OR_STDIN = "“-” reads it from standard input, and no other user of this machine can see it there"
OR_ASKED = "without it, you are asked for it, and no other user of this machine can see it; “-” reads standard input"


def token_of(text: str | None) -> str:
    """Returns a token: the argument; for `STDIN`, or in a terminal without an argument, a line that is typed."""
    if text is None and not sys.stdin.isatty():
        raise BadUse(
            "The token is missing. Type this in a terminal, which asks for it; or give --token - and write it to "
            "standard input."
        )
    return typed_secret("Token: ").strip() if text is None or text == STDIN else text


def typed_secret(prompt: str) -> str:
    """Returns a line of standard input; a terminal shows the prompt, and not what is typed."""
    if sys.stdin.isatty():
        return getpass.getpass(prompt)
    return sys.stdin.readline().rstrip("\r\n")


class _OneSentenceParser(argparse.ArgumentParser):
    """Ends wrong usage with code 2 and one sentence. argparse would print the whole usage above it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {mask(message)}; see {self.prog} --help.\n")


class CommandLine:
    """A program's commands. `run` returns the exit code."""

    def __init__(self, program: str, distribution: str, description: str) -> None:
        self._version = f"{program} {version(distribution)}"
        self._parser = _OneSentenceParser(prog=program, description=description)
        self._parser.add_argument("--version", action="version", version=self._version)
        self._commands = self._parser.add_subparsers(
            title="commands", metavar="COMMAND", required=True, parser_class=_OneSentenceParser
        )

    def command(self, name: str, handler: Handler, help_text: str) -> argparse.ArgumentParser:
        parser = self._commands.add_parser(name, help=help_text, description=f"{help_text[0].upper()}{help_text[1:]}.")
        parser.add_argument("--version", action="version", version=self._version)
        parser.set_defaults(handler=handler)
        return parser

    def run(self, argv: Sequence[str] | None = None) -> int:
        """Returns 0 on success, 2 on wrong usage, else 1 with one sentence on standard error."""
        arguments = self._parser.parse_args(argv)
        try:
            code = int(arguments.handler(arguments))
            sys.stdout.flush()
        except BadUse as error:
            return _fail(str(error), 2)
        except SentryError as error:
            return _fail(str(error), 1)
        except sqlite3.Error as error:
            return _fail(f"The sentry's file can't be used now ({reason(error)}); try again.", 1)
        except EOFError:  # Ctrl-D where something was asked for
            return _fail("Nothing was typed, and nothing was changed.", 1)
        except BrokenPipeError:  # `status | head`: head has read enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        except KeyboardInterrupt:
            return 130
        return code


def _fail(sentence: str, code: int) -> int:
    sys.stderr.write(f"{mask(sentence)}\n")
    return code


def log_to_stderr() -> None:
    """Logs one line per event, with masked tokens."""
    handler = logging.StreamHandler()
    handler.setFormatter(MaskingFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for chatty in ("httpx", "uvicorn.error"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def say(text: str) -> None:
    """Prints a line of a command's result."""
    sys.stdout.write(f"{text}\n")
