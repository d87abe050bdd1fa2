"""Convolutions of deltas: every algorithm and variant against a sum tap by tap."""

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


def convolved(
    deltas, weight, out, stride, padding, dilation, residual=None, finish=lambda delta, photo: delta
):
    """Return the expected rows of `out`."""
    expected = np.full(out.rows.shape, np.nan)
    for p, window in enumerate(out.windows):
        whole = slow.on_map(deltas.rows, deltas.windows[p], deltas.map_hw)
        delta = slow.conv(whole, weight, out.map_hw, stride, padding, dilation)
        if residual:
            delta += slow.on_map(residual.rows, residual.windows[p], out.map_hw)
        slow.off_map(finish(delta, window[5]), window, expected)
    return expected


def run(
    library, deltas, weight, out, stride, padding, dilation=(1, 1), algorithm="auto", threads=2, **options
):
    packed = library.pack_conv(torch.from_numpy(weight), stride, dilation, algorithm)
    rows = out.tensor.clone()
    library.conv(
        packed, deltas.tensor, deltas.windows, out.windows, rows, padding, threads=threads, **options
    )
    return rows.numpy()


@COMMON
@given(layer=layers(), inputs=CHANNELS, outputs=CHANNELS, seed=SEEDS)
def test_any_kernel(library, layer, inputs, outputs, seed):
    kernel, stride, padding, dilation, map_hw, out_hw = layer
    rng = np.random.default_rng(seed)
    deltas = random_deltas(rng, PROBES, map_hw, inputs)
    out = room_for(rng, deltas, out_hw, outputs)
    weight = values(rng, outputs, inputs, *kernel)
    got = run(library, deltas, weight, out, stride, padding, dilation, "im2col")
    assert_rows_close(got, convolved(deltas, weight, out, stride, padding, dilation), out)


