"""Other layers of deltas, each compared with the same layer on whole maps."""

import numpy as np
import pytest
import slow_windows as slow
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_windows import CHANNELS, assert_rows_close, base_map, layers, random_deltas, room_for, values

from canonface.engine.native import ActivationCode, Epilogue

PROBES = 4
SEEDS = st.integers(0, 2**32 - 1)
COMMON = settings(max_examples=25, deadline=None)


def window_by_window(out, whole_of):
    """Return the expected rows, from a function that returns the whole map of probe `p`."""
    expected = np.full(out.rows.shape, np.nan)
    for p, window in enumerate(out.windows):
        slow.off_map(whole_of(p), window, expected)
    return expected


def whole(deltas, p):
    return slow.on_map(deltas.rows, deltas.windows[p], deltas.map_hw)


@COMMON
@given(layer=layers(), channels=st.one_of(CHANNELS, st.just(70)), seed=SEEDS)
def test_depthwise(library, layer, channels, seed):
    kernel, stride, padding, dilation, map_hw, out_hw = layer
    rng = np.random.default_rng(seed)
    deltas = random_deltas(rng, PROBES, map_hw, channels)
    out, residual = room_for(rng, deltas, out_hw, channels), random_deltas(rng, PROBES, out_hw, channels)
    weight = values(rng, channels, 1, *kernel)
    before = base_map(rng, out_hw, channels)
    rows = out.tensor.clone()
    library.depthwise(
        library.pack_depthwise(torch.from_numpy(weight)),
        deltas.tensor,
        deltas.windows,
        out.windows,
        rows,
        stride,
        padding,
        dilation,
        Epilogue(ActivationCode.CLAMP, torch.from_numpy(before), out_hw, 0.0, 6.0),
        threads=2,
        residual=(residual.tensor, residual.windows),
    )

    def expected(p):
        delta = slow.depthwise(whole(deltas, p), weight, out_hw, stride, padding, dilation)
        base = slow.base_of(before, out.windows[p][5], out_hw)
        return slow.changed_by(delta + whole(residual, p), base, "CLAMP", low=0, high=6)

    assert_rows_close(rows, window_by_window(out, expected), out)


def poolings(longest_dilation):
    """Draw layers in which every output cell sees the map, as PyTorch demands of pooling."""
    return layers(4, longest_dilation).filter(
        lambda layer: all(2 * p <= k and d * (k - 1) < m for k, _, p, d, m, _ in zip(*layer, strict=True))
    )


@COMMON
@given(
    layer=layers(),
    channels=st.one_of(CHANNELS, st.just(70), st.just(129)),
    outputs=st.one_of(CHANNELS, st.just(70), st.just(200)),
    low=st.sampled_from([-0.5, 0.0, 100.0]),
    seed=SEEDS,
)
def test_separable(library, layer, channels, outputs, low, seed):
    kernel, stride, padding, dilation, map_hw, out_hw = layer
    rng = np.random.default_rng(seed)
    probes = 2 * PROBES + 1  # the kernel takes several together, and some are left over
    deltas = random_deltas(rng, probes, map_hw, channels)
    out, residual = room_for(rng, deltas, out_hw, outputs), random_deltas(rng, probes, out_hw, outputs)
    weight, second = values(rng, channels, 1, *kernel), values(rng, outputs, channels, 1, 1)
    between, before = base_map(rng, out_hw, channels), base_map(rng, out_hw, outputs)
    rows = out.tensor.clone()
    library.separable(
        library.pack_depthwise(torch.from_numpy(weight)),
        library.pack_conv(torch.from_numpy(second), algorithm="im2col"),
        deltas.tensor,
        deltas.windows,
        out.windows,
        rows,
        stride,
        padding,
        dilation,
        Epilogue(ActivationCode.CLAMP, torch.from_numpy(between), out_hw, low, 6.0),
        Epilogue(ActivationCode.CLAMP, torch.from_numpy(before), out_hw, 0.0, 1.0),
        threads=2,
        residual=(residual.tensor, residual.windows),
    )

    def expected(p):
        delta = slow.depthwise(whole(deltas, p), weight, out_hw, stride, padding, dilation)
        base = slow.base_of(between, out.windows[p][5], out_hw)
        delta = slow.changed_by(delta, base, "CLAMP", low=low, high=6)
        delta = delta @ second[:, :, 0, 0].T
        base = slow.base_of(before, out.windows[p][5], out_hw)
        return slow.changed_by(delta + whole(residual, p), base, "CLAMP", low=0, high=1)

    # two sums, one of the other: twice the rounding of one
    assert_rows_close(rows, window_by_window(out, expected), out, tolerance=2e-5)


