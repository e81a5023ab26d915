"""The line that a person types on a rig to install a sentry."""

from dataclasses import dataclass

from commander import VERSION
from commander.settings import Settings
from commander.tls import CertificateFacts
from commander.wheels.store import WheelStore


@dataclass(frozen=True, slots=True)
class Installing:
    """The commander as a line names it.

    `key_pin` is the SHA-256, in base64, of the key of the certificate that it serves with; None if that certificate is
    one that the system's roots verify. `is_ready`: the store has the sentries' wheels.
    """

    url: str
    key_pin: str | None
    is_ready: bool


def installing_of(settings: Settings, certificate: CertificateFacts | None, store: WheelStore) -> Installing:
    key_pin = certificate.key_pin if certificate else None
    return Installing(settings.public_url, key_pin, store.has("minewarden-cpu-gpu-sentry", VERSION))


def linux_line(installing: Installing, script: str, words: str) -> str:
    """Returns the line for a shell. `words` are the token and further arguments.

    With the pin curl accepts exactly that key, and ends with code 90 for any other.
    """
    return f"curl {_options(installing, quote=chr(39))} {installing.url}/install/{script}.sh | sudo sh -s -- {words}"


def windows_line(installing: Installing, script: str, words: str) -> str:
    """Returns the line for PowerShell. curl.exe is a part of Windows 10 and newer."""
    file = f'"$env:TEMP\\minewarden-{script}.ps1"'
    return (
        f"curl.exe {_options(installing, quote=chr(34))} -o {file} {installing.url}/install/{script}.ps1; "
        f"if ($?) {{ powershell -ExecutionPolicy Bypass -File {file} {words} }}"
    )


def _options(installing: Installing, *, quote: str) -> str:
    if installing.key_pin is None:
        return "-fsS"
    return f"-fsSk --pinnedpubkey {quote}sha256//{installing.key_pin}{quote}"
