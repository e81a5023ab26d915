"""The fake ASICs must be what the tests take them for: they count every command and refuse all that could write."""

import asyncio
import json
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest
from fake_asics import arguments, make_asics, running

SCRIPT = Path(__file__).parents[3] / "devtools" / "fake_asics.py"


async def said_to(ip: str, port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(ip, port)
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    return answer


@pytest.mark.parametrize(
    ("kind", "request_"),
    [
        ("antminer", b'{"command":"restart"}'),
        ("antminer", b'{"command":"summary+stats"}'),
        ("antminer", b'{"command":"summary","parameter":"x"}'),
        ("whatsminer", b'{"cmd":"power_off","token":"x"}'),
        ("axeos", b"POST /api/system/restart HTTP/1.1\r\n\r\n"),
        ("iceriver", b"POST /user/userpanel HTTP/1.1\r\nContent-Length: 6\r\n\r\npost=1"),
        ("whatsminer-v3", b'\x14\0\0\0{"cmd":"set.reboot"}'),
    ],
)
async def test_what_is_not_needed_to_monitor_is_a_violation_and_refused(
    network: str, kind: str, request_: bytes
) -> None:
    async with running(make_asics(1, network, [kind], port_base=20_000)) as farm:
        answer = await said_to(farm.asics[0].ip, farm.asics[0].port, request_)
    assert b"invalid cmd" in answer
    assert farm.violations.total() == 1
    assert not farm.commands


def test_faults_come_in_the_share_that_was_asked_for_spread_over_all_kinds() -> None:
    asics = make_asics(1000, "127.10.0.0/16", ["antminer", "iceriver"], [("silent", 10), ("refused", 5)])
    assert Counter(asic.fault for asic in asics) == {"silent": 100, "refused": 50, None: 850}
    assert {asic.kind for asic in asics if asic.fault == "silent"} == {"antminer", "iceriver"}
    assert len({asic.ip for asic in asics}) == 1000


def test_a_kind_of_failure_stands_for_a_fault_that_leads_to_it() -> None:
    assert arguments(["--fault", "read_timeout:7", "--fault", "refused:3"]).fault == [("silent", 7), ("refused", 3)]


@pytest.mark.parametrize(
    "argv", [["--fault", "x:10"], ["--fault", "silent"], ["--kinds", "toaster"], ["--count", "99999"]]
)
def test_it_refuses_what_it_can_not_do(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        arguments(argv)
    assert "error" in capsys.readouterr().err


@pytest.mark.system
async def test_as_a_program_it_serves_and_prints_its_counts(network: str) -> None:
    argv = ["--count", "4", "--network", network, "--kinds", "antminer", "--port-base", "20000"]
    process = await asyncio.create_subprocess_exec(sys.executable, str(SCRIPT), *argv, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    ready = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
    assert "4 fake ASICs" in ready
    assert b"GHS 5s" in await said_to(network.replace("0/24", "4"), 24_028, b'{"command":"summary"}')
    process.send_signal(signal.SIGUSR1)
    counts = json.loads(await asyncio.wait_for(process.stdout.readline(), 60))
    assert counts == {"commands": {"antminer summary": 1}, "foreign": {}, "violations": {}}
    process.terminate()
    last, _ = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, json.loads(last)) == (0, counts)
