"""From one order of rows to another."""

from commander.live.row_diff import row_diff
from hypothesis import given
from hypothesis import strategies as st

ORDERS = st.lists(st.integers(0, 40), unique=True)


def carried_out(before: list[int], after: list[int]) -> list[int]:
    """The rows that a browser shows after it has applied the difference."""
    change = row_diff(before, after)
    rows = [rig_id for rig_id in before if rig_id not in change.gone]
    for rig_id, successor in change.placed:
        if rig_id in rows:
            rows.remove(rig_id)
        rows.insert(len(rows) if successor is None else rows.index(successor), rig_id)
    return rows


@given(ORDERS, ORDERS)
def test_the_moves_lead_from_any_order_to_any_other(before: list[int], after: list[int]) -> None:
    assert carried_out(before, after) == after


def test_a_renamed_rig_is_the_only_one_that_moves() -> None:
    assert row_diff([1, 2, 3, 4, 5], [2, 3, 4, 1, 5]) == ([], [(1, 5)])
    assert row_diff([1, 2, 3, 4, 5], [1, 5, 2, 3, 4]) == ([], [(5, 2)])


def test_what_goes_and_what_comes_leaves_the_others_alone() -> None:
    assert row_diff([1, 2, 3], [1, 3, 4]) == ([2], [(4, None)])
    assert row_diff([], [1, 2]) == ([], [(2, None), (1, 2)])
    assert row_diff([1, 2], [1, 2]) == ([], [])
