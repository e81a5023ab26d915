"""A recording of an ASIC gives the same values when a test replays it, and nothing of its owner."""

import json
from pathlib import Path

import msgspec
import pytest
from asic_payloads import KINDS
from asic_sentry.dialects.registry import BY_NAME
from asic_sentry.poll import Sample, poll
from asic_sentry.record import record, replayed
from fake_asics import make_asics, running
from right_answers import DIALECT_OF, identity
from sentry_kit.recording import read_recording, write_recording


@pytest.mark.parametrize("kind", KINDS)
async def test_a_recording_of_each_kind_can_be_replayed(network: str, kind: str, tmp_path: Path) -> None:
    async with running(make_asics(1, network, [kind], port_base=20_000)) as farm:
        asic = farm.asics[0]
        sample = await poll(identity(asic))
        recording = await record(asic.ip, asic.port, None, None, "tests")
        assert not farm.violations
    assert recording.speaks == DIALECT_OF[kind]
    write_recording(tmp_path / "asic.json", recording)
    found = replayed(read_recording(tmp_path / "asic.json"))
    assert isinstance(sample, Sample)
    assert bool(found.hashrate_hs) == bool(sample.log.hashrate_hs)
    assert len(found.boards) == len(sample.log.boards)
    assert [pool.state for pool in found.pools] == [pool.state for pool in sample.log.pools]
    text = msgspec.json.encode(recording).decode()
    for owners in ("stand-in.worker", "never-shown", "02:FA:CE", "STAND-IN-00"):
        assert owners not in text
    dialect = BY_NAME[DIALECT_OF[kind]]
    assert {each.question for each in recording.answers} <= {each.name for each in dialect.questions}


async def test_a_device_that_no_dialect_reads_is_recorded_all_the_same(network: str) -> None:
    """Here one whose answers are an error."""
    async with running(make_asics(1, network, ["antminer"], [("garbage", 100)], 20_000)) as farm:
        asic = farm.asics[0]
        recording = await record(asic.ip, asic.port, None, None, "tests")
        assert not farm.violations
    assert recording.speaks is None
    assert any("not a miner" in (each.answer or "") for each in recording.answers)
    json.dumps([each.failure for each in recording.answers])
