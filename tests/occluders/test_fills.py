"""The content of each fill, in the values of the model."""

from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest
from toy_faces import flat_input, toy_face, toy_input

from canonface.assets import asset_path
from canonface.errors import OptionError
from canonface.mesh import load_mesh
from canonface.models import prepare
from canonface.occluders import (
    FILLS,
    OCCLUDERS,
    Square,
    check_fill,
    content,
    default_patch,
    describe_fill,
    make_occluder,
)
from canonface.occluders.average import MOST_CONTRAST, average_texture, texture_digest
from canonface.occluders.face_raster import face_raster
from canonface.raster import rasterise
from canonface.types import InputSpec

IMAGENET = InputSpec(size_hw=(40, 40), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
PLAIN = InputSpec(size_hw=(40, 40))
BGR = InputSpec(size_hw=(40, 40), colour="bgr", scale=1, mean=(1.0, 2.0, 3.0), std=(2.0,))
GREY = InputSpec(size_hw=(40, 40), colour="grey", scale=1 / 127.5, mean=(1.0,))
SPECS = {"imagenet": IMAGENET, "plain": PLAIN, "bgr": BGR, "grey": GREY}
BOXES = np.array([[10, 12, 17, 19], [0, 0, 4, 6], [38, 20, 40, 23]])


def filled(fill, shown, boxes=BOXES, masks=None, side=7.0):
    """Return the content of each box."""
    values = content(fill, shown, side, boxes, masks)
    if not isinstance(values, np.ndarray):
        return list(values)
    whole = np.broadcast_to(values, shown.x.shape)
    return [whole[:, y0:y1, x0:x1] for x0, y0, x1, y1 in boxes.tolist()]


@pytest.fixture(params=SPECS)
def shown(request):
    return toy_input(SPECS[request.param])


@pytest.mark.parametrize("fill", [*FILLS, "#102030"])
def test_every_fill_gives_possible_pixel_values_and_leaves_the_input_alone(fill, shown):
    before = shown.x.copy()
    darkest, lightest = (shown.spec.from_pixels(np.full((1, 1, 3), level)) for level in (0.0, 255.0))
    for (x0, y0, x1, y1), values in zip(BOXES.tolist(), filled(fill, shown), strict=True):
        assert values.shape == (shown.spec.channels, y1 - y0, x1 - x0)
        assert values.dtype == np.float32
        assert (values >= darkest - 1e-4).all()
        assert (values <= lightest + 1e-4).all()
    np.testing.assert_array_equal(shown.x, before)


def test_black_is_pixel_value_zero_in_every_normalisation(shown):
    assert shown.spec.to_pixels(filled("black", shown)[0]).max() == 0


@pytest.mark.parametrize("spec", [IMAGENET, PLAIN, BGR])
def test_a_colour_is_rgb_whatever_the_order_of_the_channels(spec):
    assert spec.to_pixels(filled("#ff8000", toy_input(spec))[0])[0, 0].tolist() == [255, 128, 0]


def test_mean_is_zero_after_normalisation_or_else_the_mean_of_the_input():
    assert not filled("mean", toy_input(IMAGENET))[0].any()
    shown = toy_input(PLAIN)
    np.testing.assert_allclose(filled("mean", shown)[0][:, 0, 0], shown.x.mean(axis=(1, 2)), rtol=1e-6)


def test_blur_keeps_the_mean_and_smooths_a_point():
    shown = toy_input(PLAIN)
    x = np.zeros((3, 40, 40), np.float32)
    x[:, 15, 15] = 1
    got = content("blur", replace(shown, x=x), 4.0, BOXES)
    np.testing.assert_allclose(got.sum(), 3, rtol=1e-4)
    # a Gaussian of sigma 2: centre 1/(2 pi 4)
    assert got[0, 15, 15] == pytest.approx(1 / (8 * np.pi), rel=0.03)


class TestNoise:
    def test_the_same_face_gets_the_same_noise_and_another_face_another(self):
        first, again, other = toy_input(PLAIN), toy_input(PLAIN), toy_input(PLAIN, seed=1)
        noise = content("noise", first, 7.0, BOXES)
        np.testing.assert_array_equal(noise, content("noise", again, 3.0, BOXES[:1]))
        assert np.abs(noise - content("noise", other, 7.0, BOXES)).mean() > 0.02

    def test_the_global_generator_is_left_alone(self):
        before = np.random.get_state()[1].copy()  # noqa: NPY002
        content("noise", toy_input(PLAIN), 7.0, BOXES)
        np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002

    def test_it_has_the_inputs_mean_and_spread_and_no_pattern(self):
        shown = toy_input(PLAIN)
        noise = content("noise", shown, 7.0, BOXES)
        np.testing.assert_allclose(noise.mean(axis=(1, 2)), shown.x.mean(axis=(1, 2)), atol=0.02)
        np.testing.assert_allclose(noise.std(axis=(1, 2)), shown.x.std(axis=(1, 2)), rtol=0.08)
        assert abs(np.corrcoef(noise[0, :, :-1].ravel(), noise[0, :, 1:].ravel())[0, 1]) < 0.08


class TestInpaint:
    def test_a_hole_in_an_even_picture_disappears(self):
        shown = replace(toy_input(PLAIN), x=np.full((3, 40, 40), 100 / 255, np.float32))
        shown.x[:, 14:17, 12:15] = 1.0  # what is hidden does not show through
        [values] = content("inpaint", shown, 7.0, BOXES[:1])
        np.testing.assert_allclose(values, 100 / 255, atol=3 / 255)  # OpenCV rounds

    def test_an_edge_goes_on_through_the_hole(self):
        x = np.zeros((3, 40, 40), np.float32)
        x[:, :, 14:] = 200 / 255
        [values] = content("inpaint", replace(toy_input(PLAIN), x=x), 7.0, BOXES[:1])
        assert values[0, 3, 0] < 50 / 255
        assert values[0, 3, -1] > 150 / 255

    def test_it_is_what_opencv_makes_of_the_whole_picture(self):
        import cv2

        shown = toy_input(PLAIN)
        mask = np.zeros((7, 7), bool)
        mask[1:6, 2:7] = True
        hidden = np.zeros((40, 40), np.uint8)
        hidden[12:19, 10:17] = mask
        whole = cv2.inpaint(shown.spec.to_pixels(shown.x), hidden, 3, cv2.INPAINT_TELEA)
        [values] = content("inpaint", shown, 7.0, BOXES[:1], [mask])
        got = shown.spec.to_pixels(values)
        np.testing.assert_array_equal(got[mask], whole[12:19, 10:17][mask])

    def test_a_hole_without_a_rim_takes_the_mean_colour(self):
        shown = toy_input(PLAIN)
        [values] = content("inpaint", shown, 40.0, np.array([[0, 0, 40, 40]]))
        np.testing.assert_allclose(values[:, 0, 0], shown.x.mean(axis=(1, 2)), atol=2 / 255)
        assert np.ptp(values, axis=(1, 2)).max() < 1e-6


class TestAverage:
    def test_the_texture_is_symmetric_has_eyes_and_is_read_only(self):
        texture = average_texture().astype(float)
        mesh = load_mesh(1)
        colours = texture[tuple(np.rint(mesh.uv[:, ::-1] * len(texture) - 0.5).astype(int).T)].mean(axis=1)
        inner = np.abs(mesh.vertices[:, 0]) < 5
        assert np.abs(colours - colours[mesh.mirror])[inner].mean() < 4
        eye, cheek = (colours[mesh.regions[name]].mean() for name in ("right_eye", "right_cheek"))
        assert eye < cheek - 15
        with pytest.raises(ValueError, match="read-only"):
            average_texture()[0, 0] = 0

    def test_on_the_average_face_itself_nothing_changes(self):
        """A photo of the texture, drawn through the mesh: the fill equals the photo."""
        import cv2

        face = toy_face(pixels_per_cm=6.0)
        raster = rasterise(face.vertices_xy, face.depth, face.mesh.triangles, (120, 120))
        places = (raster.interpolate(face.mesh.uv) * len(average_texture()) - 0.5).astype(np.float32)
        image = cv2.remap(average_texture(), places[..., 0].copy(), places[..., 1].copy(), cv2.INTER_LINEAR)
        spec = InputSpec(size_hw=(120, 120), crop="image")
        shown = prepare(replace(face, image=image), spec)
        got = spec.to_pixels(content("average", shown, 9.0, BOXES))
        inner = cv2.erode(raster.inside.astype(np.uint8), np.ones((5, 5))) > 0
        assert np.abs(got.astype(int) - image)[inner].max() <= 3

    def test_it_has_the_colours_of_the_face_with_limited_contrast(self):
        face = toy_face(pixels_per_cm=6.0)
        spec = InputSpec(size_hw=(120, 120), crop="image")
        for factor in (0.25, 1.0):
            image = np.clip(np.rint(face.image * factor), 0, 255).astype(np.uint8)
            shown = prepare(replace(face, image=image), spec)
            inside = face_raster(shown, "").inside
            got = spec.to_pixels(content("average", shown, 9.0, BOXES))[inside]
            own = image[inside]
            np.testing.assert_allclose(got.mean(axis=0), own.mean(axis=0), atol=3)
            texture_spread = 45
            assert (got.std(axis=0) <= np.minimum(own.std(axis=0), MOST_CONTRAST * texture_spread) + 2).all()

    def test_occluders_describe_the_texture_so_that_no_run_continues_with_another(
        self, monkeypatch, tmp_path
    ):
        known = sha256(asset_path("average_face.png").read_bytes()).hexdigest()[:16]
        for shape in OCCLUDERS:
            described = make_occluder(shape, 7, "mean+average").describe()
            assert described["texture"] == known
            assert "texture" not in make_occluder(shape, 7, "mean").describe()
        other = tmp_path / "other.png"
        other.write_bytes(b"another average face")
        monkeypatch.setattr("canonface.occluders.average.asset_path", lambda name: other)
        texture_digest.cache_clear()
        try:
            assert describe_fill("average")["texture"] != known
        finally:
            texture_digest.cache_clear()

    def test_another_mesh_is_refused_with_a_sentence(self):
        shown = flat_input([(20, 20)])
        with pytest.raises(OptionError, match=r"needs the default mesh .*'flat/1': choose another fill"):
            content("average", shown, 7.0, BOXES)


class TestSeveral:
    def test_each_fill_is_separate(self):
        shown = toy_input(PLAIN)
        several = make_occluder("disc", 7, "mean+black+inpaint").occlusions(shown, np.array([4, 9]))
        assert len(several) == 3
        for fill, got in zip(("mean", "black", "inpaint"), several, strict=True):
            [alone] = make_occluder("disc", 7, fill).occlusions(shown, np.array([4, 9]))
            np.testing.assert_array_equal(got.hide(shown.x), alone.hide(shown.x))

    def test_names_are_checked_one_by_one(self):
        assert check_fill("mean+#ffffff") == ("mean", "#ffffff")
        with pytest.raises(OptionError, match="did you mean 'noise'"):
            check_fill("mean+nois")
        with pytest.raises(OptionError, match=r"got ''"):
            check_fill("mean+")
        with pytest.raises(OptionError, match="named once each; got 'mean\\+mean'"):
            check_fill("mean+mean")


def test_unknown_fill_and_patch_are_refused():
    with pytest.raises(OptionError, match=r"did you mean 'black'\?.*Known: mean, black, blur"):
        Square(3, "balck")
    with pytest.raises(OptionError, match="at least 1 pixel"):
        Square(0)
    with pytest.raises(OptionError, match="at least 1 pixel"):
        Square(float("nan"))


def test_the_default_patch_is_15_pixels_a_sixth_of_small_inputs_and_grows_with_large_ones():
    assert [default_patch(h) for h in (8, 32, 64, 112, 160, 224, 448)] == [3, 5, 11, 15, 15, 15, 29]
