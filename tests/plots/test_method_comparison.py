"""Place of another method's map on a photo."""

import numpy as np
import pytest

from canonface.demo import demo_folder
from canonface.models import prepare
from canonface.plots.crop import PANEL_PX, PhotoCrop
from canonface.plots.panels import attribution_panel
from canonface.plots.style import Scale
from canonface.types import InputSpec

SPEC = InputSpec(size_hw=(40, 40), margin=0.2)


@pytest.fixture(scope="module")
def shown(aligner):
    return prepare(aligner(demo_folder() / "photos" / "op_P005_studio.jpg")[0], SPEC)


def test_a_pixel_of_the_panel_lies_where_the_photo_lies_in_the_input(shown):
    crop = PhotoCrop.around(shown.face)
    matrix = crop.on_input(shown.matrix)
    scale = PANEL_PX / crop.side
    on_panel = (shown.face.vertices_xy - (crop.x, crop.y) + 0.5) * scale - 0.5
    np.testing.assert_allclose(on_panel @ matrix[:, :2].T + matrix[:, 2], shown.vertices_xy, atol=1e-9)


def test_an_attribution_is_red_at_its_place_and_nowhere_else(shown):
    vertex = int(np.flatnonzero(shown.visible)[100])
    column, row = np.rint(shown.vertices_xy[vertex]).astype(int)
    attribution = np.zeros((40, 40))
    attribution[row, column] = 1.0
    panel = attribution_panel(shown.face, attribution, shown.matrix, Scale(1.0, "attribution", True)).astype(
        int
    )
    redness = panel[..., 0] - panel[..., 2]
    crop = PhotoCrop.around(shown.face)
    back = np.linalg.inv(np.vstack([crop.on_input(shown.matrix), [0, 0, 1]]))
    x, y = (back @ [column, row, 1])[:2]
    assert redness[round(y), round(x)] > 60
    pixels = np.abs(np.linalg.det(back[:2, :2])) ** 0.5
    rows, columns = np.nonzero(redness > 5)
    assert np.hypot(columns - x, rows - y).max() < 1.6 * pixels


def test_unknown_pixels_are_not_coloured(shown):
    panel = attribution_panel(
        shown.face, np.full((40, 40), np.nan), shown.matrix, Scale(1.0, "attribution", True)
    ).astype(int)
    assert np.abs(panel[..., 0] - panel[..., 2]).max() == 0