def test_separable_needs_a_convolution_of_single_cells(library):
    depthwise = library.pack_depthwise(torch.zeros(8, 1, 3, 3))
    rows, windows = torch.zeros(1, 8), np.array([[0, 0, 1, 1, 0, 0]], np.int32)
    for weight, algorithm in ((torch.zeros(8, 8, 3, 3), "im2col"), (torch.zeros(8, 4, 1, 1), "im2col")):
        packed = library.pack_conv(weight, algorithm=algorithm)
        with pytest.raises(ValueError, match="must be 1x1 of as many"):
            library.separable(depthwise, packed, rows, windows, windows, rows.clone())


@COMMON
@given(layer=poolings(2), channels=CHANNELS, seed=SEEDS)
def test_max_pool(library, layer, channels, seed):
    kernel, stride, padding, dilation, map_hw, out_hw = layer
    rng = np.random.default_rng(seed)
    deltas = random_deltas(rng, PROBES, map_hw, channels)
    out, base_in = room_for(rng, deltas, out_hw, channels), base_map(rng, map_hw, channels)
    photos = torch.from_numpy(base_in).reshape(-1, *map_hw, channels).permute(0, 3, 1, 2)
    pooled = torch.nn.functional.max_pool2d(photos, kernel, stride, padding, dilation)
    rows = out.tensor.clone()
    library.max_pool(
        deltas.tensor,
        deltas.windows,
        out.windows,
        rows,
        torch.from_numpy(base_in),
        pooled.permute(0, 2, 3, 1).reshape(-1, channels).contiguous(),
        map_hw,
        out_hw,
        kernel,
        stride,
        padding,
        dilation,
        threads=2,
    )

    def expected(p):
        base = slow.base_of(base_in, out.windows[p][5], map_hw)
        return slow.max_pool(whole(deltas, p), base, out_hw, kernel, stride, padding, dilation)

    assert_rows_close(rows, window_by_window(out, expected), out)


@COMMON
@given(layer=poolings(1), channels=CHANNELS, divisor=st.sampled_from([None, 6.0, -3.0]), seed=SEEDS)
def test_avg_pool(library, layer, channels, divisor, seed):
    kernel, stride, padding, _, map_hw, out_hw = layer
    rng = np.random.default_rng(seed)
    deltas = random_deltas(rng, PROBES, map_hw, channels)
    out = room_for(rng, deltas, out_hw, channels)
    rows = out.tensor.clone()
    library.avg_pool(
        deltas.tensor,
        deltas.windows,
        out.windows,
        rows,
        map_hw,
        kernel,
        stride,
        padding,
        divisor,
        threads=2,
    )

    def expected(p):
        return slow.avg_pool(whole(deltas, p), out_hw, kernel, stride, padding, divisor)

    assert_rows_close(rows, window_by_window(out, expected), out)


@COMMON
@given(
    map_hw=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    channels=CHANNELS,
    sign=st.sampled_from([1.0, -1.0]),
    activation=st.sampled_from(ActivationCode),
    seed=SEEDS,
)
def test_add(library, map_hw, channels, sign, activation, seed):
    rng = np.random.default_rng(seed)
    a, b = (random_deltas(rng, PROBES, map_hw, channels) for _ in range(2))
    out, before, slope = (
        room_for(rng, a, map_hw, channels),
        base_map(rng, map_hw, channels),
        values(rng, channels),
    )
    epilogue = Epilogue(activation, torch.from_numpy(before), map_hw, slope=torch.from_numpy(slope))
    rows = out.tensor.clone()
    library.add(a.tensor, a.windows, b.tensor, b.windows, out.windows, rows, sign, epilogue, threads=2)

    def expected(p):
        base = slow.base_of(before, out.windows[p][5], map_hw)
        return slow.changed_by(whole(a, p) + sign * whole(b, p), base, activation.name, slope=slope)

    assert_rows_close(rows, window_by_window(out, expected), out)


