"""Windows of several probes: parts of them, and one that holds them all."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from canonface.engine.incremental.windows import Windows, evened

BOXES = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 5), st.integers(0, 5), st.integers(0, 1)),
    min_size=1,
    max_size=12,
)


def windows_of(boxes):
    return Windows.of(*np.array(boxes, dtype=np.int64).T)


@given(boxes=BOXES, cut=st.slices(12))
def test_a_part_is_what_those_windows_would_be_alone(boxes, cut):
    whole, numbers = windows_of(boxes), np.arange(len(boxes))[cut]
    part, alone = whole[cut], whole[numbers]
    np.testing.assert_array_equal(part.table, alone.table)
    assert part.rows == alone.rows


@given(boxes=BOXES, most=st.sampled_from([1.0, 1.5, 4.0, 1e9]))
def test_one_window_holds_all_of_them_or_they_stay(boxes, most):
    whole = windows_of(boxes)
    even = evened(whole, most)
    if even is whole:
        return
    assert even.is_one
    assert even.rows <= most * whole.rows
    y, x, height, width, _, photo = whole.table.T
    top, left, down, across, _, of = even.table[0]
    some = height > 0
    assert (photo == of).all()
    assert (top, left) == (y[some].min(), x[some].min())
    assert top + down == (y + height)[some].max()
    assert left + across == (x + width)[some].max()


def test_one_window_is_taken_where_it_is_hardly_larger():
    near = windows_of([(2, 3, 4, 4, 0), (2, 4, 4, 4, 0)])
    assert evened(near, 1.25).is_one
    assert evened(near, 1.2) is near
    assert evened(windows_of([(2, 3, 4, 4, 0), (2, 3, 4, 4, 1)]), 9.0).is_one is False, "two photos"
