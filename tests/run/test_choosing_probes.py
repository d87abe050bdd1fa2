"""Which vertices are asked: by stride, by spacing, or as many as the patch needs."""

import numpy as np
import pytest

from canonface.errors import OptionError, RunError
from canonface.explanation import Settings, make_settings
from canonface.explanation.probes import choose_probes, patch_in_cm, probes_of
from canonface.mesh import load_mesh, poisson_probes
from canonface.types import InputSpec

MESH = load_mesh(1)


def test_by_default_the_spacing_is_a_quarter_of_the_patch():
    spec = InputSpec(size_hw=(100, 100), margin=0.0)
    face_cm = np.ptp(MESH.vertices[:, :2], axis=0).max()
    side = patch_in_cm(MESH, Settings(patch=20), spec)
    assert side == pytest.approx(0.2 * face_cm), "a fifth of an input that shows the face's box"
    chosen = choose_probes(MESH, Settings(patch=20), spec)
    np.testing.assert_array_equal(chosen.vertices, poisson_probes(MESH, round(side / 4, 4)))
    assert len(choose_probes(MESH, Settings(patch=40), spec).vertices) < len(chosen.vertices)


def test_the_margin_of_the_crop_counts():
    near, far = (patch_in_cm(MESH, Settings(patch=9), InputSpec(margin=margin)) for margin in (0.0, 0.5))
    assert far == pytest.approx(1.5 * near)


def test_stride_and_spacing_are_taken_as_they_are():
    spec = InputSpec()
    assert choose_probes(MESH, Settings(stride=7), spec).vertices.tolist() == list(range(0, 1833, 7))
    np.testing.assert_array_equal(
        choose_probes(MESH, Settings(spacing=1.5), spec).vertices, poisson_probes(MESH, 1.5)
    )
    assert make_settings("paper").stride == 1
    assert make_settings("paper", spacing=1.0).stride is None
    with pytest.raises(OptionError, match="by stride or by spacing"):
        Settings(stride=2, spacing=1.0)
    with pytest.raises(OptionError, match="0 or more"):
        Settings(spacing=-1.0)


@pytest.mark.parametrize("settings", [Settings(), Settings(stride=9), Settings(spacing=2.0)])
def test_the_rule_of_a_run_gives_its_probes_again(settings):
    chosen = choose_probes(MESH, settings, InputSpec(size_hw=(64, 64)))
    np.testing.assert_array_equal(probes_of(MESH, chosen.rule), chosen.vertices)
    with pytest.raises(RunError, match="another version"):
        probes_of(MESH, {**chosen.rule, "count": 1})
