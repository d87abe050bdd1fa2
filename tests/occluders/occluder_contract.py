"""The contract of occluders: one class of tests for every shape with every fill."""

import json
import pickle
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from toy_faces import GREY, RGB, toy_input

from canonface.errors import OptionError
from canonface.occluders import Occluder
from canonface.occlusions import Occlusions

SPECS = {"rgb": RGB, "grey": GREY}


@cache
def turned_input(name):
    """Return a face as a model sees it, cached and read-only."""
    shown = toy_input(SPECS[name], yaw=20.0)
    for array in (shown.x, shown.vertices_xy, shown.face.image):
        array.flags.writeable = False
    return shown


class OccluderContract:
    """A subclass has a fixture ``occluder``."""

    @pytest.fixture(params=SPECS)
    def shown(self, request):
        return turned_input(request.param)

    @pytest.fixture
    def visible(self, shown):
        return np.flatnonzero(shown.visible)

    def test_is_an_occluder_that_suits_the_model(self, occluder, shown):
        assert isinstance(occluder, Occluder)
        assert occluder.check(shown.spec) is None
        assert 1 <= occluder.side(shown) <= max(shown.spec.size_hw)

    def test_it_describes_itself_in_json(self, occluder):
        described = occluder.describe()
        assert described["name"]
        assert json.loads(json.dumps(described, allow_nan=False)) == dict(described)

    @pytest.mark.parametrize("count", [0, 1, 40])
    def test_one_occlusion_a_vertex_within_the_input(self, occluder, shown, visible, count):
        height, width = shown.spec.size_hw
        several = occluder.occlusions(shown, visible[:count])
        assert len(several) >= 1
        for occlusions in several:
            assert isinstance(occlusions, Occlusions)
            assert len(occlusions) == count
            boxes = np.asarray(occlusions.boxes)
            assert boxes.shape == (count, 4)
            assert (boxes[:, :2] >= 0).all()
            assert (boxes[:, :2] <= boxes[:, 2:]).all()
            assert (boxes[:, 2:] <= (width, height)).all()
            hidden = occlusions.hide(shown.x)
            assert hidden.shape == (count, *shown.x.shape)
            assert hidden.dtype == np.float32
            assert np.isfinite(hidden).all()

    def test_something_is_hidden_at_each_visible_vertex_and_nothing_outside_its_box(
        self, occluder, shown, visible
    ):
        for occlusions in occluder.occlusions(shown, visible):
            changed = (occlusions.hide(shown.x) != shown.x).any(axis=1)
            assert changed.any(axis=(1, 2)).mean() > 0.98  # a flat place may look as its fill does
            for one, (x0, y0, x1, y1) in zip(changed, occlusions.boxes.tolist(), strict=True):
                one[y0:y1, x0:x1] = False
                assert not one.any()

    def test_a_part_equals_the_same_part_of_the_whole(self, occluder, shown, visible):
        chosen = visible[3:30:4]
        for whole, part in zip(
            occluder.occlusions(shown, visible), occluder.occlusions(shown, chosen), strict=True
        ):
            np.testing.assert_array_equal(whole[np.arange(3, 30, 4)].hide(shown.x), part.hide(shown.x))

    def test_equal_occlusions_are_found(self, occluder, shown, visible):
        twice = np.repeat(visible[:5], 2)
        for occlusions in occluder.occlusions(shown, twice):
            distinct, place = occlusions.distinct()
            assert len(distinct) <= 5
            np.testing.assert_array_equal(distinct.hide(shown.x)[place], occlusions.hide(shown.x))

    def test_it_gives_the_same_result_again_also_in_another_process(self, occluder, shown, visible):
        again = pickle.loads(pickle.dumps(occluder))
        assert again.describe() == occluder.describe()
        copy = replace(shown, x=shown.x.copy())
        for first, second in zip(
            occluder.occlusions(shown, visible[:9]), again.occlusions(copy, visible[:9]), strict=True
        ):
            np.testing.assert_array_equal(first.hide(shown.x), second.hide(copy.x))

    def test_nothing_is_changed_for_the_caller(self, occluder, shown, visible):
        before = shown.x.copy(), shown.vertices_xy.copy(), shown.face.image.copy()
        for occlusions in occluder.occlusions(shown, visible[:9]):
            occlusions.hide(shown.x)
        for kept, now in zip(before, (shown.x, shown.vertices_xy, shown.face.image), strict=True):
            np.testing.assert_array_equal(kept, now)

    def test_torch_and_numpy_hide_alike(self, occluder, shown, visible):
        torch = pytest.importorskip("torch")
        for occlusions in occluder.occlusions(shown, visible[:9]):
            got = occlusions.hide(torch.from_numpy(shown.x.copy()))
            assert got.dtype == torch.float32
            np.testing.assert_array_equal(got.numpy(), occlusions.hide(shown.x))

    def test_vertices_at_the_border_and_outside(self, occluder, shown, visible):
        height, width = shown.spec.size_hw
        moved = shown.vertices_xy.copy()
        places = [(0, 0), (-0.5, 3), (width - 1, height - 1), (width - 0.5, 2), (-40, -40), (9 * width, 5)]
        moved[visible[:6]] = places
        far = replace(shown, vertices_xy=moved)
        for occlusions in occluder.occlusions(far, visible[:6]):
            assert len(occlusions) == 6
            assert occlusions.hide(shown.x).shape == (6, *shown.x.shape)

    def test_a_patch_larger_than_the_input_is_refused(self, occluder):
        tiny = replace(RGB, size_hw=(3, 3))
        with pytest.raises(OptionError, match="at most the input's height, 3 pixels"):
            occluder.check(tiny)
