"""Endpoints without login: the commander's health, and the CA that signs its certificate."""

import asyncio
from collections.abc import Callable

import sqlalchemy as sa
from litestar import MediaType, Response, get
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException

from commander.accounts.auth import OPEN
from commander.db import Database
from commander.problems import DatabaseAway
from commander.tls import CertificateFacts
from commander.web.api_docs import problems

ANSWER_WITHIN_S = 5.0


@get("/healthz", opt={OPEN: True}, responses=problems(503), media_type=MediaType.TEXT, tags=["health"])
async def healthz(database: NamedDependency[Database], check_queue: NamedDependency[Callable[[], None]]) -> str:
    """`ok` while the database answers and stores logs, and the queue answers if there is one."""
    check_queue()
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S), database.reading() as db:
            await db.execute(sa.text("SELECT 1"))
    except TimeoutError as error:
        raise DatabaseAway("The database does not answer.") from error
    return "ok"


@get("/ca.pem", opt={OPEN: True}, responses=problems(404), tags=["health"], media_type="application/x-pem-file")
async def ca_pem(certificate: NamedDependency[CertificateFacts | None]) -> Response[bytes]:
    """The certificate of the commander's own CA, where it has one (COMMANDER_TLS=auto)."""
    if certificate is None or certificate.ca_pem is None:
        raise NotFoundException("This commander has no certificate authority of its own.")
    return Response(certificate.ca_pem, media_type="application/x-pem-file")
