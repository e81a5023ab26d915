"""E-mail over SMTP. Encryption by STARTTLS is required unless the channel says otherwise."""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from enum import StrEnum
from typing import Annotated

import aiosmtplib
import msgspec
from msgspec import Meta

from commander.notifications.failures import DeliveryFailure, PartlySent
from commander.notifications.kinds.checks import Line, Secret
from commander.notifications.kinds.kind import ChannelKind, FormField, SafeNetwork
from commander.notifications.messages import Message, cut, full_text
from commander.notifications.safe_addresses import allowed_addresses
from commander.notifications.safe_http import excerpt

TIMEOUT_S = 20.0
_STEP_TIMEOUT_S = 10.0
_QUIT_TIMEOUT_S = 2.0  # shorter than the time that a commander which stops leaves to its senders
_SUBJECT_MAX = 200
_TEXT_MAX = 50_000
MailAddress = Annotated[str, Meta(pattern=r"^[^\s@<>,;\"]+@[^\s@<>,;\"]+$", max_length=320)]
HostName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9.:_-]+$", max_length=253)]


class MailSecurity(StrEnum):
    """`none` sends mail and password in clear."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


_PORTS = {MailSecurity.STARTTLS: 587, MailSecurity.TLS: 465, MailSecurity.NONE: 25}


class EmailSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`port` 0 is the usual one of the encryption: 587, 465 or 25."""

    host: HostName
    port: Annotated[int, Meta(ge=0, le=65535)] = 0
    security: MailSecurity = MailSecurity.STARTTLS
    username: Line = ""
    password: Secret = ""
    sender: MailAddress
    recipients: Annotated[tuple[MailAddress, ...], Meta(min_length=1, max_length=20)]


async def send(settings: EmailSettings, message: Message, network: SafeNetwork) -> None:
    await send_trusting(settings, message, network, ssl.create_default_context())


async def send_trusting(
    settings: EmailSettings, message: Message, network: SafeNetwork, context: ssl.SSLContext
) -> None:
    """Sends with certificates that `context` trusts. Raises `DeliveryFailure`."""
    try:
        async with asyncio.timeout(TIMEOUT_S) as limit:
            refused = await _send(settings, _mail(settings, message), network, context, limit)
    except aiosmtplib.SMTPException as error:
        raise _failure(error) from error
    except TimeoutError as error:
        raise DeliveryFailure(f"The mail server {settings.host} did not answer within {TIMEOUT_S:g} s.") from error
    except (OSError, ValueError) as error:
        raise DeliveryFailure(f"The mail server {settings.host} can't be used: {_why(error)}.") from error
    if refused:
        names = ", ".join(f"{name} ({code} {_line(text)})" for name, (code, text) in refused.items())
        raise PartlySent(f"The mail server refused {names}. The others have the mail.")


async def _send(
    settings: EmailSettings, mail: EmailMessage, network: SafeNetwork, context: ssl.SSLContext, limit: asyncio.Timeout
) -> Mapping[str, tuple[int, str]]:
    """Returns the recipients that the server refused while it accepted the mail for others.

    From its answer to the mail itself on, the mail is sent: `limit` ends, and no later error must send it again.
    """
    port = settings.port or _PORTS[settings.security]
    connection = await _connected(await allowed_addresses(settings.host, port, loopback=network.loopback), port)
    client = aiosmtplib.SMTP(
        hostname=settings.host,
        sock=connection,
        timeout=_STEP_TIMEOUT_S,
        use_tls=settings.security is MailSecurity.TLS,
        start_tls=settings.security is MailSecurity.STARTTLS,
        tls_context=context,
        local_hostname=socket.gethostname(),
    )
    try:
        async with client:  # after an error it waits for the answer to QUIT
            if settings.username:
                await client.login(settings.username, settings.password)
            refused, _ = await client.send_message(mail, sender=settings.sender, recipients=list(settings.recipients))
            limit.reschedule(None)
            await _quit(client)
    finally:
        connection.close()
    return {name: (answer.code, answer.message) for name, answer in refused.items()}


