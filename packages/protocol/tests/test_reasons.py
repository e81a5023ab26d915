"""Reasons of the system's refusals, in plain words."""

import errno
import os
import re
import socket
import ssl
from pathlib import Path

import httpx
import pytest
from protocol.reasons import reason

PACKAGES = Path(__file__).parents[2]
RAW = re.compile(r"\{(error|exc|cause)\.(strerror|errno)|\[Errno")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EACCES, os.strerror(errno.EACCES), "/data"), "this user lacks the permission"),
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (socket.gaierror(-2, "Name or service not known"), "its name does not resolve"),
        (TimeoutError(), "it does not answer in time"),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "the connection was cut"),
        (ssl.SSLCertVerificationError(1, "certificate verify failed"), "its certificate or its TLS is not accepted"),
        (OSError(errno.EXDEV, "Invalid cross-device link"), "invalid cross-device link"),
        (OSError("no number"), "the system does not say why"),
        (ValueError("[Errno 5]"), "the system does not say why"),
    ],
)
def test_a_reason_is_words(error: BaseException, words: str) -> None:
    assert reason(error) == words


async def test_the_reason_of_a_failed_request_is_that_of_its_cause() -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(httpx.ConnectError) as failed:
            await client.get("http://name.invalid./")
    assert "Errno" in str(failed.value) or "failed" in str(failed.value), "what people were shown before"
    assert reason(failed.value) == "its name does not resolve"


def test_no_message_is_made_of_the_system_s_own_words() -> None:
    found = [
        f"{path.relative_to(PACKAGES)}:{number}"
        for path in PACKAGES.glob("*/src/**/*.py")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if RAW.search(line)
    ]
    assert found == []
