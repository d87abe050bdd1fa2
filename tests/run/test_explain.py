"""One face, one model: the whole way against the readable loop and the slow replica, and its directions."""

import algorithm1
import numpy as np
import pytest

from canonface import functional
from canonface.errors import ModelError, ModelOutputError, OptionError, TargetError
from canonface.explanation import explain
from canonface.mesh import Canvas, load_mesh
from canonface.models import load_model, prepare
from canonface.types import InputSpec

SPEC = InputSpec(size_hw=(48, 48))
rng = np.random.default_rng(5)
WEIGHTS = rng.normal(size=(2, 3, 48, 48))


def toy(batch):
    """A model with logits of two classes in which every pixel counts a little."""
    return np.einsum("nchw,kchw->nk", batch, WEIGHTS) / 8


def probability(batch, index):
    logits = toy(np.asarray(batch, np.float64))
    return np.exp(logits[:, index]) / np.exp(logits).sum(axis=1)


@pytest.fixture(scope="module")
def model():
    return load_model(toy, spec=SPEC, labels=("first", "second"), name="toy")


def test_equals_the_slow_replica_of_algorithm_1_on_the_default_mesh(demo_faces, model):
    face = demo_faces[7]
    stride = 9
    cis = explain(face, model, target="second", patch=5, fill="black", stride=stride)
    shown = prepare(face, SPEC)
    centres = np.where(shown.visible[:, None], shown.vertices_xy, np.nan)[::stride]
    slow = algorithm1.drops(lambda b: probability(b, 1), shown.x, centres, 5, 0.0)
    np.testing.assert_allclose(cis.drops, slow, atol=1e-5)
    canonical = Canvas().project(load_mesh(1))[::stride]
    image, count = algorithm1.cis(cis.drops, canonical, (512, 512), 5 * 512 / 48)
    np.testing.assert_array_equal(cis.count, count)
    np.testing.assert_allclose(cis.map, image, atol=1e-5)
    assert cis.confidence == pytest.approx(probability(shown.x[None], 1)[0], abs=1e-6)


@pytest.mark.data
def test_equals_the_slow_replica_on_the_papers_own_meshes(data):
    """PRNet meshes of CelebA photos, as the paper's authors publish them: 2,194 points in pixels."""
    from PIL import Image
    from scipy.io import loadmat

    folder = data / "csm_celeba100"
    frontal = loadmat(folder / "frontal_mesh.mat")["vertices"]
    meshes = sorted((folder / "meshes").glob("*.mat"))[:3]
    assert len(meshes) == 3
    weights = np.random.default_rng(0).normal(size=(3, 218, 178))

    def score(batch):
        return 1 / (1 + np.exp(-(np.asarray(batch) * weights).sum(axis=(1, 2, 3)) / 30))

    maps, counts, slow_maps, slow_counts = [], [], [], []
    size = functional.canonical_patch(15, 619, 218)
    for path in meshes:
        points = loadmat(path)["vertices"][:, :2].astype(float)
        canonical = frontal[::20, :2].astype(float)
        assert points.shape == canonical.shape == (2194, 2)
        photo = (
            np.asarray(
                Image.open(folder / "images" / f"{path.stem.removesuffix('_mesh')}.jpg"), np.float64
            ).transpose(2, 0, 1)
            / 255
        )
        fast = functional.drops(score, photo, points[::7], 15, 0.0)
        slow = algorithm1.drops(score, photo, points[::7], 15, 0.0)
        np.testing.assert_allclose(fast, slow, atol=1e-5)
        for results, got in (
            ((maps, counts), functional.cis(fast, canonical[::7], (619, 619), size)),
            ((slow_maps, slow_counts), algorithm1.cis(slow, canonical[::7], (619, 619), size)),
        ):
            results[0].append(got[0])
            results[1].append(got[1])
    np.testing.assert_allclose(maps, slow_maps, atol=1e-5)
    for unseen in ("omit", "zero"):
        np.testing.assert_allclose(
            functional.cms(maps, counts, unseen), algorithm1.cms(slow_maps, slow_counts, unseen), atol=1e-5
        )


def reader_of(x0, y0, x1, y1):
    return load_model(
        lambda b: np.stack([4 * b[:, :, y0:y1, x0:x1].mean(axis=(1, 2, 3)), np.zeros(len(b))], axis=1),
        spec=SPEC,
    )


