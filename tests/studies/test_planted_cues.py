"""Planted cues: paint covers exactly its region at every pose, and only the cue depends on the label."""

import numpy as np
import pytest
import slow_painting

from canonface.errors import OptionError
from canonface.models import prepare
from canonface.studies.planted.cues import MakeUpCue, MarkCue, marks_on, painted
from canonface.studies.planted.marks import Area, Mark, covered, frontal_pixels, paint, shown_pixels
from canonface.studies.planted.portraits import Portraits
from canonface.studies.planted.trial import paintable, split_by_person
from canonface.types import InputSpec

GREEN = np.array([0.0, 255.0, 0.0])


@pytest.fixture(scope="module")
def portraits(demo_faces):
    return Portraits.of(demo_faces)


def named(portraits, part):
    return next(i for i, name in enumerate(portraits.names) if part in name)


@pytest.mark.parametrize("part", ["P001_studio", "P001_view_profile_a"])
@pytest.mark.parametrize("region", ["left_cheek", "right_eyebrow", "nose_tip"])
def test_paint_touches_exactly_the_pixels_of_the_region(demo_faces, part, region):
    face = next(face for face in demo_faces if part in face.path)
    small = Portraits.of([face], side=48)
    shown = prepare(face, InputSpec(size_hw=(48, 48)))
    area = Area.named(face.mesh, region)
    expected = slow_painting.pixels_of(
        face.mesh, shown.vertices_xy, face.depth, shown.visible, area.triangles, (48, 48)
    )
    grey = np.full((48, 48, 3), 120, dtype=np.uint8)
    drawn = paint(grey, small.triangle[0], [Mark(area.triangles, GREEN, 1.0)])
    np.testing.assert_array_equal((drawn != 120).any(axis=2), expected)
    assert (drawn[expected] == GREEN).all()


def test_a_region_that_is_turned_away_is_not_painted(portraits):
    profile, front = named(portraits, "P001_view_profile_a"), named(portraits, "P001_studio")
    cheeks = {side: Area.named(portraits.mesh, f"{side}_cheek") for side in ("right", "left")}
    shown = {side: shown_pixels(portraits.triangle, area) for side, area in cheeks.items()}
    counts = sorted(int(shown[side][profile]) for side in cheeks)
    assert counts[0] < 0.02 * counts[1]  # nearly a profile: its far rim shows
    assert counts[1] > 300
    assert min(shown[side][front] for side in cheeks) > 300


def test_paint_follows_the_pose(portraits):
    area = Area.named(portraits.mesh, "nose_tip")
    for i in range(len(portraits)):
        where = np.argwhere(covered(portraits.triangle[i], area.triangles))[:, ::-1]
        visible = area.vertices & portraits.visible[i]
        if len(where) > 20 and visible.sum() == area.vertices.sum():
            middle = portraits.vertices_xy[i][visible].mean(axis=0)
            assert np.abs(where.mean(axis=0) - middle).max() < 4


def test_opacity_blends_as_the_formula_says():
    pixels = np.array([[[100, 100, 100], [100, 100, 100]]], dtype=np.uint8)
    triangle = np.array([[0, -1]], dtype=np.int16)
    mark = Mark(np.array([True]), np.array([200.0, 0.0, 100.0]), 0.25)
    drawn = paint(pixels, triangle, [mark, mark])
    # 100 + (200 - 100) / 4 = 125, then 125 + 75 / 4 = 143.75; 100 - 25 = 75, then 75 - 18.75 = 56.25
    np.testing.assert_array_equal(drawn, [[[144, 56, 100], [100, 100, 100]]])
    np.testing.assert_array_equal(pixels, 100)


def test_soft_paint_is_weaker_at_its_rim_and_stays_inside():
    triangle = np.full((9, 9), -1, dtype=np.int16)
    triangle[1:8, 1:8] = 0
    pixels = np.zeros((9, 9, 3), dtype=np.uint8)
    drawn = paint(pixels, triangle, [Mark(np.array([True]), GREEN, 1.0, softness=1.5)])[..., 1]
    assert (drawn[triangle < 0] == 0).all()
    assert drawn[4, 4] == 255
    assert 0 < drawn[1, 4] < drawn[2, 4] <= drawn[4, 4]


@pytest.mark.parametrize("share", [0.4, 0.7, 1.0])
def test_a_mark_has_the_requested_share_of_the_area(portraits, share):
    area = Area.named(portraits.mesh, "forehead")
    chosen = area.patch(share, np.random.default_rng(0))
    assert not (chosen & ~area.triangles).any()
    size = area.sizes[chosen[area.triangles]].sum() / area.sizes.sum()
    assert share - 1e-9 <= size <= share + area.sizes.max() / area.sizes.sum()


def test_the_area_of_several_regions_is_that_of_all(portraits):
    mesh = portraits.mesh
    both = Area.named(mesh, "upper_lip+lower_lip")
    one, other = Area.named(mesh, "upper_lip"), Area.named(mesh, "lower_lip")
    np.testing.assert_array_equal(both.triangles, one.triangles | other.triangles)
    with pytest.raises(OptionError, match="no 'chinn'"):
        Area.named(mesh, "chinn")


def test_a_frontal_face_shows_about_what_the_canonical_face_does(portraits):
    area = Area.named(portraits.mesh, "right_cheek")
    front = shown_pixels(portraits.triangle, area)[named(portraits, "P001_studio")]
    assert 0.6 < front / frontal_pixels(portraits.mesh, area, portraits.side) < 1.5


@pytest.mark.parametrize("kind", ["mark", "make-up"])
def test_nothing_but_the_cue_depends_on_the_label(portraits, kind):
    """Distractors have the same distribution for both labels, and never touch the cue's region."""
    mesh = portraits.mesh
    cue = (
        MakeUpCue.on(mesh, 1.0) if kind == "make-up" else MarkCue.on(mesh, "chin", 0.7, paintable(portraits))
    )
    rng, counts = np.random.default_rng(5), {}
    for present in (False, True):
        numbers = []
        for _ in range(700):
            marks = marks_on(cue, present, rng)
            own = [mark for mark in marks if (mark.triangles & cue.area.triangles).any()]
            assert bool(own) == present
            assert not any((mark.triangles & ~cue.area.triangles).any() for mark in own)
            numbers.append(len(marks) - len(own))
        counts[present] = np.array(numbers)
    apart = abs(counts[True].mean() - counts[False].mean())
    assert apart < 4 * np.sqrt(counts[True].var() / 700 + counts[False].var() / 700)
    assert counts[False].mean() == pytest.approx(2.5 if kind == "mark" else 1.0, abs=0.2)


def test_the_same_seed_paints_the_same(portraits):
    cue = MarkCue.on(portraits.mesh, "chin", 0.7, paintable(portraits))
    chosen, present = np.arange(4), np.array([True, False, True, False])
    one, other = (painted(portraits, cue, chosen, present, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert (one != portraits.pixels[chosen]).any(axis=(1, 2, 3))[present].all()


def test_no_person_is_in_two_parts():
    people = tuple(str(i // 3) for i in range(60))
    parts = split_by_person(people, (0.7, 0.1), np.random.default_rng(0))
    assert sorted(np.concatenate(parts).tolist()) == list(range(60))
    who = [{people[i] for i in part} for part in parts]
    assert [len(names) for names in who] == [14, 2, 4]
    assert not (who[0] & who[1]) | (who[0] & who[2]) | (who[1] & who[2])
