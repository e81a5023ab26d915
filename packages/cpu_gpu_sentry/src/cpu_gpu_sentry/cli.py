"""The commands of the sentry: each reads its arguments, calls one function and prints."""

import argparse
import asyncio
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import msgspec
from protocol.reasons import reason
from sentry_kit import store
from sentry_kit.command_line import OR_ASKED, CommandLine, log_to_stderr, say, token_of
from sentry_kit.errors import BadUse, SentryError
from sentry_kit.parsing import BadReply
from sentry_kit.service_commands import add_service_commands
from sentry_kit.settings import prepare_data_dir

from cpu_gpu_sentry.miners.parsing import patient
from cpu_gpu_sentry.miners.registry import SOFTWARE
from cpu_gpu_sentry.service_unit import SERVICE
from cpu_gpu_sentry.settings import DISTRIBUTION, PREFIX, Settings, settings_from
from cpu_gpu_sentry.watches import add_watch, check_port, check_watch, remove_watch

_ANSWER_LIMIT_BYTES = 1024 * 1024


def command_line() -> CommandLine:
    line = CommandLine("cpu-gpu-sentry", DISTRIBUTION, "Minewarden's agent on a CPU/GPU rig.")
    line.command("run", _run, "run the agent and its local page, until SIGTERM or Ctrl-C")
    enroll = line.command("enroll", _enroll, "check a commander's URL and this rig's token, then store them")
    enroll.add_argument("--url", required=True, help="the commander's address, such as https://commander.lan:8443")
    enroll.add_argument("--token", help=f"this rig's token, or a farm token; the commander showed it once; {OR_ASKED}")
    status = line.command("status", _status, "print the state of the sentry and its miners")
    status.add_argument("--json", action="store_true", help="print JSON, for programs")
    line.command("page", _page, "print an address that opens the local page for changes, once, within ten minutes")
    leave = line.command(
        "leave", _leave, "stop and delete all that playbooks installed, and disconnect from the commander"
    )
    leave.add_argument(
        "--yes", action="store_true", help="do not ask for confirmation; without a terminal it is never asked for"
    )
    image = line.command(
        "prepare-image",
        _prepare_image,
        "forget this rig and keep the farm token: each copy of the disk enrolls by itself",
    )
    image.add_argument("--url", help="the commander's address, if this machine has no farm token yet")
    image.add_argument("--token", help=f"a farm token, with --url; {OR_ASKED}")
    _add_watch_commands(line)
    add_service_commands(line, SERVICE)
    return line


def _add_watch_commands(line: CommandLine) -> None:
    supported = ", ".join(sorted(SOFTWARE))
    watch = line.command("watch", _watch, "also report a miner that you run yourself, or find them all")
    watch.add_argument("software", metavar="SOFTWARE", nargs="?", help=f"one of {supported}")
    watch.add_argument("--port", help="the port of the miner's API")
    watch.add_argument("--host", help="the host of the miner's API; default: 127.0.0.1")
    watch.add_argument(
        "--discover", action="store_true", help="find the miners that run on this machine, and watch them"
    )
    watch.add_argument("--dry-run", action="store_true", help="with --discover: only print what was found")
    watch.add_argument(
        "--access-token-file",
        metavar="FILE",
        help="a file with the access token of the miner's API; - reads standard input",
    )
    watch.add_argument("--coin", default="", help="the coin that it mines, if the algorithm does not determine it")
    unwatch = line.command("unwatch", _unwatch, "stop reporting a miner")
    unwatch.add_argument("--port", required=True, help="the port that was given to `watch`")
    _add_record_command(line, supported)
    parse = line.command(
        "parse", _parse, "print the values that the sentry reads from recorded answers of mining software"
    )
    parse.add_argument("software", metavar="SOFTWARE", help=f"one of {supported}")
    parse.add_argument(
        "files", metavar="FILE", nargs="+", type=Path, help="one file for each request, in the order of the requests"
    )


def _add_record_command(line: CommandLine, supported: str) -> None:
    record = line.command("record", _record, "write a miner's answers to a file, masked, for a bug report")
    record.add_argument("software", metavar="SOFTWARE", help=f"one of {supported}")
    record.add_argument("file", metavar="FILE", type=Path, help="the file to write; it must not exist yet")
    record.add_argument("--port", required=True, help="the port of the miner's API")
    record.add_argument("--host", default="127.0.0.1", help="the host of the miner's API; default: %(default)s")
    record.add_argument("--access-token-file", metavar="FILE", help="a file with the access token of the miner's API")


def _settings() -> Settings:
    return settings_from(os.environ)


@contextmanager
def _store() -> Iterator[sqlite3.Connection]:
    from cpu_gpu_sentry.enrolment import KEPT, SCHEMA, STORE

    path = prepare_data_dir(_settings().data_dir) / STORE
    with store.changing(path, SCHEMA, KEPT) as db:
        yield db


def _run(_arguments: argparse.Namespace) -> int:
    from cpu_gpu_sentry.run import run  # the page and the sensors: the other commands do without

    settings = _settings()
    log_to_stderr()
    run(settings)
    return 0


def _enroll(arguments: argparse.Namespace) -> int:
    from sentry_kit.agent import user_agent

    from cpu_gpu_sentry.enrolment import STORE, enroll

    path = prepare_data_dir(_settings().data_dir) / STORE
    enrolment = asyncio.run(enroll(path, arguments.url, token_of(arguments.token), user_agent(DISTRIBUTION)))
    say(f"Enrolled as “{enrolment.rig_name}” at {enrolment.url}.")
    return 0


