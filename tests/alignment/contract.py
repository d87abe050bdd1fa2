"""Contract tests for every aligner; each aligner provides a case."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from canonface.alignment import Aligner
from canonface.errors import AlignmentError, CanonfaceError, PhotoError
from canonface.types import Face, Mesh


@dataclass(frozen=True)
class Case:
    """Aligner under test, with photos that suit it.

    Attributes:
        make: builds the aligner.
        mesh: mesh that it was built with.
        photo: array that shows one face.
        path: name of the photo, for aligners that look it up.
        blank: True if the aligner raises for an image without a face.
        two: builds an aligner that finds every face, and a photo of two faces; None: one face per photo.
        others: builds aligners with other data or options, each of which moves a vertex of some photo.
        bad: for unusable files, the call and the expected words of the error.
    """

    make: Callable[[], Aligner]
    mesh: Mesh
    photo: np.ndarray
    path: str = "me.jpg"
    blank: bool = True
    two: tuple[Callable[[], Aligner], np.ndarray] | None = None
    others: dict[str, Callable[[], Aligner]] = field(default_factory=dict)
    bad: dict[str, tuple[Callable[[], object], str]] = field(default_factory=dict)


class AlignerContract:
    """Base class of the contract tests; a subclass provides the fixture ``case``."""

    def test_it_is_an_aligner(self, case):
        aligner = case.make()
        assert isinstance(aligner, Aligner)
        assert aligner.name
        assert aligner.mesh is case.mesh

    def test_description_is_stable_and_fits_into_json(self, case):
        described = dict(case.make().describe())
        assert described["name"] == case.make().name
        assert json.loads(json.dumps(described)) == described == dict(case.make().describe())

    def test_descriptions_differ_for_other_data_and_options(self, case):
        assert case.others
        described = [dict(make().describe()) for make in (case.make, *case.others.values())]
        texts = {json.dumps(one, sort_keys=True) for one in described}
        assert len(texts) == len(described)

    def test_a_face_is_complete(self, case):
        [face] = case.make()(case.photo, case.path)
        assert isinstance(face, Face)
        assert face.mesh is case.mesh
        count = len(case.mesh.vertices)
        for name, shape, dtype in (
            ("vertices_xy", (count, 2), np.float64),
            ("depth", (count,), np.float64),
            ("visible", (count,), np.bool_),
        ):
            value = getattr(face, name)
            assert (value.shape, value.dtype) == (shape, dtype), name
        assert np.isfinite(face.vertices_xy).all()
        assert np.isfinite(face.depth).all() or np.isnan(face.depth).all()
        assert (face.path, face.index) == (case.path, 0)
        assert 0 <= face.quality <= 1
        assert set(face.quality_parts) >= {"inside", "size_px"}
        assert all(np.isfinite(value) for value in face.quality_parts.values())
        base = face.vertices_xy[: case.mesh.base_count]
        np.testing.assert_allclose(case.mesh.from_base @ base, face.vertices_xy[: case.mesh.face_count])

    def test_visible_vertices_lie_in_the_photo(self, case):
        [face] = case.make()(case.photo, case.path)
        seen = face.vertices_xy[face.visible]
        assert face.visible.any()
        assert (seen >= -0.5).all()
        assert (seen < np.array(case.photo.shape[1::-1]) - 0.5).all()

    def test_the_photo_is_kept_unchanged(self, case):
        before = case.photo.copy()
        [face] = case.make()(case.photo, case.path)
        np.testing.assert_array_equal(case.photo, before)
        np.testing.assert_array_equal(face.image, before)

    def test_a_pickled_aligner_returns_the_same_faces(self, case):
        aligner = case.make()
        [face] = aligner(case.photo, case.path)
        # Faces of a pickled aligner lie on a copy of the mesh.
        for again in (aligner, pickle.loads(pickle.dumps(aligner))):
            [other] = again(case.photo, case.path)
            np.testing.assert_array_equal(face.vertices_xy, other.vertices_xy)
            np.testing.assert_array_equal(face.depth, other.depth)
            np.testing.assert_array_equal(face.visible, other.visible)
            np.testing.assert_array_equal(face.pose_deg, other.pose_deg)
            assert face.quality == other.quality

    def test_an_unreadable_photo_raises(self, case, tmp_path):
        (tmp_path / "no.jpg").write_text("no picture")
        for path in (tmp_path / "missing.jpg", tmp_path / "no.jpg"):
            with pytest.raises(PhotoError):
                case.make()(path, case.path)

    def test_a_blank_image_has_no_face(self, case):
        if not case.blank:
            pytest.skip("it takes whatever it is given for a face")
        with pytest.raises(AlignmentError):
            case.make()(np.full((200, 200, 3), 128, dtype=np.uint8), "empty.jpg")

    def test_the_largest_face_comes_first(self, case):
        if case.two is None:
            pytest.skip("it gives one face a photo")
        make, crowd = case.two
        faces = make()(crowd, case.path)
        sizes = [face.quality_parts["size_px"] for face in faces]
        assert len(faces) == 2
        assert sizes == sorted(sizes, reverse=True)
        assert [face.index for face in faces] == [0, 1]
        [one] = case.make()(crowd, case.path)
        assert one.quality_parts["size_px"] == pytest.approx(sizes[0], rel=0.05)

    def test_unusable_files_raise(self, case):
        for call, words in case.bad.values():
            with pytest.raises(CanonfaceError, match=words):
                call()
