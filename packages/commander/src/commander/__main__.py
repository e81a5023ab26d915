"""The `commander` command."""

import getpass
import logging
import os
import sqlite3
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from protocol.reasons import reason
from protocol.service_setup import ServiceProblem

from commander import VERSION
from commander.accounts.domain import KEY_DAYS_MOST, AccountError, Role, check_new_password
from commander.garbage import collect_rarely, leave_out_what_exists
from commander.problems import CommandProblem, DatabaseProblem, WrongUse
from commander.service_unit import SERVICE
from commander.settings import Settings, load_settings

# Modules that are slow to import, such as those of the database, are imported by the commands that need them.

cli = typer.Typer(
    name="commander",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
keys = typer.Typer(rich_markup_mode=None)
cli.add_typer(keys, name="api-key")


def say_version(is_asked_for: bool) -> None:
    if is_asked_for:
        typer.echo(f"commander {VERSION}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", help="Print the version and end.", is_eager=True, callback=say_version)
]

MAY_EVERYTHING = (
    "WARNING: this key may do everything{end}: a person who has it decides what all rigs mine. If the script needs "
    "less, revoke the key, and make one with a role and an end, such as --role view --days 90."
)
KNOWN = (CommandProblem, AccountError, DatabaseProblem, ServiceProblem)  # their text is for people
PassphraseFile = Annotated[
    Path | None, typer.Option("--passphrase-file", metavar="FILE", help="A file with the backup's passphrase.")
]
KeyName = Annotated[str, typer.Argument(metavar="NAME", help="The name of the key.")]


@keys.callback()
def keys_top(version: Version = False) -> None:
    """Keys for scripts that use the commander's API."""


@cli.callback()
def top(version: Version = False) -> None:
    """Minewarden's commander: the web server of a mining farm."""


@cli.command("serve")
def serve_command(
    new: Annotated[
        bool, typer.Option("--new", help="Begin a new farm where the database of the old one is lost.")
    ] = False,
    without_copy: Annotated[
        bool, typer.Option("--without-copy", help="Change the tables after an update without a copy of the database.")
    ] = False,
    version: Version = False,
) -> None:
    """Run everything in one process: web pages, API, intake, jobs. Settings come from the environment."""
    from commander.serve import CannotServe, serve

    try:
        serve(settings(), is_new=new, with_copy=not without_copy)
    except CannotServe as error:
        end(str(error))


@cli.command("ingest")
def ingest_command(version: Version = False) -> None:
    """Run a worker: it writes logs from the queue to the database. Needs COMMANDER_NATS_URL."""
    chosen = settings()
    if not chosen.nats_url:
        raise WrongUse(
            "There is no queue to take logs from: set COMMANDER_NATS_URL. `commander serve` needs no worker."
        )
    from commander.scaled.ingest_command import ingest

    ingest(chosen)


@cli.command("set-password")
def set_password(
    no_second_factor: Annotated[
        bool, typer.Option("--no-second-factor", help="Also switch the owner's second factor off: the phone is lost.")
    ] = False,
    version: Version = False,
) -> None:
    """Set the dashboard's password. It is typed twice, or read once from standard input. Ends every session."""
    from commander.account_command import with_account_actions

    chosen = settings()
    password = read_password()
    with_account_actions(
        chosen,
        lambda account_actions: account_actions.set_password(password, forget_second_factor=no_second_factor),
    )
    typer.echo("The password is set; every session has ended.")
    if chosen.password is not None:
        typer.echo("COMMANDER_PASSWORD is set too: it becomes the password again at the next start.", err=True)


@keys.command("create")
def create_key(
    name: KeyName,
    role: Annotated[
        Role | None,
        typer.Option(
            "--role", help="What the key may do: metrics opens /metrics alone, own opens everything (default)."
        ),
    ] = None,
    days: Annotated[
        int | None, typer.Option("--days", min=1, max=KEY_DAYS_MOST, help="How long it is valid; else until revoked.")
    ] = None,
    version: Version = False,
) -> None:
    """Make a key and print it. It is shown only once."""
    from commander.account_command import with_account_actions

    _, text = with_account_actions(
        settings(), lambda account_actions: account_actions.create_api_key(name, role or Role.OWN, days=days)
    )
    if role is None:
        typer.echo(MAY_EVERYTHING.format(end="" if days else " and has no end"), err=True)
    typer.echo(f"API key {name.strip()} (it is not shown again): {text}")


@keys.command("list")
def list_keys(version: Version = False) -> None:
    """List all keys: the role of each, until when it is valid, and when it was last used."""
    from commander.account_command import with_account_actions

    for key in with_account_actions(settings(), lambda account_actions: account_actions.api_keys()):
        used = f"{key.last_used_at:%Y-%m-%d %H:%M} UTC" if key.last_used_at else "never"
        until = f"{key.expires_at:%Y-%m-%d %H:%M} UTC" if key.expires_at else "revoked"
        made = f"{key.created_at:%Y-%m-%d %H:%M} UTC"
        typer.echo(f"{key.name}\tmade {made}\tlast used {used}\trole {key.role}\tvalid until {until}")


@keys.command("revoke")
def revoke_key(name: KeyName, version: Version = False) -> None:
    """Revoke a key. It stops working immediately."""
    from commander.account_command import with_account_actions

    with_account_actions(settings(), lambda account_actions: account_actions.revoke_api_key_named(name))
    typer.echo(f"API key {name} is revoked.")


