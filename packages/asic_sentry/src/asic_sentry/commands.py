"""The commands of the ASIC sentry. Scanning and the list of ASICs come with a later version."""

import argparse
import asyncio
import os
from importlib.metadata import version

from sentry_kit.command_line import CommandLine, log_to_stderr, say
from sentry_kit.errors import SentryError
from sentry_kit.settings import prepare_data_dir

from asic_sentry.settings import settings_from

DISTRIBUTION = "minewarden-asic-sentry"


def command_line() -> CommandLine:
    line = CommandLine("asic-sentry", DISTRIBUTION, "Minewarden's agent in the ASICs' network, read-only.")
    line.command("run", _run, "run the local page, until SIGTERM or Ctrl-C; this version polls no ASICs by itself yet")
    connect = line.command("connect", _connect, "check that a commander answers there, then store which one")
    connect.add_argument("--url", required=True, help="of the commander, such as https://commander.lan:8443")
    connect.add_argument("--site-token", help="of this site; needed where the commander has its own certificate")
    poll = line.command("poll", _poll, "identify and poll one ASIC once; needs no commander")
    poll.add_argument("--ip", required=True, help="of the ASIC, such as 192.168.1.50")
    poll.add_argument("--model", help='what it is, such as "Antminer S19 Pro"; otherwise it is found out')
    poll.add_argument("--port", help="of its API, if it is not the usual one")
    poll.add_argument("--json", action="store_true", help="for programs")
    return line


def _run(_arguments: argparse.Namespace) -> int:
    from asic_sentry.run import run  # the page, which the other command does without

    settings = settings_from(os.environ)
    log_to_stderr()
    run(settings, version(DISTRIBUTION))
    return 0


def _connect(arguments: argparse.Namespace) -> int:
    from asic_sentry.connect import STORE, connect

    path = prepare_data_dir(settings_from(os.environ).data_dir) / STORE
    agent = f"{DISTRIBUTION}/{version(DISTRIBUTION)}"
    commander = asyncio.run(connect(path, arguments.url, arguments.site_token, agent))
    say(f"Connected to {commander.url}.")
    return 0


def _poll(arguments: argparse.Namespace) -> int:
    from asic_sentry.failures import PollFailure
    from asic_sentry.poll_once import answer_text, check_address, poll_once  # the dialects: `connect` does without

    ip, port = check_address(arguments.ip, arguments.port)
    answer = asyncio.run(poll_once(ip, port, arguments.model))
    if arguments.json or not isinstance(answer, PollFailure):
        say(answer_text(answer, as_json=arguments.json))
    if isinstance(answer, PollFailure):
        raise SentryError(f"{ip} gave no figures ({answer.kind}): {answer.detail}")
    return 0
