"""The contract, for every occluder of the registry with every fill, and for the sizes."""

from dataclasses import replace

import pytest
from occluder_contract import OccluderContract
from toy_faces import RGB

from canonface.occluders import FILLS, OCCLUDERS, make_occluder


class TestEveryShapeAndFill(OccluderContract):
    @pytest.fixture(params=[(shape, fill) for shape in OCCLUDERS for fill in FILLS], ids="-".join)
    def occluder(self, request):
        shape, fill = request.param
        return make_occluder(shape, 7, fill)


class TestSeveralFills(OccluderContract):
    @pytest.fixture
    def occluder(self):
        return make_occluder("disc", 7, "mean+noise+#102030")


class TestSizesOfTheFace(OccluderContract):
    @pytest.fixture(params=[("square", "25%"), ("disc", "1.6cm"), ("surface", "r0.8cm")], ids="-".join)
    def occluder(self, request):
        shape, patch = request.param
        return make_occluder(shape, patch)

    def test_a_patch_larger_than_the_input_is_refused(self, occluder):
        """The size in pixels depends on the face, so that every input is accepted."""
        assert occluder.check(replace(RGB, size_hw=(3, 3))) is None


class TestDefaultSize(OccluderContract):
    @pytest.fixture(params=OCCLUDERS)
    def occluder(self, request):
        return make_occluder(request.param)

    def test_a_patch_larger_than_the_input_is_refused(self, occluder):
        """The default follows the input, so that every input is accepted."""
        assert occluder.check(replace(RGB, size_hw=(3, 3))) is None
