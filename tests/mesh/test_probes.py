from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from canonface.errors import OptionError
from canonface.mesh import load_mesh, mesh_named, probe_vertices


def test_every_vertex_by_default():
    np.testing.assert_array_equal(probe_vertices(load_mesh(0)), np.arange(468))


@pytest.mark.parametrize(("stride", "count"), [(1, 1833), (2, 917), (20, 92), (1833, 1)])
def test_every_kth_vertex_from_the_first(stride, count):
    probes = probe_vertices(load_mesh(1), stride)
    assert len(probes) == count
    assert probes[0] == 0
    assert (np.diff(probes) == stride).all()


@pytest.mark.parametrize("stride", [0, -1, 1834, True])
def test_an_invalid_stride_raises(stride):
    with pytest.raises(OptionError, match=r"from 1 to the 1833 vertices; got (0|-1|1834|True)\."):
        probe_vertices(load_mesh(1), stride)


def test_importing_the_mesh_layer_is_light():
    heavy = "{'scipy', 'matplotlib', 'torch', 'cv2', 'PIL'} & set(sys.modules)"
    code = f"import sys, canonface.mesh; assert not ({heavy}), {heavy}"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_mesh_named_returns_the_mesh_of_that_name():
    for subdivision in (0, 1):
        assert mesh_named(load_mesh(subdivision).name) is load_mesh(subdivision)
    with pytest.raises(OptionError, match=r"did you mean 'landmarker-468/1'"):
        mesh_named("landmarker-468/11")
