"""The commands `install-service` and `uninstall-service` of both sentries."""

import argparse

from protocol.services import Service

from sentry_kit.command_line import CommandLine, say
from sentry_kit.errors import SentryError


def add_service_commands(line: CommandLine, service: Service) -> None:
    def install(arguments: argparse.Namespace) -> int:
        from protocol.service_setup import ServiceProblem, install_service, rendered

        if arguments.print:
            say(rendered(service).rstrip())
            return 0
        try:
            install_service(service, say, start=not arguments.no_start)
        except ServiceProblem as error:
            raise SentryError(str(error)) from error
        return 0

    def uninstall(_arguments: argparse.Namespace) -> int:
        from protocol.service_setup import ServiceProblem, uninstall_service

        try:
            uninstall_service(service, say)
        except ServiceProblem as error:
            raise SentryError(str(error)) from error
        return 0

    command = line.command("install-service", install, "start the sentry with this machine, by systemd or Windows")
    command.add_argument("--print", action="store_true", help="print the service, and change nothing")
    command.add_argument("--no-start", action="store_true", help="do not start it now")
    line.command("uninstall-service", uninstall, "stop and remove the service; its data stays")
