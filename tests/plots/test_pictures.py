"""Colours of maps, their places, and the words around them."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canonface.errors import OptionError
from canonface.maps import CIS, CMS
from canonface.mesh import Canvas, load_mesh
from canonface.plots import Scale, canonical, figure6, groups, overlay, pairs, reprojection, scale_of
from canonface.plots.panels import canonical_panel, overlay_panel, photo_panel, reprojection_panel
from canonface.plots.sheet import bar_pixels, number
from canonface.plots.style import draw_map, under_map
from canonface.types import Face, Pose

MESH = load_mesh(0)
CANVAS = Canvas((96, 96))
XY = CANVAS.project(MESH)


def a_face(shift=(20, 10), visible=None, path=""):
    image = np.full((140, 150, 3), 160, np.uint8)
    seen = np.ones(len(XY), bool) if visible is None else visible
    depth = -MESH.vertices[:, 2] * CANVAS.pixels_per_unit(MESH)
    return Face(image, XY + shift, depth, seen, Pose(0, 0, 0), 1.0, MESH, path)


def a_cis(drops, **changes):
    cis = CIS(a_face(), MESH, np.arange(len(XY)), drops, 0.9, "happy", "probability of happy", 9.0, 9.0, 9.0, 96,
              "toy", np.array([0.9, 0.1]), canvas=CANVAS)  # fmt: skip
    return replace(cis, **changes)


def a_cms(drops, name="", visible=None):
    drops = drops if visible is None else np.where(visible, drops, np.nan)
    cis = a_cis(drops)
    return CMS.empty(MESH, cis.unit, canvas=CANVAS, name=name).add(cis.map, cis.count, cis.canonical_patch)


def bump(region, height=0.4):
    distance = np.linalg.norm(MESH.vertices - MESH.vertices[MESH.regions[region]].mean(axis=0), axis=1)
    return height * np.exp(-(distance**2) / 3)


def redness(panel):
    return panel[..., 0].astype(int) - panel[..., 2]


def texts(figure):
    return [text.get_text() for text in figure.texts]


SCALE = Scale(0.3, "probability of happy")


@pytest.mark.parametrize(("region", "right", "upper"), [
    ("left_eye", True, True), ("right_eye", False, True),
    ("left_mouth_corner", True, False), ("right_mouth_corner", False, False),
])  # fmt: skip
@pytest.mark.parametrize("draw", [
    lambda drops: canonical_panel(a_cms(drops), SCALE),
    lambda drops: overlay_panel(a_cis(drops), SCALE),
    lambda drops: reprojection_panel(a_cms(drops), a_face(), SCALE),
], ids=["canonical", "overlay", "reprojection"])  # fmt: skip
def test_colour_lies_on_the_side_of_the_face_that_was_relied_on(draw, region, right, upper):
    red = redness(draw(bump(region)))
    row, column = np.unravel_index(red.argmax(), red.shape)
    middle = len(red) / 2
    assert red.max() > 60
    assert (column > middle) == right
    assert (row < middle) == upper


@pytest.mark.parametrize("draw", [
    lambda drops: canonical_panel(a_cis(drops), SCALE),
    lambda drops: overlay_panel(a_cis(drops), SCALE),
    lambda drops: reprojection_panel(a_cms(drops), a_face(), SCALE),
], ids=["canonical", "overlay", "reprojection"])  # fmt: skip
def test_positive_is_red_negative_is_blue_and_zero_is_bare(draw):
    relied, rose, nothing = (draw(bump("nose_tip", height)) for height in (0.4, -0.4, 0.0))
    assert redness(relied).max() > 60
    assert redness(relied).min() >= 0
    assert redness(rose).min() < -60
    assert redness(rose).max() <= 0
    assert (redness(nothing) == 0).all()


@given(st.floats(1e-6, 1e3), st.floats(0, 1))
def test_equal_strength_is_equally_strong_on_both_sides(limit, share):
    scale, values = Scale(limit), np.array([share, -share]) * limit
    positive, negative = scale.opacity(values)
    assert positive == negative
    stronger = scale.opacity(np.minimum(np.abs(values) * 1.1, limit))
    assert (stronger >= scale.opacity(values)).all()


def test_stronger_values_are_darker_on_both_sides():
    scale = Scale(1.0)
    for sign in (1, -1):
        luma = scale.blend(np.full(50, 0.8), sign * np.linspace(0, 1, 50)) @ (0.299, 0.587, 0.114)
        assert (np.diff(luma) < 0).all()


def test_the_limit_is_the_largest_value_on_the_face_rounded_up():
    positive, negative = a_cms(bump("chin", 0.4)), a_cms(bump("chin", -0.4))
    assert scale_of([positive]).limit == scale_of([negative]).limit
    largest = np.nanmax(np.abs(positive.map))
    assert largest <= scale_of([positive]).limit <= largest * 1.1
    assert Scale.around([np.array([-0.2134, 0.1])], "x").limit == 0.22
    assert Scale.around([np.array([0.5])], "x").limit == 0.5
    assert Scale.around([np.zeros(3)], "x").limit == 1.0
    assert scale_of([positive], limit=2).limit == 2.0


@pytest.mark.parametrize("limit", [0, -1.0, np.nan, np.inf])
def test_a_limit_is_positive(limit):
    with pytest.raises(OptionError, match="above 0 and finite"):
        canonical(a_cms(bump("chin")), limit=limit)


def test_groups_share_one_scale():
    weak, strong = a_cms(bump("chin", 0.1)), a_cms(bump("chin", 0.4))
    assert scale_of([weak, strong]).limit == scale_of([strong]).limit
    pictures = [axes.images[0].get_array() for axes in groups({"weak": weak, "strong": strong}).axes]
    shared = scale_of([strong])
    np.testing.assert_array_equal(pictures[0], canonical_panel(weak, shared))
    np.testing.assert_array_equal(pictures[1], canonical_panel(strong, shared))
    np.testing.assert_array_equal(pictures[2], bar_pixels(shared))


def test_maps_in_different_units_do_not_share_a_scale():
    other = replace(a_cms(bump("chin")), unit="logit of happy")
    with pytest.raises(OptionError, match="'probability of happy', 'logit of happy'"):
        groups({"a": a_cms(bump("chin")), "b": other})
    with pytest.raises(OptionError, match="got none"):
        groups({})


def test_unprobed_places_are_pale_and_bare():
    hidden = XY[:, 0] > 48  # the subject's left
    drops = np.where(hidden, np.nan, 0.4)
    cis = a_cis(drops, face=a_face(visible=~hidden))
    for panel in (canonical_panel(cis, SCALE), canonical_panel(a_cms(drops, visible=~hidden), SCALE)):
        far = panel[:, 2 * panel.shape[1] // 3 :]
        assert (redness(far) == 0).all()
        assert redness(panel[:, : panel.shape[1] // 2]).max() > 60
        everywhere = canonical_panel(a_cis(np.zeros(len(XY))), SCALE)[:, 2 * panel.shape[1] // 3 :]
        dark = everywhere.mean(axis=2) < 230
        assert (far.mean(axis=2)[dark] > everywhere.mean(axis=2)[dark]).all()
    assert any("pale" in text for text in texts(canonical(cis)))
    assert not any("pale" in text for text in texts(canonical(a_cis(bump("chin")))))


def test_hidden_pixels_do_not_bleed_into_probed_ones():
    hidden = XY[:, 0] > 48
    cms = a_cms(np.full(len(XY), 0.3), visible=~hidden)
    panel = canonical_panel(cms, SCALE)
    row = redness(panel)[panel.shape[0] // 2, panel.shape[1] // 4 :]  # without the soft rim of the face
    coloured = row[row > 20]
    assert coloured.min() > 60  # no weaker rim at the border of the probed part


def test_nothing_is_drawn_off_the_face():
    panel = canonical_panel(a_cms(np.full(len(XY), 0.4)), SCALE)
    assert (panel[:20, :20] == 255).all()
    assert (panel[-20:, -20:] == 255).all()
    photo, drawn = photo_panel(a_face()), overlay_panel(a_cis(np.full(len(XY), 0.4)), SCALE)
    corner = np.rint(under_map(photo[:20, :20]) * 255)
    np.testing.assert_array_equal(drawn[:20, :20], np.repeat(corner[..., None], 3, axis=2))


def test_the_colour_bar_holds_the_colours_of_the_picture():
    scale, bar = Scale(0.3), bar_pixels(Scale(0.3))
    grey = np.full((1, 1, 3), 225, np.uint8)
    one = np.ones((1, 1))
    for value, column in ((-0.3, 0), (0.0, 200), (0.15, 300), (0.3, 400)):
        drawn = draw_map(under_map(grey), one * value, one > 0, one, scale)[0, 0]
        np.testing.assert_array_equal(drawn, bar[0, column])


def test_a_crop_reaches_over_the_border_of_the_photo():
    for shift in ((-30, -30), (70, 60)):
        cis = a_cis(bump("nose_tip"), face=a_face(shift))
        assert overlay_panel(cis, SCALE).shape == photo_panel(cis.face).shape == (720, 720, 3)


def test_a_crop_shows_the_photo_and_white_beyond_it():
    close = a_face((0, -8))
    close = replace(close, image=close.image[:70, :96])
    drawn = overlay_panel(a_cis(np.zeros(len(XY)), face=close), SCALE)
    white = (drawn == 255).all(axis=2)
    assert 0 < white.mean() < 0.2
    assert not (photo_panel(a_face()) == 255).any()  # there is room within the photo


def test_the_words_of_each_figure():
    face = a_cis(bump("chin"), face=a_face(path="/photos/ada $1$.jpg"))
    cms = replace(a_cms(bump("chin")), faces=1234, seen=np.full((96, 96), 1234))
    one = texts(canonical(face))
    assert "What the toy model relied on" in one
    assert "probability of happy 0.90, one face" in one
    assert "drop in probability of happy when a patch hides the place" in one
    assert "falls when hidden →" in one
    assert "← rises when hidden" in one
    limit = scale_of([face]).limit
    assert {number(limit), number(-limit), "0"} <= set(one)
    assert any("12% of the face's height wide, 9 of the input's 96 px" in text for text in one)
    assert "mean of 1 234 faces" in texts(canonical(cms))
    assert "drawn on one" in " ".join(texts(reprojection(cms, face.face)))
    assert "1 234 faces" in texts(groups({"all": cms}))
    assert any("ada $1$" in text for text in texts(figure6(face, cms)))
    assert "Mine" in texts(overlay(face, title="Mine"))


def test_attributions_without_a_sign_have_a_bar_without_blue():
    never_negative = replace(a_cms(bump("chin")), method="gradcam", unit="GradCAM attribution for happy")
    signed = replace(a_cms(bump("chin") - bump("forehead")), method="rise", unit="RISE attribution for happy")
    assert scale_of([never_negative]).one_sided
    assert not scale_of([signed]).one_sided
    assert not scale_of([never_negative, replace(signed, unit=never_negative.unit)]).one_sided
    assert not scale_of([a_cms(bump("chin"))]).one_sided, "drops always have two sides"
    words = texts(canonical(never_negative))
    limit = scale_of([never_negative]).limit
    assert {"relied on →", "0", number(limit / 2), number(limit)} <= set(words)
    assert "← against" not in words
    assert number(-limit) not in words
    assert "← against" in texts(canonical(signed))
    bar = bar_pixels(scale_of([never_negative])).astype(int)
    assert (bar[..., 0] >= bar[..., 2]).all(), "nothing is bluer than it is red"


@pytest.mark.parametrize(
    "unit", ["probability of happy", "p", "log-odds of " + "very " * 40 + "happy", "$a$ & <b>"]
)
def test_no_word_leaves_the_page_or_covers_another(unit):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    cis = a_cis(bump("chin", 1e-7), unit=unit, target=unit, model="a model with a long name " * 5,
                face=a_face(visible=XY[:, 0] < 60))  # fmt: skip
    cms = replace(a_cms(bump("chin")), unit=unit, name=unit)
    many = {f"{unit} {number}": cms for number in range(6)}
    figures = [
        canonical(cis),
        overlay(cis),
        reprojection(cms, cis.face),
        figure6([cis, cis], cms),
        groups(many),
    ]
    for figure in [*figures, groups({unit: cms})]:
        renderer = FigureCanvasAgg(figure).get_renderer()
        page = figure.bbox
        boxes = [text.get_window_extent(renderer) for text in figure.texts if text.get_text().strip()]
        boxes += [axes.get_window_extent(renderer) for axes in figure.axes]
        for count, box in enumerate(boxes):
            assert box.x0 >= page.x0 - 1
            assert box.x1 <= page.x1 + 1
            assert box.y0 >= page.y0 - 1
            assert box.y1 <= page.y1 + 1
            for other in boxes[:count]:
                wide = min(box.x1, other.x1) - max(box.x0, other.x0)
                high = min(box.y1, other.y1) - max(box.y0, other.y0)
                assert min(wide, high) <= 1


def test_a_face_without_depth_is_drawn_all_the_same():
    """A run does not keep the depth of its faces."""
    cis = a_cis(bump("chin"))
    flat = replace(cis, face=replace(cis.face, depth=np.full(len(XY), np.nan)))
    known, unknown = overlay_panel(cis, SCALE), overlay_panel(flat, SCALE)
    assert redness(unknown).max() > 60
    assert (known != unknown).any(axis=2).mean() < 0.01


def test_faces_with_targets_of_their_own_share_a_page():
    faces = [a_cis(bump("chin"), unit=f"probability of {name}", target=name) for name in ("happy", "sad")]
    cms = replace(a_cms(bump("chin")), unit="probability of the predicted class")
    words = texts(figure6(faces, cms))
    assert "happy 0.90" in words
    assert "sad 0.90" in words
    assert sum("drop in probability of the predicted class" in text for text in words) == 2


def test_figure_6_has_its_four_columns():
    faces, cms = [a_cis(bump("chin")), a_cis(bump("left_eye", -0.2))], a_cms(bump("chin", 0.2))
    figure = figure6(faces, cms)
    images = [axes.images[0].get_array() for axes in figure.axes]
    assert len(images) == 2 * 4 + 2
    one, everyone = scale_of(faces), scale_of([cms])
    np.testing.assert_array_equal(images[0], photo_panel(faces[0].face))
    np.testing.assert_array_equal(images[5], canonical_panel(faces[1], one))
    np.testing.assert_array_equal(images[6], canonical_panel(cms, everyone))
    np.testing.assert_array_equal(images[7], reprojection_panel(cms, faces[1].face, everyone))
    with pytest.raises(OptionError, match="at least one face"):
        figure6([], cms)


def test_a_map_is_drawn_on_the_picture_given():
    cms = a_cms(np.zeros(len(XY)))
    picture = np.zeros((96, 96, 3), np.uint8)
    picture[:, 48:] = 255
    panel = canonical_panel(cms, SCALE, picture)
    assert panel[360, 100, 0] < 100
    assert panel[360, 620, 0] > 240
    with pytest.raises(OptionError, match="size of the map's canvas"):
        canonical(cms, picture[:50])
    with pytest.raises(OptionError, match="uint8 RGB"):
        canonical(cms, picture.astype(np.float32))


def test_maps_and_faces_are_left_as_they_were():
    cis, cms = a_cis(bump("chin")), a_cms(bump("chin"))
    before = [
        array.copy() for array in (cis.drops, cis.face.image, cis.face.vertices_xy, cms.total, cms.seen)
    ]
    figure6(cis, cms)
    after = (cis.drops, cis.face.image, cis.face.vertices_xy, cms.total, cms.seen)
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)


def test_pyplot_and_global_settings_are_not_touched():
    import subprocess

    code = (
        "import sys; sys.path.insert(0, 'tests/plots')\n"
        "import matplotlib; before = matplotlib.rcParams.copy()\n"
        "from test_pictures import *\n"
        "figure6(a_cis(bump('chin')), a_cms(bump('chin')))\n"
        "assert matplotlib.rcParams.copy() == before\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_page_of_pairs_shows_both_photos_and_the_map_of_their_kind():
    first = a_cis(bump("chin"), target="same", unit="cosine", face=a_face(path="a/one.jpg"))
    second = replace(first, face=a_face(shift=(40, 30), path="a/two.jpg"))
    maps = {name: replace(a_cms(bump(region), name), unit="cosine") for name, region in
            (("same", "chin"), ("different", "left_eye"))}  # fmt: skip
    page = pairs([(first, second), (replace(first, target="different"), second)], maps)
    words = " ".join(texts(page))
    assert "same: cosine 1.00" in words
    assert "one · two" in words
    assert "same: mean of 1 face" not in words
    assert "same: mean of 1 pair" in words
    assert "different: mean of 1 pair" in words
    with pytest.raises(OptionError, match="next to the map of their kind"):
        pairs([(first, second)], {"different": maps["different"]})


def test_the_caption_counts_measured_and_inferred_probes():
    drops = bump("nose_tip")
    inferred = np.arange(len(drops)) % 4 > 0
    measured = canonical(a_cis(drops))
    assert "468 of 468 places probed" in "\n".join(texts(measured))
    assert "interpolated" not in "\n".join(texts(measured))
    words = "\n".join(texts(canonical(a_cis(drops, inferred=inferred, inferred_error=0.0123))))
    assert "117 of 468 places probed" in words
    assert "the others interpolated, their typical error 0.012" in words


def test_the_caption_of_an_estimate_gives_its_band_and_its_reliability():
    whole = a_cms(bump("nose_tip"))
    assert "band" not in "\n".join(texts(canonical(whole)))
    estimate = replace(
        whole, note="10% of the places of each face probed, the rest inferred", half_width=0.0456
    )
    words = "\n".join(texts(canonical(estimate)))
    assert "10% of the places of each face probed, the rest inferred" in words
    assert "95% band ±0.046 where it is widest" in words
    assert "not reliable" not in words
    unsure = "\n".join(texts(canonical(replace(estimate, trusted=False))))
    assert "not reliable: too few faces" in unsure
    both = replace(estimate, name="other", half_width=0.2)
    assert "±0.046 to ±0.2 where it is widest" in "\n".join(texts(groups({"a": estimate, "b": both})))
