"""`/metrics`: what Prometheus reads, of the commander and of each rig, and that promtool finds nothing wrong."""

import asyncio
import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from commander import rig_metrics
from commander.live.channels import Channels
from commander.live.operational_index import OperationalIndex
from commander.live.rigs import LiveRigs
from commander.readings.decode import READERS
from commander.registry.kinds import RigKind
from commander.rig_metrics import rig_exposition
from commander.web.exposition import Histogram, Metric, MetricKind, Sample, exposition, gauge
from commander_farm import Farm, a_log, an_asic_log


def figures_in(text: str) -> dict[str, float]:
    """The samples by their name and labels, as they are written."""
    pairs = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in pairs}


async def test_without_a_key_nobody_reads_the_figures(farm: Farm) -> None:
    assert (await farm.client.get("/metrics")).status_code == 401


async def test_every_log_is_counted_by_what_became_of_it(farm: Farm) -> None:
    rig, _ = await farm.add("rig-01"), await farm.add("rig-02")
    log = a_log()
    await farm.report(rig, log, {"taken_at": "1970-01-01T00:00:00Z"})
    await farm.report(rig, log)
    answer = await farm.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    figures = figures_in(answer.text)
    assert figures["minewarden_logs_received_total"] == 3
    assert figures['minewarden_logs_answered_total{outcome="stored"}'] == 1
    assert figures['minewarden_logs_answered_total{outcome="duplicate"}'] == 1
    assert figures['minewarden_logs_answered_total{outcome="rejected"}'] == 1
    assert figures["minewarden_batch_logs_sum"] == figures["minewarden_batch_seconds_count"] == 2
    assert figures['minewarden_rigs{kind="cpu-gpu",health="online"}'] == 1
    assert figures['minewarden_rigs{kind="cpu-gpu",health="waiting"}'] == 1
    assert figures["minewarden_viewers"] == 0
    assert figures["process_resident_memory_bytes"] > 1_000_000


