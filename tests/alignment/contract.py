"""What every aligner keeps to, whoever wrote it: one class of tests for all of them, fed by a case each."""

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
    """One aligner and photos that suit it.

    Attributes:
        make: builds the aligner.
        mesh: the mesh that it was built with.
        photo: an array that shows one face.
        path: the photo's name, for aligners that look it up.
        blank: whether an empty picture is told apart from a face.
        two: makes the aligner that finds every face, and a photo that shows two; None: it gives one face a photo.
        others: makes aligners with other data or choices, any of which moves a vertex of some photo.
        bad: for files that cannot be used, what is called and the words of the error.
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
    """Inherit from it, and give a fixture ``case``."""

    def test_it_is_an_aligner(self, case):
        aligner = case.make()
        assert isinstance(aligner, Aligner)
        assert aligner.name
        assert aligner.mesh is case.mesh

    def test_it_describes_itself_in_json_and_always_alike(self, case):
        described = dict(case.make().describe())
        assert described["name"] == case.make().name
        assert json.loads(json.dumps(described)) == described == dict(case.make().describe())

    def test_other_data_and_choices_are_described_otherwise(self, case):
        assert case.others
        described = [dict(make().describe()) for make in (case.make, *case.others.values())]
        texts = {json.dumps(one, sort_keys=True) for one in described}
        assert len(texts) == len(described)

    def test_a_face_is_whole(self, case):
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

    def test_what_is_visible_lies_in_the_photo(self, case):
        [face] = case.make()(case.photo, case.path)
        seen = face.vertices_xy[face.visible]
        assert face.visible.any()
        assert (seen >= -0.5).all()
        assert (seen < np.array(case.photo.shape[1::-1]) - 0.5).all()

    def test_the_photo_is_kept_and_not_changed(self, case):
        before = case.photo.copy()
        [face] = case.make()(case.photo, case.path)
        np.testing.assert_array_equal(case.photo, before)
        np.testing.assert_array_equal(face.image, before)

    def test_it_survives_pickling_and_repeats_itself(self, case):
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

    def test_a_photo_that_cannot_be_read_is_told(self, case, tmp_path):
        (tmp_path / "no.jpg").write_text("no picture")
        for path in (tmp_path / "missing.jpg", tmp_path / "no.jpg"):
            with pytest.raises(PhotoError):
                case.make()(path, case.path)

    def test_an_empty_picture_has_no_face(self, case):
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

    def test_unusable_files_end_in_a_clear_error(self, case):
        for call, words in case.bad.values():
            with pytest.raises(CanonfaceError, match=words):
                call()
