"""The default aligner on real photos: signs, orientation, several faces, difficult framings, errors."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
from importlib.resources import files

import numpy as np
import pytest
from PIL import Image

from canonface.alignment import LandmarkerAligner, make_aligner, read_photo
from canonface.alignment.detector import whole_view
from canonface.alignment.landmarker import base_triangles
from canonface.errors import AssetError, FaceCutError, NoFaceError, OptionError
from canonface.mesh import load_mesh

PHOTOS = files("canonface.demo") / "photos"
MESH = load_mesh(1)
BASE = load_mesh(0)


def photo(name: str) -> np.ndarray:
    return read_photo((PHOTOS / f"{name}.jpg").read_bytes())


ASTRONAUT, STUDIO, PROFILE = photo("nasa_astronaut"), photo("op_P001_studio"), photo("op_P001_view_profile_a")


@pytest.fixture(scope="module")
def largest():
    return LandmarkerAligner(MESH)


@pytest.fixture(scope="module")
def everyone():
    return LandmarkerAligner(MESH, faces="all")


def size(face) -> float:
    return float(np.ptp(face.vertices_xy, axis=0).max())


def apart(a, b) -> float:
    """Return the mean distance between two alignments in percent of the face's size."""
    return 100 * float(np.linalg.norm(a.vertices_xy - b.vertices_xy, axis=1).mean()) / size(a)


def test_left_and_right_are_the_subjects(largest):
    [face] = largest(ASTRONAUT)
    right_eye, left_eye, forehead, chin, nose = face.vertices_xy[[33, 263, 10, 152, 1]]
    assert right_eye[0] < nose[0] < left_eye[0]
    assert forehead[1] < right_eye[1] < nose[1] < chin[1]
    assert face.depth[1] < face.depth[[33, 263, 234, 454]].min()  # the nose tip is the nearest


def test_vertices_lie_on_the_face(largest):
    """Compare with the astronaut's pupils, read off the photo by eye: they lie among the eyelid vertices."""
    [face] = largest(ASTRONAUT)
    right, left = face.vertices_xy[[159, 145]].mean(axis=0), face.vertices_xy[[386, 374]].mean(axis=0)
    pixels = ASTRONAUT.astype(float).mean(axis=2)
    for x, y in (right, left):
        around = pixels[int(y) - 12 : int(y) + 13, int(x) - 12 : int(x) + 13]
        middle = pixels[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3]
        assert middle.mean() < around.mean() - 10  # a pupil is darker than what surrounds it


def test_mirrored_photo_mirrors_the_face(largest):
    [face] = largest(PROFILE)
    [mirrored] = largest(np.ascontiguousarray(PROFILE[:, ::-1]))
    assert face.pose_deg.yaw > 30  # this one looks to the right side of the picture
    assert mirrored.pose_deg.yaw == pytest.approx(-face.pose_deg.yaw, abs=5)
    assert mirrored.pose_deg.pitch == pytest.approx(face.pose_deg.pitch, abs=5)
    back = mirrored.vertices_xy[MESH.mirror] * [-1, 1] + [PROFILE.shape[1] - 1, 0]
    assert 100 * np.linalg.norm(back - face.vertices_xy, axis=1).mean() / size(face) < 3


def test_roll_is_clockwise_and_flips_in_the_mirror(largest):
    tilted = np.asarray(
        Image.fromarray(STUDIO).rotate(-20, fillcolor=(128, 128, 128))
    )  # PIL turns anticlockwise
    [straight] = largest(STUDIO)
    [face] = largest(tilted)
    [mirrored] = largest(np.ascontiguousarray(tilted[:, ::-1]))
    assert face.pose_deg.roll - straight.pose_deg.roll == pytest.approx(20, abs=2)
    assert mirrored.pose_deg.roll == pytest.approx(-face.pose_deg.roll, abs=3)
    assert mirrored.pose_deg.pitch == pytest.approx(face.pose_deg.pitch, abs=3)


def test_a_profile_hides_its_far_half_and_a_frontal_face_nothing_much(largest):
    [frontal], [profile] = largest(STUDIO), largest(photo("op_P009_view_profile_a"))
    assert frontal.visible.mean() > 0.97
    assert profile.pose_deg.yaw < -60  # this one looks to the left side of the picture
    far, near = MESH.vertices[:, 0] < -3, MESH.vertices[:, 0] > 3
    assert profile.visible[far].mean() < 0.05
    assert profile.visible[near].mean() > 0.9


@pytest.mark.parametrize("orientation", range(2, 9))
def test_exif_orientation_changes_nothing(largest, orientation):
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # PIL's Transpose that stores it so
    stored = Image.fromarray(ASTRONAUT).transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    stored.save(buffer, "PNG", exif=exif)
    [face] = largest(buffer.getvalue())
    [upright] = largest(ASTRONAUT)
    assert (face.image == ASTRONAUT).all()
    assert (face.vertices_xy == upright.vertices_xy).all()


