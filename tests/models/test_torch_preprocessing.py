"""Preprocessing in PyTorch: equal to OpenCV's, with correct gradients."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from slow_resample import slow_resample

from canonface.errors import OptionError
from canonface.models import prepare, prepare_tensor, resample_tensor
from canonface.models.preprocessing import resample
from canonface.types import USUAL_MARGIN, InputSpec

# Grey levels of 255, on noise. OpenCV before 5 rounds coordinates to 1/32 pixel: at most 1/64 off, on two axes.
TOLERANCE = 0.01 if int(cv2.__version__.split(".")[0]) >= 5 else 2 * 255 / 64
RANDOM = np.random.default_rng(0)


def noise(height=60, width=80):
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)


def tensor_of(image, dtype=torch.float32):
    return torch.tensor(image.transpose(2, 0, 1), dtype=dtype)


def pixels_of(tensor):
    return tensor.detach().numpy().transpose(1, 2, 0)


def turned(scale_xy, degrees, centre_xy=(40.0, 30.0), size_hw=(20, 28)):
    """Shrinks or enlarges along the axes, after a turn."""
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = np.diag(np.broadcast_to(scale_xy, 2)) @ turn
    return np.column_stack([linear, (np.array(size_hw[::-1]) - 1) / 2 - linear @ centre_xy])


MATRICES = {
    "as it is": turned(1, 0),
    "shrunk": turned(0.31, 0),
    "shrunk much": turned(0.08, 0),
    "enlarged": turned(2.7, 0),
    "shrunk along y": turned((1.4, 0.4), 0),
    "turned": turned(0.9, 33),
    "turned and shrunk": turned(0.4, -120),
    "over the border": turned(0.5, 10, centre_xy=(3.0, 55.0)),
    "beyond the photo": turned(1.1, 0, centre_xy=(-300.0, 20.0)),
}


@pytest.mark.parametrize("matrix", MATRICES.values(), ids=MATRICES)
def test_it_is_the_slow_resampling(matrix):
    ours = resample_tensor(tensor_of(noise(), torch.float64), torch.from_numpy(matrix), (20, 28))
    # what the Gaussian reaches is cut from the photo first: 1e-3 of its weight may lie beyond
    np.testing.assert_allclose(pixels_of(ours), slow_resample(noise(), matrix, (20, 28)), atol=1e-3)


@pytest.mark.parametrize("matrix", MATRICES.values(), ids=MATRICES)
def test_it_is_opencvs_resampling(matrix):
    ours = resample_tensor(tensor_of(noise()), torch.from_numpy(matrix), (20, 28))
    np.testing.assert_allclose(pixels_of(ours), resample(noise(), matrix, (20, 28)), atol=TOLERANCE)


def test_it_is_opencvs_resampling_for_any_matrix():
    for _ in range(50):
        scale = np.exp(RANDOM.uniform(np.log(0.05), np.log(4)))
        centre = RANDOM.uniform([-10, -10], [90, 70])
        matrix = turned(scale, RANDOM.uniform(-180, 180), centre)
        ours = resample_tensor(tensor_of(noise()), torch.from_numpy(matrix), (20, 28))
        np.testing.assert_allclose(pixels_of(ours), resample(noise(), matrix, (20, 28)), atol=TOLERANCE)


@pytest.mark.parametrize("scale", [1.0, 1.3, 4.0])
def test_where_nothing_shrinks_both_are_plain_opencv(scale):
    """What insightface does, whose bytes are rounded; but it paints black beyond the photo."""
    matrix = turned(scale, 20)
    plain = cv2.warpAffine(noise(), matrix, (28, 20), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    assert np.abs(resample(noise(), matrix, (20, 28)) - plain).max() < 0.51 + TOLERANCE
    ours = pixels_of(resample_tensor(tensor_of(noise()), torch.from_numpy(matrix), (20, 28)))
    assert np.abs(ours - plain).max() < 0.51 + TOLERANCE


@pytest.mark.parametrize("name", ["shrunk", "enlarged", "turned and shrunk", "over the border"])
def test_gradients_are_right_for_photo_and_matrix(name):
    photo = torch.rand(1, 5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    linear = torch.from_numpy(MATRICES[name][:, :2])
    middle = torch.tensor([3.3, 2.1] if name != "over the border" else [0.4, 4.2], dtype=torch.float64)
    offset = torch.tensor([1.03, 0.52], dtype=torch.float64) - linear @ middle
    matrix = torch.column_stack([linear, offset])
    photo.requires_grad_()
    matrix.requires_grad_()
    assert torch.autograd.gradcheck(lambda p, m: resample_tensor(p, m, (2, 3)), (photo, matrix))


def test_a_batch_is_its_photos_one_by_one():
    photos = torch.stack([tensor_of(noise()), tensor_of(noise()).flip(-1), torch.zeros(3, 60, 80)])
    matrix = torch.from_numpy(MATRICES["turned and shrunk"])
    together = resample_tensor(photos, matrix, (20, 28))
    alone = torch.stack([resample_tensor(photo, matrix, (20, 28)) for photo in photos])
    torch.testing.assert_close(together, alone)
    assert resample_tensor(photos[:0], matrix, (20, 28)).shape == (0, 3, 20, 28)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_dtype_is_kept(dtype):
    image = torch.full((1, 1, 1), 7.0, dtype=dtype)
    shown = resample_tensor(image, torch.from_numpy(MATRICES["enlarged"]), (4, 6))
    assert shown.dtype == dtype
    torch.testing.assert_close(shown, torch.full((1, 4, 6), 7.0, dtype=dtype))


@pytest.mark.parametrize("crop", USUAL_MARGIN)
@pytest.mark.parametrize("colour", ["rgb", "bgr", "grey"])
def test_a_models_input_is_prepares(demo_faces, crop, colour):
    mean, std = ((0.4,), (0.2,)) if colour == "grey" else ((0.1, 0.2, 0.3), (0.5, 0.6, 0.7))
    spec = InputSpec(size_hw=(40, 48), colour=colour, crop=crop, mean=mean, std=std)
    for face in demo_faces[::9]:
        shown = prepare_tensor(face, spec)
        atol = TOLERANCE * spec.scale / min(std)
        np.testing.assert_allclose(shown.numpy(), prepare(face, spec).x, atol=atol)


def test_the_gradient_reaches_the_face_and_nothing_else(demo_faces):
    face = demo_faces[0]
    photo = tensor_of(face.image).requires_grad_()
    spec = InputSpec(size_hw=(112, 112), crop="arcface", scale=1.0)
    x = prepare_tensor(face, spec, photo)
    x.sum().backward()
    assert torch.isfinite(photo.grad).all()
    # each input pixel is a mean of photo pixels
    assert photo.grad.sum().item() == pytest.approx(x.numel(), rel=1e-4)
    reached = photo.grad[0] > 0
    x0, y0 = np.rint(face.mesh.landmark_xy("nose_tip", face.vertices_xy)).astype(int)
    assert reached[y0, x0]
    assert not reached[0, 0]
    x_moved = prepare_tensor(face, spec, photo.detach() + 1)
    torch.testing.assert_close(x_moved, x.detach() + 1)


def test_photos_of_one_face_go_together(demo_faces):
    face, spec = demo_faces[0], InputSpec(size_hw=(24, 24))
    own = tensor_of(face.image)
    both = prepare_tensor(face, spec, torch.stack([own, 255 - own]))
    assert both.shape == (2, 3, 24, 24)
    torch.testing.assert_close(both[1], 1 - both[0])
    torch.testing.assert_close(both[0], prepare_tensor(face, spec))


@pytest.mark.parametrize(
    "spoil",
    [lambda p: p[:, 1:], lambda p: p[:1], lambda p: p.byte(), lambda p: p[None, None]],
    ids=["height", "channels", "bytes", "axes"],
)
def test_another_photo_is_refused(demo_faces, spoil):
    face = demo_faces[0]
    with pytest.raises(OptionError, match=r"floating-point tensor \(3, h, w\).*; got .* of torch"):
        prepare_tensor(face, InputSpec(), spoil(tensor_of(face.image)))


def test_nothing_that_is_given_is_changed(demo_faces):
    face = demo_faces[0]
    photo, matrix = tensor_of(noise()), torch.from_numpy(MATRICES["shrunk"].copy())
    before = photo.clone(), matrix.clone(), face.image.copy()
    resample_tensor(photo, matrix, (20, 28))
    prepare_tensor(face, replace(InputSpec(), colour="bgr")).add_(1)
    torch.testing.assert_close((photo, matrix), before[:2], rtol=0, atol=0)
    np.testing.assert_array_equal(face.image, before[2])
