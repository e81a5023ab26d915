"""A device that can't be read is named as what it says it is, never as what it is not."""

import asyncio
import json

import asic_payloads as payloads
import pytest
from asic_sentry.dialects.registry import BY_NAME, DIALECTS
from asic_sentry.failures import FailureKind, PollFailure
from asic_sentry.families import FAMILIES, family_in
from asic_sentry.framing import http_body
from asic_sentry.identify import identify
from asic_sentry.poll import Identity
from asic_server import serving
from fake_asics import make_asics, running

PORT = 24_028


def cgminer(description: str, **values: float) -> bytes:
    status = [{"STATUS": "S", "Code": 11, "Msg": "Summary", "Description": description}]
    return json.dumps({"STATUS": status, "SUMMARY": [{"Elapsed": 9, **values}], "id": 1}).encode() + b"\0"


async def refusal(network: str, answer: bytes) -> PollFailure:
    ip = network.replace(".0/24", ".1")

    async def serve(reader: asyncio.StreamReader) -> bytes:
        await reader.read(4096)
        return answer

    async with serving(ip, PORT, serve):
        found = await identify(ip, PORT)
    assert isinstance(found, PollFailure), found
    return found


@pytest.mark.parametrize(
    ("description", "begins"),
    [
        ("KAONSU 1.2.3", "This is a KAONSU (Marathon). The sentry can't read it yet."),
        ("GCMiner-9.9", "This is a GCMiner (Auradine). "),
        ("BOSer boser-openwrt 0.1.0", "This is a BOSer (Braiins OS). "),
        ("ipollo 2.0", "This is an ipollo (iPollo). The sentry can't read it yet."),
        ("cgminer 4.9", "This is a cgminer (an unknown make). The sentry can't read it yet."),
    ],
)
async def test_a_device_that_is_not_read_is_named_as_what_it_says(network: str, description: str, begins: str) -> None:
    failure = await refusal(network, cgminer(description, **{"MHS av": 1.0}))
    assert failure.kind is FailureKind.BAD_RESPONSE
    assert failure.detail.startswith(begins)
    assert "not an Antminer" not in failure.detail


async def test_the_reason_is_that_of_the_firmwares_own_dialect(network: str) -> None:
    failure = await refusal(network, cgminer("bdminer 4.11.1"))
    assert failure.detail.startswith("This is a bdminer (SealMiner). The answer does not look like SealMiner")


async def test_a_page_that_wants_a_password_is_named_by_its_realm(network: str) -> None:
    head = b'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm="Daoge", qop="auth"\r\n\r\n'
    failure = await refusal(network, head)
    assert failure.detail.startswith("This is a DG firmware (Elphapex). ")


def test_every_dialect_of_a_family_is_one_of_ours_or_not_there_yet() -> None:
    named = {name for family in FAMILIES for name in family.dialects}
    assert named <= set(BY_NAME)
    for family in FAMILIES:
        assert family_in(f"some {family.words[0].upper()} 1.0") is family


@pytest.mark.parametrize("kind", ["braiins", "auradine", "luxos", "sealminer", "antminer"])
async def test_a_device_that_is_read_is_recognised_by_its_own_dialect(network: str, kind: str) -> None:
    async with running(make_asics(1, network, [kind], port_base=20_000)) as farm:
        found = await identify(farm.asics[0].ip, farm.asics[0].port)
    assert isinstance(found, Identity)
    assert found.dialect == kind


async def test_an_answer_that_its_own_dialect_fails_on_is_named_too(
    network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def recognise(answer: bytes) -> None:
        raise KeyError(answer)

    broken = tuple(dialect._replace(recognise=recognise) for dialect in DIALECTS)
    monkeypatch.setattr("asic_sentry.identify.DIALECTS", broken)
    failure = await refusal(network, cgminer("bdminer 4.11.1"))
    sentence = "The sentry can't process this ASIC's answer; see the sentry's log."
    assert failure == PollFailure(FailureKind.BAD_RESPONSE, f"This is a bdminer (SealMiner). {sentence}")


def test_a_realm_of_any_length_is_no_error_of_its_own() -> None:
    for realm in (b"x" * 5000, b"", b'a"b'):
        head = b'HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm="' + realm + b'"\r\n\r\n'
        with pytest.raises(Exception, match="HTTP 401"):
            http_body(head, True)


async def test_vnish_is_read_over_its_own_pages_if_they_answer(network: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its Antminer API names it; the pages have the power and the chains, and are asked instead."""
    moved = tuple(dialect._replace(port=dialect.port + 20_000) for dialect in DIALECTS)
    monkeypatch.setattr("asic_sentry.identify.DIALECTS", moved)
    about = payloads.antminer_about() | {"Type": "Antminer S19 Pro (Vnish 1.2.6)"}
    monkeypatch.setattr(payloads, "antminer_about", lambda: about)
    api, pages = (make_asics(1, network, [kind], port_base=20_000) for kind in ("antminer", "vnish"))
    async with running(api):
        found = await identify(api[0].ip)
        assert isinstance(found, Identity)
        assert found.dialect == "antminer"  # nothing answers at port 80
        async with running(pages):
            found = await identify(api[0].ip)
    assert isinstance(found, Identity)
    assert (found.dialect, found.specs.firmware_version) == ("vnish", "VNish 1.2.6")