@COMMON
@given(
    map_hw=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    stride=st.sampled_from([1, 2]),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    inputs=CHANNELS,
    outputs=CHANNELS,
    seed=SEEDS,
)
def test_toom_cook(library, map_hw, stride, padding, inputs, outputs, seed):
    out_hw = tuple(max(1, (side + 2 * p - 3) // stride + 1) for side, p in zip(map_hw, padding, strict=True))
    rng = np.random.default_rng(seed)
    deltas = random_deltas(rng, PROBES, map_hw, inputs)
    out = room_for(rng, deltas, out_hw, outputs)
    weight = values(rng, outputs, inputs, 3, 3)
    got = run(library, deltas, weight, out, (stride, stride), padding, algorithm="toom-cook")
    expected = convolved(deltas, weight, out, (stride, stride), padding, (1, 1))
    assert_rows_close(got, expected, out, tolerance=5e-5)


@COMMON
@given(
    layer=layers(longest_kernel=2),
    inputs=st.sampled_from([64, 128, 192]),
    outputs=st.sampled_from([64, 128, 320]),
    algorithm=st.sampled_from(["strassen", "strassen-twice"]),
    seed=SEEDS,
)
def test_strassen(library, layer, inputs, outputs, algorithm, seed):
    kernel, stride, padding, dilation, map_hw, out_hw = layer
    rng = np.random.default_rng(seed)
    deltas = random_deltas(rng, PROBES, map_hw, inputs)
    out = room_for(rng, deltas, out_hw, outputs)
    weight = values(rng, outputs, inputs, *kernel)
    got = run(library, deltas, weight, out, stride, padding, dilation, algorithm)
    assert_rows_close(got, convolved(deltas, weight, out, stride, padding, dilation), out, tolerance=2e-5)


def test_strassen_multiplies_less(fastest):
    """Compare sizes of packed weights: seven products of quarters instead of eight."""
    weight = torch.randn(128, 64, 1, 1)
    sizes = [
        fastest.pack_conv(weight, algorithm=name).panels.numel()
        for name in ("im2col", "strassen", "strassen-twice")
    ]
    assert sizes == [64 * 128, 7 * 32 * 64, 49 * 16 * 32]


@pytest.mark.parametrize("algorithm", ["im2col", "toom-cook"])
def test_one_changed_cell_gives_the_flipped_kernel(library, algorithm):
    weight = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3)
    deltas, out = torch.ones(1, 1), torch.empty(9, 1)
    packed = library.pack_conv(torch.from_numpy(weight), algorithm=algorithm)
    here, around = np.int32([[5, 5, 1, 1, 0, 0]]), np.int32([[4, 4, 3, 3, 0, 0]])
    library.conv(packed, deltas, here, around, out, padding=(1, 1))
    torch.testing.assert_close(out.reshape(3, 3), torch.arange(8.0, -1, -1).reshape(3, 3), atol=1e-5, rtol=0)


@pytest.mark.parametrize("rows_in_order", [True, False])
@pytest.mark.parametrize("algorithm", ["im2col", "strassen", "strassen-twice"])
def test_kernel_1x1_on_unmoved_windows(library, rows_in_order, algorithm):
    """Compare rows that need no gathering with a similar table that needs it."""
    rng = np.random.default_rng(0)
    deltas = random_deltas(rng, PROBES, (9, 9), 512)
    out = room_for(rng, deltas, (9, 9), 128)
    out.windows[:] = deltas.windows
    out.rows = np.full((len(deltas.rows), 128), np.nan, np.float32)
    if not rows_in_order:
        deltas.windows[:] = out.windows[:] = deltas.windows[::-1].copy()
    weight = values(rng, 128, 512, 1, 1)
    got = run(library, deltas, weight, out, (1, 1), (0, 0), algorithm=algorithm)
    assert_rows_close(got, convolved(deltas, weight, out, (1, 1), (0, 0), (1, 1)), out, tolerance=2e-5)


@pytest.mark.parametrize("algorithm", ["im2col", "toom-cook", "strassen"])
@pytest.mark.parametrize("activation", list(ActivationCode))
def test_residual_and_activation(library, algorithm, activation):
    rng = np.random.default_rng(int(activation))
    deltas = random_deltas(rng, PROBES, (12, 10), 32)
    out, residual = room_for(rng, deltas, (12, 10), 64), random_deltas(rng, PROBES, (12, 10), 64)
    weight, before, slope = values(rng, 64, 32, 3, 3), 9 * base_map(rng, (12, 10), 64), values(rng, 64)
    epilogue = Epilogue(
        activation, torch.from_numpy(before), (12, 10), low=-5.0, high=6.0, slope=torch.from_numpy(slope)
    )

    def finish(delta, photo):
        base = slow.base_of(before, photo, (12, 10))
        return slow.changed_by(delta, base, activation.name, low=-5, high=6, slope=slope)

    got = run(
        library,
        deltas,
        weight,
        out,
        (1, 1),
        (1, 1),
        algorithm=algorithm,
        epilogue=epilogue,
        residual=(residual.tensor, residual.windows),
    )
    expected = convolved(deltas, weight, out, (1, 1), (1, 1), (1, 1), residual, finish)
    assert_rows_close(got, expected, out, tolerance=5e-5)


@pytest.mark.parametrize("algorithm", ["im2col", "toom-cook", "strassen"])
@pytest.mark.parametrize("stride", [1, 2])
def test_threads_agree(fastest, algorithm, stride):
    rng = np.random.default_rng(3)
    deltas = random_deltas(rng, 40, (30, 30), 64)
    out = room_for(rng, deltas, (30 // stride,) * 2, 96)
    weight = values(rng, 96, 64, 3, 3)
    one, two, again = (
        run(fastest, deltas, weight, out, (stride,) * 2, (1, 1), algorithm=algorithm, threads=threads)
        for threads in (1, 2, 2)
    )
    assert_rows_close(two, one, out, tolerance=1e-6)
    np.testing.assert_array_equal(again, two)


def test_nothing_to_do(library):
    packed = library.pack_conv(torch.randn(5, 3, 3, 3))
    nothing = np.zeros((0, 6), np.int32)
    library.conv(packed, torch.empty(0, 3), nothing, nothing, torch.empty(0, 5), (1, 1), threads=2)
    empty = np.zeros((7, 6), np.int32)
    library.conv(packed, torch.empty(0, 3), empty, empty, torch.empty(0, 5), (1, 1), threads=2)


def test_algorithms_have_limits(fastest):
    with pytest.raises(ValueError, match=r"kernel \(5, 5\).* one of im2col; got 'toom-cook'"):
        fastest.pack_conv(torch.randn(1, 1, 5, 5), algorithm="toom-cook")
    with pytest.raises(ValueError, match="one of im2col, toom-cook; got 'fft'"):
        fastest.pack_conv(torch.randn(1, 1, 3, 3), algorithm="fft")
    with pytest.raises(
        ValueError, match=r"32 to 32 channels.* one of im2col, strassen; got 'strassen-twice'"
    ):
        fastest.pack_conv(torch.randn(32, 32, 1, 1), algorithm="strassen-twice")
    with pytest.raises(ValueError, match="must be at least 1"):
        fastest.pack_conv(torch.randn(1, 1, 3, 3), stride=(0, 1))