@pytest.mark.parametrize("quarter_turns", [1, 3])
def test_a_photo_that_lost_its_orientation_is_still_found(largest, quarter_turns):
    turned = np.ascontiguousarray(np.rot90(STUDIO, -quarter_turns))  # clockwise
    [face] = largest(turned)
    assert (face.pose_deg.roll - 90 * quarter_turns + 180) % 360 - 180 == pytest.approx(0, abs=5)


def test_a_grey_photo_gives_the_same_alignment(largest):
    [colour] = largest(STUDIO)
    [grey] = largest(np.asarray(Image.fromarray(STUDIO).convert("L")))
    assert apart(colour, grey) < 2


def test_resized_copies_give_the_same_alignment(largest):
    [face] = largest(STUDIO)
    for factor in (0.5, 4):
        w, h = (round(side * factor) for side in STUDIO.shape[1::-1])
        [other] = largest(np.asarray(Image.fromarray(STUDIO).resize((w, h), Image.Resampling.LANCZOS)))
        # Photo edges meet: pixel coordinates scale about -0.5.
        back = (other.vertices_xy + 0.5) / [w / STUDIO.shape[1], h / STUDIO.shape[0]] - 0.5
        assert 100 * np.linalg.norm(back - face.vertices_xy, axis=1).mean() / size(face) < 1.5


def side_by_side(*pictures) -> np.ndarray:
    height = max(p.shape[0] for p in pictures)
    return np.hstack(
        [np.pad(p, ((0, height - p.shape[0]), (0, 0), (0, 0)), constant_values=128) for p in pictures]
    )


def test_two_faces_the_larger_first(largest, everyone):
    both = side_by_side(ASTRONAUT, STUDIO)
    faces = everyone(both)
    assert [face.index for face in faces] == [0, 1]
    assert size(faces[0]) > size(faces[1])
    assert faces[0].vertices_xy[:, 0].min() > ASTRONAUT.shape[1]  # the studio face is the larger
    assert faces[1].vertices_xy[:, 0].max() < ASTRONAUT.shape[1]
    [one] = largest(both)
    assert apart(one, faces[0]) < 2


