"""`/metrics`: what Prometheus reads, and that promtool finds nothing to complain about."""

import asyncio
import shutil
import subprocess

import pytest
from commander.web.exposition import Histogram, Metric, MetricKind, Sample, exposition, gauge
from commander_farm import Farm, a_log


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
    text = (await farm.get("/metrics")).text
    assert await asyncio.to_thread(complaints_of, promtool, text) == (0, "")


def complaints_of(promtool: str, text: str) -> tuple[int, str]:
    done = subprocess.run(
        [promtool, "check", "metrics"], input=text, text=True, capture_output=True, timeout=30, check=False
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
