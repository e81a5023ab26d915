"""A playbook's script as this rig runs it. Pure, so that both platforms' are tested anywhere."""

import hashlib
from pathlib import Path

from protocol.playbook_messages import API_PORT, API_TOKEN, Platform, Playbook

from cpu_gpu_sentry.playbooks.errors import Refused

_SHEBANG = "#!/bin/sh\n"
_SUFFIXES = {Platform.LINUX: ".sh", Platform.WINDOWS: ".bat"}


def script_body(playbook: Playbook, port: int) -> bytes:
    """The whole file, with the port in place; raises `Refused`."""
    if "\0" in playbook.script:
        raise Refused("The script holds a NUL character; write it again in the commander.")
    text = playbook.script.replace(API_PORT, str(port)).replace("\r\n", "\n").rstrip("\n") + "\n"
    if playbook.platform is Platform.WINDOWS:
        return text.replace("\n", "\r\n").encode()
    return (text if text.startswith("#!") else _SHEBANG + text).encode()


def with_token(body: bytes, api_token: str | None) -> bytes:
    """Returns the script with its API's token. Changes are detected on the script without it."""
    return body.replace(API_TOKEN.encode(), (api_token or "").encode())


def script_name(body: bytes, platform: Platform) -> str:
    """Returns the script's file name. Another body has another name, so a running script is never overwritten."""
    return f"script-{fingerprint(body)[:12]}{_SUFFIXES[platform]}"


def script_command(path: Path, platform: Platform) -> list[str]:
    """Returns the command that runs the script; the folder need not allow execution."""
    if platform is Platform.WINDOWS:
        return ["cmd.exe", "/d", "/c", str(path)]
    return ["/bin/sh", str(path)]


def fingerprint(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
