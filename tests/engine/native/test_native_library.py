"""Refusal of unsuitable arguments: a kernel never reads or writes out of bounds."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from canonface.engine.native import ActivationCode, Epilogue

ROW = np.int32([[1, 2, 3, 4, 0, 0]])


def add(library, rows=None, windows=ROW, out_windows=ROW, out=None, epilogue=None):
    rows = torch.zeros(12, 5) if rows is None else rows
    out = torch.zeros(12, 5) if out is None else out
    library.add(rows, windows, rows, windows, out_windows, out, epilogue=epilogue)


def changed(**columns):
    table = ROW.copy()
    for name, value in columns.items():
        table[0, ["y", "x", "height", "width", "first", "photo"].index(name)] = value
    return table


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rows": torch.zeros(11, 5)}, "add: a window has cells beyond the last row"),
        ({"out": torch.zeros(11, 5)}, "add: a window has cells beyond the last row"),
        ({"windows": changed(first=-1)}, "add: a windows table has a negative number"),
        ({"windows": changed(first=1)}, "beyond the last row"),
        ({"windows": np.repeat(ROW, 2, 0)}, "add: windows tables have different lengths"),
        ({"windows": ROW.astype(np.int64)}, "contiguous int32 array .* came with int64"),
        ({"windows": np.asfortranarray(np.repeat(ROW, 2, 0))}, "not contiguous"),
        ({"windows": ROW[:, :5]}, r"\(p, 6\)"),
        ({"rows": torch.zeros(12, 4)}, r"rows must have 5 channels; got shape \(12, 4\)"),
        ({"rows": torch.zeros(5, 12).t()}, "not contiguous"),
        ({"rows": torch.zeros(12, 5).double()}, "contiguous float32 tensor on the CPU; got torch.float64"),
    ],
)
def test_arguments_that_do_not_fit(fastest, arguments, message):
    with pytest.raises(ValueError, match=message):
        add(fastest, **arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"before": None}, "CLAMP needs the base map before it"),
        ({"before": torch.zeros(36, 4)}, "before must have 5 channels"),
        ({"map_hw": (3, 6)}, "a window reaches beyond its map"),
        ({"before": torch.zeros(35, 5)}, "a window refers to a photo without a base map"),
        ({"activation": ActivationCode.PRELU}, "PRELU needs 5 slopes; got None"),
    ],
)
def test_base_maps_that_do_not_fit(fastest, options, message):
    standard = {"activation": ActivationCode.CLAMP, "before": torch.zeros(36, 5), "map_hw": (6, 6)}
    add(fastest, epilogue=Epilogue(**standard))
    with pytest.raises(ValueError, match=message):
        add(fastest, epilogue=Epilogue(**{**standard, **options}))


def test_photos_have_their_own_maps(fastest):
    before = torch.cat([torch.full((36, 5), -9.0), torch.full((36, 5), 9.0)])
    epilogue, out = Epilogue(ActivationCode.CLAMP, before, (6, 6)), torch.empty(12, 5)
    for photo, prediction in ((0, 0.0), (1, 2.0)):
        add(fastest, torch.ones(12, 5), out_windows=changed(photo=photo), out=out, epilogue=epilogue)
        assert (out == prediction).all()
    with pytest.raises(ValueError, match="a photo without a base map"):
        add(fastest, out_windows=changed(photo=2), epilogue=epilogue)


def test_layers_that_do_not_fit(fastest):
    with pytest.raises(ValueError, match="does not flatten to 7 values"):
        fastest.pack_cells(torch.zeros(2, 7), 3, (2, 2))
    with pytest.raises(ValueError, match=r"out must be \(1, 5\); got \(2, 5\)"):
        fastest.pool_sum(torch.zeros(12, 5), ROW, 1.0, torch.zeros(2, 5))
    with pytest.raises(ValueError, match="place: the channels do not fit into the rows"):
        fastest.place(torch.zeros(12, 5), ROW, ROW, torch.zeros(12, 7), first_channel=3)
    cells = fastest.pack_cells(torch.zeros(2, 12), 3, (2, 2))
    with pytest.raises(ValueError, match="cells_linear: a window reaches beyond its map"):
        fastest.cells_linear(cells, torch.zeros(12, 3), ROW, torch.zeros(1, 2))
    with pytest.raises(ValueError, match="do not fit each other"):
        fastest.scale(torch.zeros(12, 3), torch.zeros(4), torch.zeros(12, 3))


def test_many_callers_at_once(fastest):
    """Call kernels with threads of their own from several Python threads."""
    rows, windows = torch.randn(64 * 49, 96), np.zeros((64, 6), np.int32)
    windows[:, 2:4] = 7
    windows[:, 4] = np.arange(64) * 49
    packed = fastest.pack_conv(torch.randn(64, 96, 3, 3))

    def call(_):
        out = torch.empty(64 * 49, 64)
        fastest.conv(packed, rows, windows, windows, out, (1, 1), threads=2)
        return out

    with ThreadPoolExecutor(4) as pool:
        first, *others = pool.map(call, range(24))
    for other in others:
        torch.testing.assert_close(other, first)
