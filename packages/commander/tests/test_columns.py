"""Columns of the index pages: those that nobody has chosen, and what stands in them."""

from datetime import UTC, datetime

import pytest
from commander.live.rig_state import RigState
from commander.readings.summary import RigSummary, Work
from commander.readings.traits import RigHardware
from commander.registry.kinds import RigKind
from commander.rig_pages.columns import (
    EXTRA_TEXTS,
    USUAL,
    WIDE,
    ColumnKey,
    column_choices,
    column_classes,
    columns_in,
    columns_text,
    extra_cells,
    extra_columns,
)
from commander.rig_pages.cpu_gpu_rows import row_html

MONERO, KASPA = Work("Monero", "rx/0"), Work("Kaspa", "kheavyhash")


@pytest.mark.parametrize("kind", RigKind)
def test_without_a_choice_a_page_has_the_columns_of_wide_windows_too(kind: RigKind) -> None:
    default = (*USUAL[kind], *WIDE[kind])
    assert extra_columns(None, kind) == WIDE[kind]
    assert column_classes(None, kind) == "wide"
    assert [ColumnKey(each.key) for each in column_choices(None, kind) if each.checked] == list(default)
    assert columns_in(",".join(default), kind) is None
    assert columns_text(None) == ""


@pytest.mark.parametrize("kind", RigKind)
def test_whoever_chooses_the_usual_columns_gets_no_others(kind: RigKind) -> None:
    chosen = columns_in(",".join(USUAL[kind]), kind)
    assert chosen == USUAL[kind]
    assert extra_columns(chosen, kind) == ()
    assert column_classes(chosen, kind) == ""


def test_the_last_share_is_shown_as_a_moment_or_as_unknown() -> None:
    noon = datetime(2026, 11, 20, 12, tzinfo=UTC)
    cells = [extra_cells(RigState(7, "rig-07", share_at=at), (ColumnKey.SHARE,))[0] for at in (None, noon)]
    assert [(cell.label, cell.text, cell.moment) for cell in cells] == [
        ("Last share", "–", None),
        ("Last share", "–", noon),
    ]
    rows = [row_html(RigState(7, "rig-07", share_at=at), (ColumnKey.SHARE,)) for at in (None, noon)]
    assert 'data-label="Last share" title="–">–</div>' in rows[0]
    assert 'data-label="Last share"><time datetime="2026-11-20T12:00:00' in rows[1]


@pytest.mark.parametrize(
    ("reported", "expected", "text"), [(4, 4, "4"), (3, 4, "3 of 4"), (4, 0, "4"), (0, 0, "0"), (None, 4, "")]
)
def test_the_number_of_gpus_names_those_that_are_missing(reported: int | None, expected: int, text: str) -> None:
    state = RigState(7, "rig-07", hardware=RigHardware(gpu_count=expected), summary=RigSummary(gpus=reported))
    assert EXTRA_TEXTS[ColumnKey.GPUS](state) == text


@pytest.mark.parametrize(
    ("hashrates", "power_w", "text"),
    [
        ({MONERO: 21_000.0}, 105.0, "200 H/W"),
        ({MONERO: 21_000.0, KASPA: 1e9}, 105.0, ""),
        ({MONERO: None}, 105.0, ""),
        ({MONERO: 21_000.0}, None, ""),
        ({MONERO: 21_000.0}, 0.0, ""),
        ({}, 105.0, ""),
    ],
)
def test_efficiency_is_that_of_one_coin_and_known_power(
    hashrates: dict[Work, float | None], power_w: float | None, text: str
) -> None:
    state = RigState(7, "rig-07", summary=RigSummary(hashrates_hs=hashrates, power_w=power_w))
    assert EXTRA_TEXTS[ColumnKey.EFFICIENCY](state) == text
