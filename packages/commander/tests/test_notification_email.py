"""E-mail to a real SMTP server, with and without encryption."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from commander.notifications.failures import DeliveryFailure, PartlySent
from commander.notifications.kinds import email
from commander.notifications.kinds.email import EmailSettings, MailSecurity, send_trusting
from commander.notifications.kinds.kind import SafeNetwork
from commander.notifications.safe_http import SafeHttp
from notification_sinks import Authority, a_message

TRUST = ssl.create_default_context()
NETWORK = SafeNetwork(SafeHttp(loopback=True), loopback=True)


@dataclass
class MailServer:
    """A mail server on loopback. `refuses` is its answer to recipients whose address contains `refused`.

    `answer` is that to the mail itself. With `hangs_up` it never answers the end of a connection.
    """

    port: int = 0
    answer: str = "250 OK"
    hangs_up: bool = False
    refuses: str = ""
    refused: str = "@"
    mails: list[Envelope] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.refuses and self.refused in address:
            return self.refuses
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.mails.append(envelope)
        assert server.transport is not None
        self.encrypted.append(server.transport.get_extra_info("sslcontext") is not None)
        return self.answer

    async def handle_QUIT(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.hangs_up:
            await asyncio.Event().wait()
        return "221 Bye"


def only_mail(server: MailServer) -> EmailMessage:
    (envelope,) = server.mails
    assert isinstance(envelope.content, bytes)
    return message_from_bytes(envelope.content, policy=policy.default)


@asynccontextmanager
async def mail_server(
    starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None, password: str = ""
) -> AsyncIterator[MailServer]:
    made = MailServer()

    def authenticate(
        server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: LoginPassword
    ) -> AuthResult:
        return AuthResult(success=data.password == password.encode(), handled=False)

    protocols: list[SMTP] = []

    def protocol() -> SMTP:
        protocols.append(_protocol())
        return protocols[-1]

    def _protocol() -> SMTP:
        return SMTP(
            made,
            hostname="mail.farm.test",
            loop=asyncio.get_running_loop(),
            tls_context=starttls,
            require_starttls=starttls is not None,
            authenticator=authenticate if password else None,
            auth_required=bool(password),
            auth_require_tls=starttls is not None,
        )

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, ssl=tls)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for each in protocols:
            if isinstance(each.transport, asyncio.Transport) and not each.transport.is_closing():
                each.transport.abort()  # Python 3.11.2 raises AttributeError for one that is closed twice
        await asyncio.sleep(0.01)  # the event loop closes what was aborted


def settings(server: MailServer, security: MailSecurity, **more: object) -> EmailSettings:
    return EmailSettings(
        host="127.0.0.1",
        port=server.port,
        security=security,
        sender="minewarden@farm.example",
        recipients=("anna@farm.example", "bo@farm.example"),
        **more,  # type: ignore[arg-type]
    )


async def test_a_mail_is_encrypted_by_starttls_and_says_everything(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with mail_server(starttls=authority.server("127.0.0.1"), password="s3cret") as server:
        chosen = settings(server, MailSecurity.STARTTLS, username="farm", password="s3cret")
        await send_trusting(chosen, a_message(), NETWORK, authority.client())
        assert server.encrypted == [True]
        assert server.mails[0].rcpt_tos == ["anna@farm.example", "bo@farm.example"]
        mail = only_mail(server)
        assert mail["Subject"] == "Critical: 38 rigs stopped reporting within 20 s"
        assert mail["Auto-Submitted"] == "auto-generated"
        assert str(mail["Message-ID"]).endswith("@farm.example>")
        text = mail.get_content()
        assert "In common: tag switch:sw-3" in text
        assert text.strip().endswith("https://farm.example:8443/incidents")


async def test_without_starttls_nothing_is_sent_unless_the_channel_allows_it(tmp_path: Path) -> None:
    async with mail_server() as server:
        with pytest.raises(DeliveryFailure, match="STARTTLS"):
            await send_trusting(settings(server, MailSecurity.STARTTLS), a_message(), NETWORK, TRUST)
        assert server.mails == []
        await send_trusting(settings(server, MailSecurity.NONE), a_message(), NETWORK, TRUST)
        assert server.encrypted == [False]


async def test_tls_from_the_first_byte_works_too(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with mail_server(tls=authority.server("127.0.0.1")) as server:
        await send_trusting(settings(server, MailSecurity.TLS), a_message(), NETWORK, authority.client())
        assert server.encrypted == [True]


@pytest.mark.parametrize("security", [MailSecurity.STARTTLS, MailSecurity.TLS])
async def test_a_certificate_of_another_name_is_refused(tmp_path: Path, security: MailSecurity) -> None:
    authority = Authority(tmp_path)
    context = authority.server("mail.other.test")
    is_late = security is MailSecurity.STARTTLS
    async with mail_server(context if is_late else None, None if is_late else context) as server:
        with pytest.raises(DeliveryFailure, match="certificate is not valid"):
            await send_trusting(settings(server, security), a_message(), NETWORK, authority.client())
        assert server.mails == []


async def test_a_wrong_password_is_final(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with mail_server(starttls=authority.server("127.0.0.1"), password="right") as server:
        wrong = settings(server, MailSecurity.STARTTLS, username="farm", password="wrong")
        with pytest.raises(DeliveryFailure, match="refused user name and password: 535") as caught:
            await send_trusting(wrong, a_message(), NETWORK, authority.client())
        assert caught.value.is_final
        assert "wrong" not in str(caught.value)


@pytest.mark.parametrize(("answer", "is_final"), [("550 no such user", True), ("451 try later", False)])
async def test_a_refused_recipient_is_final_unless_the_server_says_later(answer: str, is_final: bool) -> None:
    async with mail_server() as server:
        server.refuses = answer
        with pytest.raises(DeliveryFailure, match=f"anna@farm.example: {answer}") as caught:
            await send_trusting(settings(server, MailSecurity.NONE), a_message(), NETWORK, TRUST)
        assert caught.value.is_final is is_final


async def test_one_refused_recipient_of_two_is_named_and_the_other_has_the_mail() -> None:
    async with mail_server() as server:
        server.refuses, server.refused = "550 no such user", "bo@"
        with pytest.raises(PartlySent, match=r"refused bo@farm\.example \(550 no such user\)"):
            await send_trusting(settings(server, MailSecurity.NONE), a_message(), NETWORK, TRUST)
        assert server.mails[0].rcpt_tos == ["anna@farm.example"]


async def test_loopback_and_metadata_addresses_are_refused() -> None:
    async with mail_server() as server:
        forbidden = SafeNetwork(NETWORK.http, loopback=False)
        with pytest.raises(DeliveryFailure, match="COMMANDER_NOTIFY_LOOPBACK"):
            await send_trusting(settings(server, MailSecurity.NONE), a_message(), forbidden, TRUST)


async def test_a_line_break_in_a_title_makes_no_header() -> None:
    async with mail_server() as server:
        message = a_message(heading="Critical: rig\r\nBcc: evil@example.com")
        await send_trusting(settings(server, MailSecurity.NONE), message, NETWORK, TRUST)
        assert only_mail(server)["Bcc"] is None
        assert only_mail(server)["Subject"] == "Critical: rig Bcc: evil@example.com"


async def test_a_mail_is_sent_once_the_server_has_accepted_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(email, "TIMEOUT_S", 8.0)
    async with mail_server() as server:
        server.hangs_up = True
        await send_trusting(settings(server, MailSecurity.NONE), a_message(), NETWORK, TRUST)
        assert len(server.mails) == 1


@pytest.mark.parametrize(
    ("answer", "is_refusal"), [("554 5.7.1 It looks like spam", True), ("451 4.3.0 Try again later", False)]
)
async def test_a_mail_that_is_refused_for_good_is_not_sent_again(answer: str, is_refusal: bool) -> None:
    async with mail_server() as server:
        server.answer = answer
        with pytest.raises(DeliveryFailure) as caught:
            await send_trusting(settings(server, MailSecurity.NONE), a_message(), NETWORK, TRUST)
    assert (caught.value.is_refusal, caught.value.is_final) == (is_refusal, False)
