"""`asic-sentry poll`: the real command, as a process, against fake ASICs that listen in this one."""

import asyncio
import json
import sys
from typing import Any

import pytest
from asic_sentry.commands import command_line
from fake_asics import make_asics, running


async def asic_sentry(*argv: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "asic_sentry", *argv), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def polled(network: str, kind: str, *argv: str, fault: str | None = None) -> tuple[int, str, str]:
    async with running(make_asics(1, network, [kind], [(fault, 100)] if fault else [], 20_000)) as farm:
        asic = farm.asics[0]
        done = await asic_sentry("poll", "--ip", asic.ip, "--port", str(asic.port), *argv)
    assert not farm.violations
    return done


@pytest.mark.parametrize("kind", ["antminer", "iceriver"])
async def test_json_holds_specs_and_log(network: str, kind: str) -> None:
    code, out, err = await polled(network, kind, "--json")
    answer: dict[str, Any] = json.loads(out)
    assert (code, err, set(answer)) == (0, "", {"specs", "log"})
    assert answer["specs"]["model"] == {"antminer": "S19 Pro", "iceriver": "KS5L"}[kind]
    assert answer["log"]["coin"] == {"antminer": "Bitcoin", "iceriver": "Kaspa"}[kind]
    assert answer["log"]["hashrate_hs"] > 1e12
    assert (answer["log"]["power_w"], answer["log"]["power_source"]) == (None, None)


async def test_without_json_it_is_a_text_for_people(network: str) -> None:
    code, out, _ = await polled(network, "avalon-idle", "--model", "Avalon Q")
    assert code == 0
    assert out.startswith("Avalon Q\n")
    assert "hashrate     0.00 H/s" in out
    assert "Bitcoin · SHA-256" in out


async def test_a_failure_is_json_and_a_sentence_and_exit_1(network: str) -> None:
    code, out, err = await polled(network, "whatsminer", "--json", "--model", "whatsminer", fault="error_status")
    assert (code, json.loads(out)) == (1, {"failure": {"kind": "error_status", "detail": "Access denied"}})
    assert err.count("\n") == 1
    code, out, err = await polled(network, "whatsminer", fault="garbage")
    assert (code, out) == (1, "")
    assert "bad_response" in err


async def test_nobody_there_is_a_failure_too(network: str) -> None:
    code, out, _ = await asic_sentry("poll", "--ip", network.replace("0/24", "9"), "--json", "--model", "KS5L")
    assert (code, json.loads(out)["failure"]["kind"]) == (1, "refused")


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["poll"], "--ip"),
        (["poll", "--ip", "here"], "is not an IP"),
        (["poll", "--ip", "192.0.2.1", "--port", "0"], "is not a port"),
        (["poll", "--ip", "192.0.2.1", "--port", "x"], "is not a port"),
    ],
)
def test_wrong_usage_ends_with_2_and_one_sentence(
    argv: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = command_line().run(argv)
    except SystemExit as error:
        code = int(error.code or 0)
    said = capsys.readouterr().err
    assert (code, said.count("\n")) == (2, 1)
    assert sentence in said