async def _quit(client: aiosmtplib.SMTP) -> None:
    """Ends the connection, within two seconds and without an error: the mail is sent."""
    transport = client.transport
    try:
        async with asyncio.timeout(_QUIT_TIMEOUT_S):
            await client.quit()
    except (aiosmtplib.SMTPException, TimeoutError, OSError):
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()
        client.close()


async def _connected(addresses: list[str], port: int) -> socket.socket:
    """Returns a connection to the first address that answers."""
    loop = asyncio.get_running_loop()
    for last, address in enumerate(addresses, 1 - len(addresses)):
        connection = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        connection.setblocking(False)
        try:
            async with asyncio.timeout(_STEP_TIMEOUT_S):
                await loop.sock_connect(connection, (address, port))
            return connection
        except (OSError, TimeoutError):
            connection.close()
            if last == 0:
                raise
        except BaseException:
            connection.close()
            raise
    raise DeliveryFailure("The mail server has no address.")


def _mail(settings: EmailSettings, message: Message) -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = cut(" ".join(message.heading.split()), _SUBJECT_MAX)
    mail["From"] = settings.sender
    mail["To"] = ", ".join(settings.recipients)
    mail["Date"] = format_datetime(message.sent_at)
    mail["Message-ID"] = make_msgid(domain=settings.sender.rpartition("@")[2])
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no automatic reply answers it
    mail.set_content(full_text(message, most=_TEXT_MAX))
    return mail


def _failure(error: aiosmtplib.SMTPException) -> DeliveryFailure:
    """Returns the failure for people. A wrong password or address stays wrong until somebody changes it."""
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        refused = f"The mail server refused user name and password: {error.code} {_line(error.message)}."
        return DeliveryFailure(refused, is_final=500 <= error.code < 600)
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        first = error.recipients[0]
        is_final = all(500 <= each.code < 600 for each in error.recipients)
        return DeliveryFailure(
            f"The mail server refused {first.recipient}: {first.code} {_line(first.message)}.", is_final=is_final
        )
    if isinstance(error, aiosmtplib.SMTPSenderRefused):
        refused = f"The mail server refused the sender {error.sender}: {error.code} {_line(error.message)}."
        return DeliveryFailure(refused, is_final=500 <= error.code < 600)
    if isinstance(error, aiosmtplib.SMTPDataError):
        refused = f"The mail server refused the mail: {error.code} {_line(error.message)}."
        return DeliveryFailure(refused, is_refusal=500 <= error.code < 600)
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return DeliveryFailure(f"The mail server refused the mail: {error.code} {_line(error.message)}.")
    text = str(error.message).rstrip(".")
    if isinstance(error.__cause__, ssl.SSLCertVerificationError):
        text = f"its certificate is not valid ({error.__cause__.verify_message})"
    return DeliveryFailure(f"The mail server can't be used: {text}.")


def _line(text: str) -> str:
    return excerpt(text.encode()).rstrip(".")


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid ({error.verify_message})"
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).rstrip(".")


KIND = ChannelKind(
    "email",
    "E-mail",
    EmailSettings,
    (
        FormField("host", "Mail server", "For example smtp.example.com."),
        FormField("port", "Port", "Leave empty for the usual one: 587 with STARTTLS, 465 with TLS."),
        FormField(
            "security",
            "Encryption",
            options=(("starttls", "STARTTLS, required"), ("tls", "TLS"), ("none", "None: password in clear")),
        ),
        FormField("username", "User name", "Leave empty if the server asks for none."),
        FormField("password", "Password", secret=True),
        FormField("sender", "From", "For example minewarden@example.com."),
        FormField("recipients", "To", "Addresses with commas between."),
    ),
    send,
    destination=("host", "port", "security"),
)
