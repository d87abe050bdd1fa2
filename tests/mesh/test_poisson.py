"""Poisson-disk probes: spacing, no gaps, symmetry, reproducibility."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canonface.errors import OptionError
from canonface.mesh import load_mesh, make_mesh, poisson_probes

MESHES = [load_mesh(0), load_mesh(1), load_mesh(1, halo=True)]


@settings(deadline=None, max_examples=25)
@given(st.sampled_from(MESHES), st.floats(0.05, 20))
def test_probes_keep_the_spacing_and_leave_no_gaps(mesh, spacing):
    probes = poisson_probes(mesh, spacing)
    assert (np.diff(probes) > 0).all()
    apart = np.linalg.norm(mesh.vertices[probes][:, None] - mesh.vertices[probes][None], axis=2)
    np.fill_diagonal(apart, np.inf)
    assert apart.min(initial=np.inf) >= spacing * (1 - 1e-6)
    reach = np.linalg.norm(mesh.vertices[:, None] - mesh.vertices[probes][None], axis=2).min(axis=1)
    assert reach.max() < spacing


@pytest.mark.parametrize("mesh", MESHES, ids=lambda mesh: mesh.name)
@pytest.mark.parametrize("spacing", [0.4, 0.75, 1.5])
def test_probes_are_symmetric(mesh, spacing):
    probes = poisson_probes(mesh, spacing)
    assert np.isin(mesh.mirror[probes], probes).mean() > 0.98
    np.testing.assert_array_equal(probes, poisson_probes(mesh, spacing))


def test_wider_spacing_gives_fewer_probes_and_zero_gives_all():
    mesh = load_mesh(1)
    counts = [len(poisson_probes(mesh, spacing)) for spacing in (0.0, 0.25, 0.5, 1.0, 2.0, 100.0)]
    assert counts[0] == 1833
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == 1


def test_by_hand():
    line = make_mesh("line", np.array([[-2.0, 0, 0], [-1, 0, 0], [0, 0, 0], [1, 0, 0], [2, 0, 0]]))
    assert poisson_probes(line, 1.5).tolist() == [0, 2, 4]
    assert poisson_probes(line, 1.0).tolist() == [0, 1, 2, 3, 4]


def test_an_inexact_mirror():
    rng = np.random.default_rng(1)
    mesh = make_mesh("cloud", rng.normal(size=(300, 3)))
    probes = poisson_probes(mesh, 0.5)
    apart = np.linalg.norm(mesh.vertices[probes][:, None] - mesh.vertices[probes][None], axis=2)
    np.fill_diagonal(apart, np.inf)
    assert apart.min() >= 0.5 - 1e-6


@pytest.mark.parametrize("spacing", [-1.0, np.inf, np.nan])
def test_an_invalid_spacing_raises(spacing):
    with pytest.raises(OptionError, match="a length in centimetres, 0 or more; got"):
        poisson_probes(load_mesh(0), spacing)