@COMMON
@given(channels=CHANNELS, activation=st.sampled_from(ActivationCode), seed=SEEDS)
def test_activate_also_in_place(library, channels, activation, seed):
    rng = np.random.default_rng(seed)
    deltas = random_deltas(rng, PROBES, (8, 7), channels)
    before = base_map(rng, (8, 7), channels)
    epilogue = Epilogue(activation, torch.from_numpy(before), (8, 7), 0.0, 1.0, torch.full((channels,), 0.25))
    out = room_for(rng, deltas, (8, 7), channels)
    out.windows, out.rows = deltas.windows, np.full_like(deltas.rows, np.nan)
    rows, in_place = out.tensor.clone(), deltas.tensor.clone()
    library.activate(deltas.tensor, deltas.windows, epilogue, rows, threads=2)
    library.activate(in_place, deltas.windows, epilogue, in_place, threads=2)

    def expected(p):
        base = slow.base_of(before, deltas.windows[p][5], (8, 7))
        return slow.changed_by(whole(deltas, p), base, activation.name, low=0, high=1, slope=0.25)

    assert_rows_close(rows, window_by_window(out, expected), out)
    torch.testing.assert_close(in_place[~rows.isnan()], rows[~rows.isnan()])


@pytest.mark.parametrize("activation", list(ActivationCode)[1:])
def test_a_zero_delta_stays_exactly_zero(library, activation):
    before = 4 * torch.randn(400, 37)
    epilogue = Epilogue(activation, before, (20, 20), slope=torch.full((37,), 0.3))
    out = torch.empty(400, 37)
    windows = np.int32([[0, 0, 20, 20, 0, 0]])
    library.activate(torch.zeros(400, 37), windows, epilogue, out)
    assert (out == 0).all()


@COMMON
@given(channels=CHANNELS, others=CHANNELS, seed=SEEDS)
def test_place_makes_a_concatenation(library, channels, others, seed):
    rng = np.random.default_rng(seed)
    a, b = random_deltas(rng, PROBES, (8, 8), channels), random_deltas(rng, PROBES, (8, 8), others)
    out = room_for(rng, a, (8, 8), channels + others)
    rows = out.tensor.clone()
    library.place(a.tensor, a.windows, out.windows, rows, 0, threads=2)
    library.place(b.tensor, b.windows, out.windows, rows, channels, threads=2)
    expected = window_by_window(out, lambda p: np.concatenate([whole(a, p), whole(b, p)], axis=2))
    assert_rows_close(rows, expected, out, tolerance=0)


@given(channels=CHANNELS, rows=st.integers(0, 300))
@COMMON
def test_scale_also_in_place(library, channels, rows):
    values, factor = torch.randn(rows, channels), torch.randn(channels)
    out = torch.empty_like(values)
    library.scale(values, factor, out, threads=2)
    torch.testing.assert_close(out, values * factor)
    library.scale(values, factor, values, threads=2)
    torch.testing.assert_close(out, values)


@pytest.mark.parametrize("channels", [1, 17, 150])
def test_pool_sum(library, channels):
    rng = np.random.default_rng(channels)
    deltas = random_deltas(rng, 9, (7, 7), channels)
    out = torch.full((9, channels), torch.nan)
    library.pool_sum(deltas.tensor, deltas.windows, 1 / 49, out, threads=2)
    expected = np.stack([whole(deltas, p).mean(axis=(0, 1)) for p in range(9)])
    np.testing.assert_allclose(out, expected, atol=1e-6)


@pytest.mark.parametrize("probes", [1, 30, 150])
@pytest.mark.parametrize(("channels", "outputs"), [(1, 1), (5, 33), (16, 600)])
def test_cells_linear(library, probes, channels, outputs):
    """Cover cells with more rows than are multiplied at once: of 150 probes some have them."""
    rng = np.random.default_rng(probes)
    deltas = random_deltas(rng, probes, (3, 5), channels)
    weight = values(rng, outputs, channels * 15)
    base = values(rng, probes, outputs)
    for threads in (1, 2):
        out = torch.from_numpy(base.copy())
        packed = library.pack_cells(torch.from_numpy(weight), channels, (3, 5))
        library.cells_linear(packed, deltas.tensor, deltas.windows, out, threads=threads)
        expected = base + np.stack([slow.linear_of_flat(whole(deltas, p), weight) for p in range(probes)])
        np.testing.assert_allclose(out, expected, atol=1e-4)
