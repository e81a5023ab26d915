"""The commands of the ASIC sentry: each reads its arguments, calls one function and prints."""

import argparse
import asyncio
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from sentry_kit import store as kit
from sentry_kit.command_line import OR_ASKED, OR_STDIN, CommandLine, log_to_stderr, say, token_of, typed_secret
from sentry_kit.errors import BadUse, SentryError
from sentry_kit.service_commands import add_service_commands
from sentry_kit.settings import prepare_data_dir

if TYPE_CHECKING:  # the dialects: most commands do not need them
    from asic_sentry.access import Login

from asic_sentry.service_unit import SERVICE
from asic_sentry.settings import ASIC_USER, DISTRIBUTION, PREFIX, settings_from


def command_line() -> CommandLine:
    line = CommandLine("asic-sentry", DISTRIBUTION, "Minewarden's agent in the ASICs' network, read-only.")
    line.command("run", _run, "poll the ASICs, report them and show the local page, until SIGTERM or Ctrl-C")
    connect = line.command("connect", _connect, "check that a commander answers at a URL, then store the URL")
    connect.add_argument("--url", required=True, help="the commander's address, such as https://commander.lan:8443")
    connect.add_argument("--site-token", help=f"a site token; with it, `scan --adopt` can add ASICs; {OR_STDIN}")
    line.command("page", _page, "print an address that opens the local page for changes, once, within ten minutes")
    _add_asic_commands(line)
    _add_password_command(line)
    _add_network_commands(line)
    add_service_commands(line, SERVICE)
    return line


def _add_asic_commands(line: CommandLine) -> None:
    add = line.command("add", _add, "check an ASIC and its token, then poll and report it")
    _add_address(add)
    add.add_argument("--token", help=f"this ASIC's token, which the commander showed once; {OR_ASKED}")
    remove = line.command("remove", _remove, "stop polling an ASIC; its rig stays in the commander")
    remove.add_argument("--ip", required=True, help="the ASIC's address, as `list` shows it")
    listed = line.command("list", _list, "list the ASICs of this sentry and their state")
    listed.add_argument("--json", action="store_true", help="print JSON, for programs")
    enter = line.command("set", _set, "enter the wattage or the coin of an ASIC or of a model")
    enter.add_argument("--ip", help="the ASIC's address, as `list` shows it")
    enter.add_argument(
        "--model", help='all ASICs of a model, such as "Antminer S19 Pro"; a value entered for one ASIC counts first'
    )
    enter.add_argument("--power-w", help="its power while it mines, in watts; “none” removes the value")
    enter.add_argument("--coin", help="the coin that it mines; “none” removes the value")


def _add_password_command(line: CommandLine) -> None:
    password = line.command("password", _password, "enter the password of an ASIC's own pages, for reading only")
    password.add_argument("--ip", help="the ASIC's address")
    password.add_argument("--model", help='all ASICs of a model, such as "Elphapex DG1+"; one for an ASIC counts first')
    password.add_argument("--user", default=ASIC_USER, help="the user's name; default: %(default)s")
    password.add_argument("--remove", action="store_true", help="remove the password")


def _add_network_commands(line: CommandLine) -> None:
    scan = line.command("scan", _scan, "find the ASICs of a network; Ctrl-C stops it")
    scan.add_argument("network", metavar="CIDR", help="the network, such as 192.168.1.0/24; a /16 at most")
    scan.add_argument(
        "--port", action="append", default=[], help="a port to scan instead of the usual ones; may be repeated"
    )
    scan.add_argument("--adopt", action="store_true", help="add all ASICs that are found, with the site token")
    scan.add_argument("--name", help="the pattern of the names; default: {model}-{ip}")
    scan.add_argument("--json", action="store_true", help="print JSON, for programs")
    record = line.command("record", _record, "write an ASIC's answers to a file, masked, for a bug report")
    _add_address(record)
    record.add_argument("file", metavar="FILE", type=Path, help="the file to write; it must not exist yet")
    poll = line.command("poll", _poll, "identify and poll one ASIC once; needs no commander")
    _add_address(poll)
    poll.add_argument("--json", action="store_true", help="print JSON, for programs")