def _prepare_image(arguments: argparse.Namespace) -> int:
    from cpu_gpu_sentry.enrolment import STORE, prepare_image

    if arguments.token is not None and arguments.url is None:
        raise BadUse("Give --url together with --token.")
    path = prepare_data_dir(_settings().data_dir) / STORE
    farm = asyncio.run(prepare_image(path, arguments.url, token_of(arguments.token) if arguments.url else None))
    say(f"Ready. Switch this machine off and copy its disk: each copy enrolls by itself at {farm.url} when it starts.")
    return 0


def _status(arguments: argparse.Namespace) -> int:
    from cpu_gpu_sentry.status import read_status, status_lines

    status = read_status(prepare_data_dir(_settings().data_dir))
    if arguments.json:
        say(msgspec.json.format(msgspec.json.encode(status)).decode())
    else:
        say("\n".join(status_lines(status)))
    return 0


def _page(_arguments: argparse.Namespace) -> int:
    from sentry_kit.local_page.one_time import one_time_address

    say(one_time_address(_settings().data_dir, "cpu-gpu-sentry", f"{PREFIX}DATA_DIR"))
    return 0


def _leave(arguments: argparse.Namespace) -> int:
    from cpu_gpu_sentry.enrolment import STORE, leave

    path = prepare_data_dir(_settings().data_dir) / STORE
    if sys.stdin.isatty() and not arguments.yes:
        answer = input(
            "Stop and delete what playbooks run and installed, and forget the commander, its token and the logs that "
            "wait for it? [y/N] "
        )
        if answer.strip().lower() not in ("y", "yes"):
            raise SentryError("Nothing was changed.")
    leave(path)
    say("The commander is forgotten. The rig stays listed there until it is removed there.")
    return 0


def _watch(arguments: argparse.Namespace) -> int:
    if arguments.discover:
        return _discover(arguments)
    if arguments.software is None or arguments.port is None or arguments.dry_run:
        raise BadUse("Give SOFTWARE and --port, or give --discover to find the miners that run on this machine.")
    token = _access_token(arguments.access_token_file)
    watch = check_watch(arguments.software, arguments.port, arguments.host or "", arguments.coin, token)
    with _store() as db:
        add_watch(db, watch)
    say(f"Watching {SOFTWARE[watch.software].title} on {watch.host} port {watch.port}.")
    return 0


def _discover(arguments: argparse.Namespace) -> int:
    from cpu_gpu_sentry.discover_command import discover_miners

    if arguments.software or arguments.port or arguments.host or arguments.coin:
        raise BadUse("--discover finds software and port by itself; leave SOFTWARE, --port, --host and --coin out.")
    token = _access_token(arguments.access_token_file) or None
    for text in discover_miners(_store, token and token.strip(), dry_run=arguments.dry_run):
        say(text)
    return 0


def _access_token(file: str | None) -> str:
    """Returns the file's first line. The token is not an argument: all users of a machine can read those."""
    if file is None:
        return ""
    try:
        token = sys.stdin.readline() if file == "-" else Path(file).read_text(errors="replace").partition("\n")[0]
    except OSError as error:
        raise SentryError(f"{file} can't be read ({reason(error)}).") from error
    if not token.strip():
        raise SentryError(f"There is no access token in {'standard input' if file == '-' else file}.")
    return token


def _unwatch(arguments: argparse.Namespace) -> int:
    port = check_port(arguments.port)
    with _store() as db:
        was_watched = remove_watch(db, port)
    if not was_watched:
        raise SentryError(f"Nothing is watched on port {port}; cpu-gpu-sentry status lists what is.")
    say(f"No longer watching port {port}.")
    return 0


def _record(arguments: argparse.Namespace) -> int:
    from sentry_kit.recording import write_recording

    from cpu_gpu_sentry.miners.record import record

    token = _access_token(arguments.access_token_file)
    watch = check_watch(arguments.software, arguments.port, arguments.host, "", token)
    recording = asyncio.run(record(watch, version(DISTRIBUTION)))
    if all(each.answer is None for each in recording.answers):
        raise SentryError(f"Nothing was recorded: {recording.answers[0].failure}")
    write_recording(arguments.file, recording)
    say(f"Wrote {arguments.file}. Addresses, accounts and tokens are replaced; look through it before you send it.")
    return 0


def _parse(arguments: argparse.Namespace) -> int:
    software = SOFTWARE.get(arguments.software)
    if software is None:
        raise BadUse(f"“{arguments.software}” is not supported; this version reads {', '.join(sorted(SOFTWARE))}.")
    if len(arguments.files) > len(software.questions):
        paths = " and ".join(question.path for question in software.questions)
        raise BadUse(f"{software.title} is asked for {paths} only; give one file for each.")
    try:
        reading = patient(software.parse([_answer(path) for path in arguments.files]))
    except BadReply as error:
        raise SentryError(str(error)) from error
    say(msgspec.json.format(msgspec.json.encode(reading)).decode())
    return 0


def _answer(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            answer = file.read(_ANSWER_LIMIT_BYTES + 1)
    except OSError as error:
        raise SentryError(f"{path} can't be read ({reason(error)}).") from error
    if len(answer) > _ANSWER_LIMIT_BYTES:
        raise SentryError(f"{path} is larger than 1 MiB, which no mining software answers.")
    return answer