@cli.command("backup")
def backup_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write. It must not exist.")],
    passphrase_file: PassphraseFile = None,
    version: Version = False,
) -> None:
    """Copy the farm into one file while it runs: the database, and the keys that the sentries trust."""
    from commander.backup.make import backup
    from commander.backup.passphrase import IN_CLEAR, passphrase_of
    from commander.backup.swap import check_nothing_pending
    from commander.damage import check_database
    from commander.lock import CommanderRuns, only_commander

    chosen = settings()
    passphrase = passphrase_of(chosen, passphrase_file)
    check_nothing_pending(chosen)
    if chosen.data_dir.exists():
        with suppress(CommanderRuns, OSError), only_commander(chosen):  # one runs, or the disk is read-only
            check_database(chosen, is_new=False)
    backup(chosen, file, passphrase=passphrase)
    if passphrase is None:
        typer.echo(IN_CLEAR.format(path=file), err=True)


@cli.command("restore")
def restore_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `commander backup` wrote.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the farm that is there.")] = False,
    passphrase_file: PassphraseFile = None,
    revoke_keys: Annotated[
        bool | None,
        typer.Option("--revoke-keys/--keep-keys", help="Revoke or keep keys and tokens that are valid again."),
    ] = None,
    version: Version = False,
) -> None:
    """Restore a backup. The commander must not run. If the restore fails, the old farm stays. Ends every session."""
    from commander.backup.asking import revokes_by
    from commander.backup.passphrase import passphrase_of, typed_passphrase
    from commander.backup.restore import restore

    chosen = settings()
    known = passphrase_of(chosen, passphrase_file)
    restore(
        chosen,
        file,
        force=force,
        passphrase=lambda: known if known is not None else typed_passphrase(file),
        revokes=revokes_by(revoke_keys),
    )


@cli.command("migrate-data")
def migrate_data_command(
    to: Annotated[str, typer.Option("--to", help="postgresql://USER@HOST/DATABASE; PGPASSWORD has the password.")],
    version: Version = False,
) -> None:
    """Copy the farm from SQLite to an empty PostgreSQL database. After a kill, type it again: it continues."""
    from commander.migrate_data.copy_farm import copy_farm

    copy_farm(settings(), to)
    typer.echo("The farm is copied. Set COMMANDER_DATABASE_URL to the new database and start the commander.")


@cli.command("fetch-packages")
def fetch_packages_command(version: Version = False) -> None:
    """Fetch all wheels that sentries need, for rigs without internet. Typed again, it fetches what is missing."""
    from commander.wheels.fetching import fetch_packages

    chosen = settings()
    chosen.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    fetch_packages(chosen.data_dir, typer.echo)


@cli.command("install-service")
def install_service_command(
    show: Annotated[bool, typer.Option("--print", help="Print the service, and change nothing.")] = False,
    no_start: Annotated[bool, typer.Option("--no-start", help="Do not start it now.")] = False,
    packages_follow: Annotated[bool, typer.Option("--packages-follow", hidden=True)] = False,
    version: Version = False,
) -> None:
    """Run the commander as a service of this machine: user, unit, data folder, start. Prints address and password."""
    from protocol.service_setup import rendered

    from commander.own_service import install, settings_of_service

    if show:
        typer.echo(rendered(SERVICE).rstrip())
    else:
        chosen = settings_of_service(SERVICE)
        install(SERVICE, chosen, typer.echo, start=not no_start, packages_follow=packages_follow)


@cli.command("uninstall-service")
def uninstall_service_command(version: Version = False) -> None:
    """Stop and remove the service. The data stays."""
    from protocol.service_setup import uninstall_service

    uninstall_service(SERVICE, typer.echo)


def settings() -> Settings:
    return load_settings(os.environ)


def read_password() -> str:
    if not sys.stdin.isatty():
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = getpass.getpass("New password: ")
        if getpass.getpass("Once more: ") != password:
            raise WrongUse("The two passwords differ; nothing was changed.")
    check_new_password(password)
    return password


def main() -> None:
    os.umask(0o077)  # what the commander keeps is for its own eyes
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs each address, and some have a secret in them
    collect_rarely()
    try:
        sys.exit(run_or_end())
    finally:
        leave_out_what_exists()


def run_or_end() -> int:
    """Runs the typed command. Errors of the farm, its database and its disk end it with one sentence."""
    try:
        return run()
    except KNOWN as error:
        end(str(error))
    except (sqlite3.Error, OSError) as error:
        place = f"{error.filename}: " if isinstance(error, OSError) and error.filename else ""
        look = "Look at COMMANDER_DATA_DIR, its rights and its disk."
        end(f"The commander's data can't be used ({place}{reason(error)}). {look}")
    except typer.Abort:  # Ctrl-D: every question but the last one of a restore comes before the first change
        end("Nothing was typed, and nothing was changed.")
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        end_if_of_database(error)
        raise


def run() -> int:
    """Runs the typed command. Wrong usage ends with code 2 and one sentence, as in all our programs."""
    try:
        return int(cli(prog_name="commander", standalone_mode=False) or 0)
    except Exception as error:
        if getattr(error, "exit_code", None) != 2:  # typer's classes for this are its own
            raise
        typed = getattr(error, "ctx", None)
        program = typed.command_path if typed else "commander"
        sys.stderr.write(f"{program}: {str(error).strip().rstrip('.')}; see {program} --help.\n")
        return 2


def end_if_of_database(error: Exception) -> None:
    """Ends the command if the error is one of the database's driver."""
    from sqlalchemy.exc import DBAPIError

    if isinstance(error, DBAPIError):
        end(f"The commander's database can't be used: {error.orig}.")


def end(sentence: str) -> NoReturn:
    sys.stderr.write(f"commander: {sentence}\n")
    sys.exit(1)


if __name__ == "__main__":
    main()
