"""The passphrase of a backup: from a file, a setting or the terminal."""

import getpass
import sys
from pathlib import Path

from protocol.reasons import reason

from commander.backup import BackupProblem
from commander.backup.encryption import LEAST_CHARACTERS
from commander.settings import Settings

HINT = "--passphrase-file FILE, or COMMANDER_BACKUP_PASSPHRASE"
IN_CLEAR = (
    "NOT ENCRYPTED: {path} holds the certificate authority's key, the key that signs what rigs run, and the hashes of "
    "the password, keys and tokens. Anyone with this file can control every rig. Encrypt backups with " + HINT + "."
)


def passphrase_of(settings: Settings, file: Path | None) -> str | None:
    """Returns the passphrase of the file, or else of the setting; None if neither is given. Raises `BackupProblem`."""
    if file is None:
        return settings.backup_passphrase
    try:
        text = file.expanduser().read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BackupProblem(f"The passphrase in {file} can't be read ({reason(error)}).") from error
    if not text:
        raise BackupProblem(f"{file} is empty: write the passphrase into its first line.")
    return text


def checked_passphrase(passphrase: str) -> str:
    """Raises `BackupProblem` if it is too short to protect a file that can be tried for ever."""
    if len(passphrase) < LEAST_CHARACTERS:
        raise BackupProblem(f"A passphrase has {LEAST_CHARACTERS} characters or more; choose a longer one.")
    return passphrase


def typed_passphrase(path: Path) -> str:
    """Asks at the terminal. Raises `BackupProblem` if there is none."""
    if not sys.stdin.isatty():
        raise BackupProblem(f"{path} is encrypted: give its passphrase with {HINT}.")
    return getpass.getpass(f"Passphrase of {path.name}: ")
