"""Windows of several probes: slices, enclosing windows, and rows read and written under them."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from canonface.engine.incremental.deltas import Delta
from canonface.engine.incremental.indexing import base_under, canvas_of, on_windows, rows_of_canvas
from canonface.engine.incremental.torch_kernels import TorchKernels
from canonface.engine.incremental.windows import PLACE, Windows, enclose, equalize

MAP_HW, EDGE = (14, 14), 12

BOXES = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 5), st.integers(0, 5), st.integers(0, 1)),
    min_size=1,
    max_size=12,
)


def windows_of(boxes):
    return Windows.of(*np.array(boxes, dtype=np.int64).T)


@given(boxes=BOXES, cut=st.slices(12))
def test_a_slice_equals_those_windows_alone(boxes, cut):
    whole, numbers = windows_of(boxes), np.arange(len(boxes))[cut]
    part, alone = whole[cut], whole[numbers]
    np.testing.assert_array_equal(part.table, alone.table)
    assert part.rows == alone.rows


@given(
    boxes=BOXES, most_one=st.sampled_from([1.0, 1.2, 4.0, 1e9]), most=st.sampled_from([1.0, 1.5, 4.0, 1e9])
)
def test_equal_windows_hold_the_old_ones_or_nothing_changes(boxes, most_one, most):
    whole = windows_of(boxes)
    even = equalize(whole, MAP_HW, most_one, most)
    if even is whole:
        return
    assert even.common_size is not None
    assert even.rows <= (max(most_one, most) if even.is_one else most) * whole.rows
    y, x, height, width, _, photo = whole.table.T
    top, left, down, across, _, of = even.table.T
    assert (photo == of).all()
    some = height > 0
    assert ((top <= y) & (left <= x))[some].all()
    assert ((top + down >= y + height) & (left + across >= x + width))[some].all()
    assert (top >= 0).all()
    assert (left >= 0).all()
    assert (top + down <= MAP_HW[0]).all()
    assert (left + across <= MAP_HW[1]).all()
    if even.is_one and len(boxes) > 1:
        assert (top[0], left[0]) == (y[some].min(), x[some].min())
        assert (down[0], across[0]) == ((y + height)[some].max() - top[0], (x + width)[some].max() - left[0])
    else:
        assert even.common_size == (height.max(), width.max())


def test_pytorchs_operators_prefer_one_size_to_one_window():
    near = windows_of([(2, 3, 4, 4, 0), (2, 4, 4, 4, 0)])
    assert TorchKernels().fit_windows(near, MAP_HW) is near, "a quarter more"
    assert TorchKernels().fit_windows(windows_of([(0, 0, 9, 9, 0), (1, 0, 9, 9, 0)]), MAP_HW).is_one, (
        "a ninth more"
    )
    uneven = windows_of([(2, 3, 4, 4, 0), (2, 9, 4, 3, 0)])
    assert TorchKernels().fit_windows(uneven, MAP_HW).common_size == (4, 4)


def test_one_window_replaces_all_if_it_is_hardly_larger():
    near = windows_of([(2, 3, 4, 4, 0), (2, 4, 4, 4, 0)])
    assert equalize(near, MAP_HW, 1.25, 1.25).is_one
    assert equalize(near, MAP_HW, 1.2, 9.0) is near, "they have one size as they are"
    assert equalize(windows_of([(2, 3, 4, 4, 0), (2, 3, 4, 4, 1)]), MAP_HW, 9.0, 9.0).is_one is False, (
        "two photos"
    )


def test_a_window_at_the_border_grows_inwards():
    even = equalize(windows_of([(2, 3, 4, 4, 0), (12, 0, 2, 3, 0)]), MAP_HW, 2.0, 2.0)
    assert even.common_size == (4, 4)
    assert even.table[:, PLACE].tolist() == [[2, 3], [10, 0]]


SIZED = st.tuples(
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 1)), min_size=1, max_size=6),
)


def sized(drawn):
    (height, width), places = drawn
    return windows_of([(y, x, height, width, photo) for y, x, photo in places])


def change_on(windows, seed=0):
    rows = np.random.default_rng(seed).normal(size=(windows.rows, 2)).astype(np.float32)
    return Delta(torch.as_tensor(rows), windows)


def as_maps(delta):
    """Return deltas on whole maps, one per probe."""
    maps = torch.zeros(len(delta.windows), *MAP_HW, delta.rows.shape[1])
    for one, (y, x, height, width, first, _) in zip(maps, delta.windows.table.tolist(), strict=True):
        one[y : y + height, x : x + width] = delta.rows[first : first + height * width].view(
            height, width, -1
        )
    return maps


def cut_out(maps, tops, lefts, size):
    """Return canvases of maps, zero beyond their border."""
    around = torch.nn.functional.pad(maps, (0, 0, EDGE, EDGE, EDGE, EDGE))
    return torch.stack(
        [
            one[EDGE + y : EDGE + y + size[0], EDGE + x : EDGE + x + size[1]]
            for one, y, x in zip(around, tops.tolist(), lefts.tolist(), strict=True)
        ]
    )


@settings(deadline=None)
@given(
    drawn=SIZED,
    size=st.tuples(st.integers(1, 8), st.integers(1, 8)),
    shift=st.sampled_from([(0, 0), (-1, -1), (-2, 0), (1, 2)]),
    stride=st.sampled_from([1, 2, 5]),
)
def test_a_canvas_holds_the_delta_at_its_place(drawn, size, shift, stride):
    windows = sized(drawn)
    delta = change_on(windows)
    tops, lefts = (
        corner // stride * stride + shift[axis] for axis, corner in enumerate((windows.y, windows.x))
    )
    found = canvas_of(delta, tops, lefts, size)
    torch.testing.assert_close(found, cut_out(as_maps(delta), tops, lefts, size), rtol=0, atol=0)


@settings(deadline=None)
@given(drawn=SIZED, boxes=BOXES)
def test_a_delta_on_larger_windows_is_zero_around(drawn, boxes):
    delta = change_on(sized(drawn))
    others = windows_of((boxes * 6)[: len(delta.windows)])
    for out in (enclose(delta.windows, others), equalize(enclose(delta.windows, others), MAP_HW, 1e9, 1e9)):
        rows = on_windows(delta, out)
        torch.testing.assert_close(as_maps(Delta(rows, out)), as_maps(delta), rtol=0, atol=0)


@settings(deadline=None)
@given(drawn=SIZED, reach=st.tuples(st.integers(1, 4), st.integers(1, 4)), shift=st.integers(-1, 2))
def test_windows_are_cut_out_of_canvases(drawn, reach, shift):
    windows = sized(drawn)
    delta = change_on(windows)
    tops, lefts = (corner.astype(np.int64) + shift for corner in (windows.y, windows.x))
    canvas = cut_out(as_maps(delta), tops, lefts, reach)
    rows = rows_of_canvas(canvas, tops, lefts, windows)
    on_canvas = windows_of(
        [(y, x, *reach, 0) for y, x in zip((tops + EDGE).tolist(), (lefts + EDGE).tolist(), strict=True)]
    )
    there = np.zeros((len(windows), MAP_HW[0] + 2 * EDGE, MAP_HW[1] + 2 * EDGE), dtype=bool)
    for one, (y, x, *_) in zip(there, on_canvas.table.tolist(), strict=True):
        one[y : y + reach[0], x : x + reach[1]] = True
    inside = torch.as_tensor(there[:, EDGE:-EDGE, EDGE:-EDGE, None])
    torch.testing.assert_close(as_maps(Delta(rows, windows)), as_maps(delta) * inside, rtol=0, atol=0)


@settings(deadline=None)
@given(drawn=SIZED, is_one=st.booleans())
def test_the_base_under_windows(drawn, is_one):
    windows = sized(drawn)
    if is_one:
        windows = windows[np.zeros(len(windows), dtype=np.int64)]
    base = torch.randn(2 * MAP_HW[0] * MAP_HW[1], 3, generator=torch.Generator().manual_seed(0))
    expected = base[torch.as_tensor(windows.cells(MAP_HW))]
    found = base_under(base, windows, MAP_HW)
    if windows.is_one:
        expected = expected[: windows.height[0] * windows.width[0]]
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