def _add_address(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--ip", required=True, help="the ASIC's address, such as 192.168.1.50")
    parser.add_argument("--model", help='what it is, such as "Antminer S19 Pro"; default: the sentry finds out')
    parser.add_argument("--port", help="the port of its API, if it is not the usual one")


def _store_path() -> Path:
    return prepare_data_dir(settings_from(os.environ).data_dir) / "sentry.db"


@contextmanager
def _store() -> Iterator[sqlite3.Connection]:
    from asic_sentry.asics.store import KEPT, SCHEMA

    with kit.changing(_store_path(), SCHEMA, KEPT) as db:
        yield db


def _user_agent() -> str:
    from sentry_kit.agent import user_agent

    return user_agent(DISTRIBUTION)


def _run(_arguments: argparse.Namespace) -> int:
    from asic_sentry.run import run  # the page, which the other commands do without

    settings = settings_from(os.environ)
    log_to_stderr()
    run(settings)
    return 0


def _page(_arguments: argparse.Namespace) -> int:
    from sentry_kit.local_page.one_time import one_time_address

    say(one_time_address(settings_from(os.environ).data_dir, "asic-sentry", f"{PREFIX}DATA_DIR"))
    return 0


def _connect(arguments: argparse.Namespace) -> int:
    from asic_sentry.connect import connect

    site_token = token_of(arguments.site_token) if arguments.site_token else None
    commander = asyncio.run(connect(_store_path(), arguments.url, site_token, _user_agent()))
    say(f"Connected to {commander.url}.")
    return 0


def _add(arguments: argparse.Namespace) -> int:
    from asic_sentry.addresses import check_address
    from asic_sentry.asics.addition import add

    check_address(arguments.ip, arguments.port)
    token = token_of(arguments.token)
    added = asyncio.run(add(_store_path(), arguments.ip, arguments.port, arguments.model, token, _user_agent()))
    say(f"Added {added.model} at {added.ip} as “{added.rig}”.")
    return 0


def _remove(arguments: argparse.Namespace) -> int:
    from asic_sentry.addresses import check_address
    from asic_sentry.asics.store import remove_asic

    ip, _ = check_address(arguments.ip, None)
    with _store() as db:
        if not remove_asic(db, ip):
            raise SentryError(f"No ASIC is listed at {ip}; asic-sentry list says which are.")
    say(f"The ASIC at {ip} is no longer polled. Its rig stays in the commander until it is removed there.")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    from sentry_kit.service import is_running

    from asic_sentry.asics.asic import override_for
    from asic_sentry.asics.store import load_asics, load_model_overrides
    from asic_sentry.listing import as_json, asic_lines, asic_out

    with _store() as db:
        asics = load_asics(db)
        models = {key: entry.override for key, entry in load_model_overrides(db).items()}
    running = is_running(settings_from(os.environ).data_dir)
    if arguments.json:
        say(as_json([asic_out(asic, override_for(asic, models), running=running) for asic in asics]))
    else:
        say(
            "\n".join(asic_lines(asics, running=running))
            or "No ASICs are listed yet; asic-sentry add, or scan, adds some."
        )
    return 0


def _set(arguments: argparse.Namespace) -> int:
    from asic_sentry.asics.overrides import enter

    if (arguments.ip is None) == (arguments.model is None):
        raise BadUse("Say which ASIC with --ip, or which model with --model.")
    with _store() as db:
        say(enter(db, arguments.ip, arguments.model, arguments.power_w, arguments.coin))
    return 0


def _scan(arguments: argparse.Namespace) -> int:
    from asic_sentry.scan_once import scan_once

    return scan_once(_store_path(), arguments, _user_agent())


def _login(ip: str, model: str | None) -> "Login | None":
    """Returns the log-in that was entered for the ASIC; None also if there is no store that can be read."""
    from asic_sentry.asics.logins import load_logins, login_for

    try:
        with _store() as db:
            return login_for(load_logins(db), ip, model)
    except SentryError:
        return None


def _password(arguments: argparse.Namespace) -> int:
    from asic_sentry.access import Login
    from asic_sentry.asics.logins import enter_login

    if (arguments.ip is None) == (arguments.model is None):
        raise BadUse("Say which ASIC with --ip, or which model with --model.")
    login = None if arguments.remove else Login(arguments.user, typed_secret("The ASIC's password: "))
    with _store() as db:
        say(enter_login(db, arguments.ip, arguments.model, login))
    return 0


def _record(arguments: argparse.Namespace) -> int:
    from sentry_kit.recording import write_recording

    from asic_sentry.addresses import check_address
    from asic_sentry.record import record

    ip, port = check_address(arguments.ip, arguments.port)
    login = _login(ip, arguments.model)
    recording = asyncio.run(record(ip, port, arguments.model, login, version(DISTRIBUTION)))
    if all(each.answer is None for each in recording.answers):
        raise SentryError(f"Nothing was recorded: {recording.answers[0].failure}")
    write_recording(arguments.file, recording)
    of = f"the dialect {recording.speaks}" if recording.speaks else "a device that no dialect reads"
    masked = "Addresses, MACs, serials, accounts and wallets are replaced"
    say(f"Wrote {arguments.file}: answers of {of}. {masked}; look through it before you send it.")
    return 0


def _poll(arguments: argparse.Namespace) -> int:
    from asic_sentry.addresses import check_address
    from asic_sentry.failures import PollFailure
    from asic_sentry.poll_once import answer_text, poll_once  # the dialects: `connect` does without

    ip, port = check_address(arguments.ip, arguments.port)
    answer = asyncio.run(poll_once(ip, port, arguments.model, _login(ip, arguments.model)))
    if arguments.json or not isinstance(answer, PollFailure):
        say(answer_text(answer, as_json=arguments.json))
    if isinstance(answer, PollFailure):
        raise SentryError(f"{ip} gave no figures ({answer.kind}): {answer.detail}")
    return 0