def test_left_right_up_and_down_are_the_subjects(demo_faces):
    """A model that reads the right half of the picture relies on the subject's left."""
    face = demo_faces[1]
    mesh, xy = load_mesh(1), Canvas().project(load_mesh(1))
    for model, wanted, opposite in (
        (reader_of(24, 0, 48, 48), "left_cheek", "right_cheek"),
        (reader_of(0, 0, 24, 48), "right_cheek", "left_cheek"),
        (reader_of(0, 0, 48, 20), "forehead", "chin"),
        (reader_of(0, 34, 48, 48), "chin", "forehead"),
    ):
        cis = explain(face, model, target=0, patch=5, fill="black", stride=1)
        drops = dict(zip(cis.probes.tolist(), cis.drops.tolist(), strict=True))
        there = np.nanmean([drops[v] for v in mesh.regions[wanted]])
        elsewhere = np.nanmean([drops[v] for v in mesh.regions[opposite]])
        assert there > 0.001
        assert abs(elsewhere) < there / 10
        columns, rows = np.rint(xy[mesh.regions[wanted]].mean(axis=0)).astype(int)
        assert cis.map[rows, columns] > 0.001


def test_the_sign_says_whether_the_model_relied_on_it(demo_faces):
    x = prepare(demo_faces[1], SPEC).x
    model = load_model(lambda b: np.stack([b.mean(axis=(1, 2, 3)), 0 * b[:, 0, 0, 0]], 1) * 3, spec=SPEC)
    assert x.min() < 0.1 < x.mean()
    darker = explain(demo_faces[1], model, target=0, fill="black", patch=5)
    brighter = explain(demo_faces[1], model, target=0, fill="#ffffff", patch=5)
    assert np.nanmax(darker.drops) > 0.001
    assert np.nanmin(darker.drops) >= 0
    assert np.nanmin(brighter.drops) < -0.001
    assert np.nanmax(brighter.drops) <= 0


def test_what_a_profile_hides_is_not_asked(demo_faces, model):
    face = next(face for face in demo_faces if "P009_view_profile" in face.path)
    cis = explain(face, model, stride=1)
    assert face.pose_deg.yaw < -60
    np.testing.assert_array_equal(np.isnan(cis.drops), ~prepare(face, SPEC).visible)
    # the face looks to the left of the picture: the subject's left cheek is seen, the right one is not
    assert np.isnan(cis.drops[load_mesh(1).regions["left_cheek"]]).mean() < 0.3
    assert np.isnan(cis.drops[load_mesh(1).regions["right_cheek"]]).mean() > 0.9


def test_batches_and_repeated_asking_give_the_same_numbers(demo_faces, model):
    one = explain(demo_faces[3], model, batch=1, stride=20)
    many = explain(demo_faces[3], model, batch=500, stride=20)
    np.testing.assert_allclose(one.drops, many.drops, atol=1e-6)
    assert one.model_calls == many.model_calls <= np.isfinite(one.drops).sum() + 1


def test_the_face_and_the_photo_are_not_changed(demo_faces, model):
    face = demo_faces[0]
    before = face.image.copy(), face.vertices_xy.copy()
    explain(face, model, stride=50, fill="blur")
    np.testing.assert_array_equal(before[0], face.image)
    np.testing.assert_array_equal(before[1], face.vertices_xy)


@pytest.mark.parametrize(
    ("prediction", "error", "words"),
    [
        (lambda b: np.full((len(b), 2), np.nan), ModelOutputError, "NaN"),
        (lambda b: np.zeros(len(b)), ModelOutputError, r"\(n, 1\)"),
        (lambda b: np.zeros((len(b) + 1, 2)), ModelOutputError, "one row of numbers per input"),
        (lambda b: 1 / 0, ModelError, "division by zero"),
    ],
)
def test_a_model_that_misbehaves_is_named(demo_faces, prediction, error, words):
    with pytest.raises(error, match=words):
        explain(demo_faces[0], load_model(prediction, spec=SPEC))


def test_targets_and_options_that_do_not_exist(demo_faces, model):
    with pytest.raises(TargetError, match="did you mean 'second'"):
        explain(demo_faces[0], model, target="secnd")
    with pytest.raises(OptionError, match="did you mean 'patch'"):
        explain(demo_faces[0], model, patsh=4)
