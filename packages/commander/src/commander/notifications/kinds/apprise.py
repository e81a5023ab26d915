"""Everything else, by Apprise: the optional extra `minewarden-commander[notify-all]`.

Apprise needs 36 MB and half a second to load, and blocks. So it runs in a child process that ends after the message.
"""

import asyncio
import os
import sys
from contextlib import suppress
from importlib.util import find_spec
from typing import Annotated

import msgspec
from msgspec import Meta

from commander.notifications.apprise_child import ChildAnswer, ChildOrder
from commander.notifications.failures import DeliveryFailure
from commander.notifications.kinds.kind import ChannelKind, FormField, SafeNetwork
from commander.notifications.messages import Message, full_text
from commander.notifications.news import Event

TIMEOUT_S = 40.0
_TEXT_MAX = 10_000
_INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "SYSTEMROOT")


class AppriseSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    url: Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9+.-]*://\S+$", max_length=2000)]


def is_installed() -> bool:
    return find_spec("apprise") is not None


async def send(settings: AppriseSettings, message: Message, network: SafeNetwork) -> None:
    if not is_installed():
        raise DeliveryFailure("Apprise is not installed. Install it: pip install 'minewarden-commander[notify-all]'.")
    order = ChildOrder(
        url=settings.url,
        title=message.heading,
        body=full_text(message, most=_TEXT_MAX),
        kind="success" if message.event is Event.CLOSED else "failure" if message.is_urgent else "warning",
        loopback=network.loopback,
    )
    answer = await _in_child(msgspec.json.encode(order))
    if answer.error:
        raise DeliveryFailure(answer.error, is_final=answer.is_final)


async def _in_child(order: bytes) -> ChildAnswer:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "commander.notifications.apprise_child"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={name: os.environ[name] for name in _INHERITED if name in os.environ},
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            output, _ = await process.communicate(order)
    except TimeoutError as error:
        raise DeliveryFailure(f"Apprise did not end within {TIMEOUT_S:g} s.") from error
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    try:
        return msgspec.json.decode(output, type=ChildAnswer)
    except msgspec.DecodeError as error:
        raise DeliveryFailure(f"Apprise ended without an answer (exit status {process.returncode}).") from error


KIND = ChannelKind(
    "apprise",
    "Other (Apprise)",
    AppriseSettings,
    (FormField("url", "Apprise URL", "For example matrix://user:password@host/#room.", secret=True),),
    send,
)