async def test_promtool_has_no_complaint(farm: Farm) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool (Debian's package prometheus) is not installed")
    rig, asic = await farm.add("rig (1)"), await farm.add_asic()
    await farm.report(rig, a_log())
    await farm.report_asic(asic, an_asic_log())
    text = (await farm.get("/metrics?rigs=yes")).text
    assert "minewarden_rig_device_hashrate_hashes_per_second" in text
    assert await asyncio.to_thread(complaints_of, promtool, text) == (0, "")


async def test_each_rig_and_device_is_shown_in_base_units(farm: Farm) -> None:
    rig, _ = await farm.add("rig-01"), await farm.add("rig-02")
    asic = await farm.add_asic()
    await farm.report(rig, a_log())
    await farm.report_asic(asic, an_asic_log(fans_rpm=[5_880.0, None]))
    figures = figures_in((await farm.get("/metrics?rigs=yes")).text)
    one = f'rig_id="{rig.id}",rig="rig-01",kind="cpu-gpu"'
    mined = 'coin="Monero",algorithm="rx/0"'
    assert figures[f"minewarden_rig_up{{{one}}}"] == 1
    assert figures[f"minewarden_rig_hashrate_hashes_per_second{{{one},{mined}}}"] == 17_000
    assert figures[f'minewarden_rig_device_hashrate_hashes_per_second{{{one},device="cpu",{mined}}}'] == 17_000
    assert figures[f"minewarden_rig_power_watts{{{one}}}"] == 200
    assert figures[f"minewarden_rig_temperature_celsius{{{one}}}"] == 64
    assert figures[f'minewarden_rig_device_temperature_celsius{{{one},device="cpu"}}'] == 61
    assert figures[f"minewarden_rig_fan_ratio{{{one}}}"] == 0.7
    assert figures[f'minewarden_rig_shares_accepted_total{{{one},source="xmrig",{mined}}}'] == 99
    asics = f'rig_id="{asic.id}",rig="asic-01",kind="asic"'
    assert figures[f"minewarden_rig_power_watts{{{asics}}}"] == 3_250
    fans = {name: value for name, value in figures.items() if "rig_device_fan" in name and asics in name}
    assert fans == {f'minewarden_rig_device_fan_speed_rpm{{{asics},device="fan1"}}': 5_880}


async def test_unknown_is_absent_and_a_rig_that_waits_has_no_values(farm: Farm) -> None:
    silent, waiting = await farm.add("silent"), await farm.add("waiting")
    await farm.report(silent, a_log(power_w=None, hashrate_hs=None))
    text = (await farm.get("/metrics?rigs=yes")).text
    figures = figures_in(text)
    assert not [name for name in figures if "_power_" in name and name.startswith("minewarden_rig_")]
    assert "minewarden_rig_device_hashrate" not in text
    about = [name for name in figures if f'rig_id="{waiting.id}"' in name]
    assert about == [f'minewarden_rig_up{{rig_id="{waiting.id}",rig="waiting",kind="cpu-gpu"}}']
    assert figures[about[0]] == 0


async def test_without_rigs_yes_no_rig_is_shown_and_another_word_is_refused(farm: Farm) -> None:
    await farm.report(await farm.add("rig-01"), a_log())
    assert "minewarden_rig_" not in (await farm.get("/metrics")).text
    assert "minewarden_rig_" not in (await farm.get("/metrics?rigs=no")).text
    assert (await farm.get("/metrics?rigs=true")).status_code == 422
    assert (await farm.client.get("/metrics?rigs=yes")).status_code == 401


async def test_names_that_miners_make_up_are_escaped(farm: Farm) -> None:
    rig, name = await farm.add("rig-01"), 'a"b\\c\nd'
    device = {"device": name, "hashrates_hs": [5.0]}
    log = a_log()
    log["miners"] = [
        {"software": name, "algorithms": [{"algorithm": name, "hashrate_hs": 5.0, "accepted": 3}], "devices": [device]}
    ]
    await farm.report(rig, log)
    text = (await farm.get("/metrics?rigs=yes")).text
    escaped = 'a\\"b\\\\c\\nd'
    (hashrate,) = [line for line in text.splitlines() if line.startswith("minewarden_rig_device_hashrate")]
    assert f'device="{escaped}"' in hashrate
    assert hashrate.endswith(" 5")
    assert all(line.startswith(("#", "minewarden_", "process_")) for line in text.splitlines())


async def test_the_answer_is_the_same_however_many_lines_are_written_at_once(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        await farm.report(await farm.add(f"rig-{number}"), a_log())
    texts = []
    for lines in (2_000, 2):
        monkeypatch.setattr(rig_metrics, "LINES_AT_ONCE", lines)
        whole = (await farm.get("/metrics?rigs=yes")).text
        texts.append(whole[whole.index("# HELP minewarden_rig_up ") :])
    assert texts[0] == texts[1]
    assert texts[0].count("minewarden_rig_up{") == 5


async def test_an_offline_rig_keeps_none_of_its_values() -> None:
    index = OperationalIndex(stale_after_s=45, offline_after_s=60)
    live = LiveRigs(RigKind.CPU_GPU, index, Channels(), describe=lambda state: b"{}", describe_log=lambda log: b"{}")
    index.add(1, "rig-01")
    log, at = READERS[RigKind.CPU_GPU](msgspec.json.encode(a_log())), datetime(2026, 11, 20, tzinfo=UTC)
    index.report(1, log.body, log.summary, taken_at=at, reported_at=at + timedelta(seconds=1), now_s=0)
    rig = 'rig_id="1",rig="rig-01",kind="cpu-gpu"'
    index.check_health(50)  # stale: still alive
    assert figures_in(await rig_exposition({RigKind.CPU_GPU: live}))[f"minewarden_rig_power_watts{{{rig}}}"] == 200
    index.check_health(60)
    assert figures_in(await rig_exposition({RigKind.CPU_GPU: live})) == {
        f"minewarden_rig_up{{{rig}}}": 0,
        f"minewarden_rig_last_report_timestamp_seconds{{{rig}}}": (at + timedelta(seconds=1)).timestamp(),
    }


def complaints_of(promtool: str, text: str) -> tuple[int, str]:
    done = subprocess.run(
        [promtool, "check", "metrics"], input=text, text=True, capture_output=True, timeout=120, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_a_histogram_counts_upwards() -> None:
    histogram = Histogram((1, 5))
    for value in (1, 2, 5, 9):
        histogram.observe(value)
    assert figures_in(exposition([histogram.metric("sizes", "Sizes.")])) == {
        'sizes_bucket{le="1"}': 1,
        'sizes_bucket{le="5"}': 3,
        'sizes_bucket{le="+Inf"}': 4,
        "sizes_sum": 17,
        "sizes_count": 4,
    }


def test_labels_are_escaped_and_what_is_unknown_has_no_sample() -> None:
    strange = Metric("x", MetricKind.GAUGE, "Two\nlines.", [Sample(0.5, {"name": 'a"b\\c\n'})])
    text = exposition([strange, gauge("age_seconds", "Age.", None)])
    assert 'x{name="a\\"b\\\\c\\n"} 0.5' in text.splitlines()
    assert "# HELP x Two\\nlines." in text.splitlines()
    assert figures_in(text).keys() == {'x{name="a\\"b\\\\c\\n"}'}