def test_many_small_faces(everyone):
    small = [
        np.asarray(Image.fromarray(photo(f"op_P00{i}_studio")).resize((220, 220))) for i in (1, 2, 4, 5, 6, 7)
    ]
    crowd = np.vstack([np.hstack(small[:3]), np.hstack(small[3:])])
    faces = everyone(np.pad(crowd, ((300, 300), (200, 200), (0, 0)), constant_values=90))
    assert len(faces) == 6
    cells = {tuple(((face.vertices_xy.mean(axis=0) - [200, 300]) // 220).astype(int)) for face in faces}
    assert cells == {(x, y) for x in range(3) for y in range(2)}


def test_a_small_face_in_a_large_photo(largest):
    small = Image.fromarray(STUDIO).resize((200, 200), Image.Resampling.LANCZOS)
    canvas = np.full((1800, 2400, 3), 120, dtype=np.uint8)
    canvas[1500:1700, 2100:2300] = np.asarray(small)
    [face] = largest(canvas)
    centre = face.vertices_xy.mean(axis=0)
    assert 2100 < centre[0] < 2300
    assert 1500 < centre[1] < 1700
    assert size(face) < 150


def test_a_crop_that_the_face_fills(largest):
    [face] = largest(STUDIO)
    low, high = face.vertices_xy.min(axis=0).astype(int), face.vertices_xy.max(axis=0).astype(int)
    [tight] = largest(np.ascontiguousarray(STUDIO[low[1] : high[1], low[0] : high[0]]))
    moved = tight.vertices_xy + low - face.vertices_xy
    assert 100 * np.linalg.norm(moved, axis=1).mean() / size(face) < 4


def cut_below_the_nose():
    [face] = LandmarkerAligner(BASE)(STUDIO)
    return np.ascontiguousarray(STUDIO[: int(face.vertices_xy[2, 1])])


def test_a_cut_face_raises_with_its_visible_share():
    cut = cut_below_the_nose()
    strict = LandmarkerAligner(MESH, min_inside=0.95)
    with pytest.raises(FaceCutError, match=r"At least 95% of a face .* (\d+)% does\. Use an uncropped copy"):
        strict(cut)


def with_bystander(name: str, left_out: float, side: int = 150) -> np.ndarray:
    """Return a photo as high as the canvas, its left share cut off, and a small whole face at the upper right."""
    main = Image.fromarray(photo(name))
    canvas = Image.new("RGB", (800, 600), (120, 120, 120))
    width = 600 * main.width // main.height
    canvas.paste(main.resize((width, 600)), (-int(left_out * width), 0))
    canvas.paste(Image.fromarray(photo("op_P007_studio")).resize((side, side)), (780 - side, 60))
    return np.asarray(canvas)


def test_a_large_face_is_found_where_the_detector_sees_a_bystander_first(largest):
    """Find a large face that the border cuts: it shows only with wider margins, the bystander at once."""
    crowd = with_bystander("cc0_zoom_15cm", 0.35, side=240)
    seen = largest.finder.detector(crowd, whole_view(*crowd.shape[:2]))
    assert [d.side < 150 for d in seen] == [True]  # what this test is about
    [face] = largest(crowd)
    assert size(face) > 300
    assert 0.6 < face.quality_parts["inside"] < 0.9
    assert face.vertices_xy[:, 0].max() < 400


@pytest.mark.parametrize(
    ("name", "left_out", "min_inside"), [("op_P009_studio", 0.48, 0.6), ("op_P001_studio", 0.35, 0.98)]
)
def test_a_cut_face_is_not_replaced_by_a_bystander(name, left_out, min_inside):
    """Raise for the cut face: the detector misses the first in the whole photo, and finds the second there."""
    with pytest.raises(FaceCutError, match=r"of the largest face in party\.jpg \d+% does\."):
        LandmarkerAligner(BASE, min_inside=min_inside)(with_bystander(name, left_out, side=240), "party.jpg")


def test_cut_faces_among_others_are_counted_in_a_warning(everyone, caplog):
    with caplog.at_level(logging.WARNING, logger="canonface"):
        [bystander] = everyone(with_bystander("op_P001_studio", 0.5), "party.jpg")
    assert size(bystander) < 100
    [record] = caplog.records
    assert record.name == "canonface"
    assert (
        "At least 60% of a face lies within its photo; left out 1 of 2 faces in party.jpg" in record.message
    )
    assert "of which 48% does" in record.message


def test_no_warning_if_no_face_is_cut(everyone, caplog):
    with caplog.at_level(logging.DEBUG, logger="canonface"):
        assert len(everyone(with_bystander("op_P001_studio", 0.2))) == 2
    assert not caplog.records


@pytest.mark.parametrize(("height", "views"), [(400, 1), (200, 9)])
def test_further_views_are_searched_for_small_faces_only(monkeypatch, height, views):
    """Stop at a face of 0.47 of the photo's side; for one of 0.23 search margins, rotations and tiles too."""
    aligner, looked_at = LandmarkerAligner(BASE), []
    detector = aligner.finder.detector
    monkeypatch.setattr(
        aligner.finder, "detector", lambda image, view: looked_at.append(view) or detector(image, view)
    )
    canvas = np.full((400, 400, 3), 128, dtype=np.uint8)
    canvas[:height, :height] = np.asarray(Image.fromarray(STUDIO).resize((height, height)))
    [face] = aligner(canvas)
    assert len(looked_at) == views
    assert size(face) / 400 == pytest.approx(0.47 * height / 400, abs=0.03)


def test_vertices_outside_the_photo_are_not_visible(largest):
    cut = cut_below_the_nose()
    [face] = LandmarkerAligner(MESH, min_inside=0.3)(cut)
    outside = face.vertices_xy[:, 1] > cut.shape[0] - 0.5
    assert 0.1 < outside.mean() < 0.7
    assert not face.visible[outside].any()
    assert face.quality <= face.quality_parts["inside"] < 1
    assert face.quality == pytest.approx(face.quality_parts["presence"] * face.quality_parts["inside"])
    assert set(face.quality_parts) == {"detection", "presence", "inside", "size_px"}


def test_no_face_error_states_remedies(largest):
    noise = np.random.default_rng(0).integers(0, 255, (300, 300, 3), dtype=np.uint8)
    with pytest.raises(
        NoFaceError, match=r"none was found in the photo \(300 x 300 pixels.*Use a photo in which"
    ):
        largest(noise)
    with pytest.raises(NoFaceError, match=r"none was found in holiday\.jpg"):
        largest(noise, "holiday.jpg")


def test_the_path_is_kept(largest, tmp_path):
    Image.fromarray(STUDIO).save(tmp_path / "me.png")
    assert largest(tmp_path / "me.png")[0].path == str(tmp_path / "me.png")
    assert largest(tmp_path / "me.png", "other")[0].path == "other"
    assert largest(STUDIO)[0].path == ""


def test_base_triangles_of_a_subdivided_mesh():
    assert (base_triangles(MESH) == np.unique(np.sort(BASE.triangles, axis=1), axis=0)).all()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"min_score": 0.0}, "min_score is above 0 and at most 1; got 0"),
        ({"min_inside": 1.5}, "min_inside is above 0 and at most 1; got 1.5"),
    ],
)
def test_bad_options(options, match):
    with pytest.raises(OptionError, match=match):
        LandmarkerAligner(MESH, **options)


def test_unknown_aligner_lists_near_names():
    with pytest.raises(OptionError, match="did you mean 'landmarker'"):
        make_aligner("landmarks", MESH)


def test_wrong_weights(tmp_path):
    (tmp_path / "x.task").write_bytes(b"no zip")
    for path in (tmp_path / "x.task", tmp_path / "missing.task"):
        with pytest.raises(AssetError, match=r"a zip archive of \.tflite networks.*Reinstall"):
            LandmarkerAligner(MESH, weights=path)


def test_nothing_is_written_to_the_console():
    code = (
        "import numpy as np\n"
        "from canonface.alignment import LandmarkerAligner; from canonface.mesh import load_mesh\n"
        "from importlib.resources import files\n"
        "photo = files('canonface.demo') / 'photos' / 'op_P001_studio.jpg'\n"
        "LandmarkerAligner(load_mesh(0))(photo.read_bytes())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == done.stderr == ""
