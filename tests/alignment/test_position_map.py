"""Position maps: a network with a known output, and the mapping from its texels to the photo."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest
from position_networks import (
    SIZE,
    known_map,
    known_positions,
    save_position_onnx,
    save_position_torchscript,
    save_texels,
)

from canonface.alignment import PositionMapAligner, read_photo
from canonface.alignment.finder import FaceFinder
from canonface.alignment.position_map import BROWS_TO_CHIN, prnet_crop, read_texels
from canonface.errors import AlignmentError, OptionError
from canonface.mesh import load_mesh, make_mesh

MESH = load_mesh(0)
STUDIO = read_photo((files("canonface.demo") / "photos" / "op_P001_studio.jpg").read_bytes())


@pytest.fixture
def texels(tmp_path):
    save_texels(tmp_path / "texels.txt", 468)
    return tmp_path / "texels.txt"


def prnet_way_back(points, factor, shift):
    """Return crop and inverse mapping as in PRNet's code: similarity of three points, its inverse, z by the scale."""
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    old = (right - left + bottom - top) / 2
    centre = np.array([right - (right - left) / 2, bottom - (bottom - top) / 2 + old * shift])
    size = int(old * factor)
    # Edges of the crop on edges of the photo's pixels: PRNet's own 255 in place of 256 moves by < 1 crop pixel.
    corner, scale = centre - size / 2, SIZE / size

    def back(positions):
        xy = (positions[:, :2] + 0.5) / scale + corner
        return np.column_stack([xy, positions[:, 2] / scale])

    return back


@pytest.mark.parametrize(("kind", "save"), [("onnx", save_position_onnx), ("pt", save_position_torchscript)])
@pytest.mark.parametrize(("factor", "shift"), [(1.6, 0.0), (1.58, 0.14)])
def test_texels_map_to_the_photo_as_in_prnet(tmp_path, texels, kind, save, factor, shift):
    save(tmp_path / f"net.{kind}", MESH)
    aligner = PositionMapAligner(MESH, tmp_path / f"net.{kind}", texels, factor=factor, shift=shift)
    [face] = aligner(STUDIO)
    [(_, landmarks)] = FaceFinder()(STUDIO)
    expected = prnet_way_back(landmarks.xy[list(BROWS_TO_CHIN)], factor, shift)(known_positions(MESH))
    np.testing.assert_allclose(face.vertices_xy, expected[:, :2], atol=1e-3)
    np.testing.assert_allclose(face.depth, expected[:, 2].mean() - expected[:, 2], atol=1e-3)
    np.testing.assert_allclose(face.pose_deg, (0, 0, 0), atol=1e-3)
    assert face.visible.mean() > 0.95


def test_the_network_sees_the_crop_in_zero_to_one(tmp_path, texels, monkeypatch):
    save_position_onnx(tmp_path / "net.onnx", MESH)
    aligner, seen = PositionMapAligner(MESH, tmp_path / "net.onnx", texels), []
    network = aligner._network
    monkeypatch.setattr(aligner, "_network", lambda pixels: seen.append(pixels) or network(pixels))
    aligner(STUDIO)
    [crop] = seen
    assert (crop.shape, crop.dtype) == ((SIZE, SIZE, 3), np.float32)
    assert 0 <= crop.min() < 0.2
    assert 0.8 < crop.max() <= 1
    [(_, landmarks)] = FaceFinder()(STUDIO)
    square = prnet_crop(landmarks.xy[list(BROWS_TO_CHIN)], 1.6, 0.0)
    pupil = (landmarks.xy[468] - square.centre_xy) / square.side * SIZE + SIZE / 2 - 0.5
    x, y = pupil.astype(int)
    assert crop[y - 2 : y + 3, x - 2 : x + 3].mean() < crop[y - 20 : y + 21, x - 20 : x + 21].mean() - 0.05


def test_a_stride_takes_every_kth_texel(tmp_path, texels):
    save_position_onnx(tmp_path / "net.onnx", MESH)
    thin = make_mesh("thin", MESH.vertices[::4])
    [face] = PositionMapAligner(thin, tmp_path / "net.onnx", texels, stride=4)(STUDIO)
    [whole] = PositionMapAligner(MESH, tmp_path / "net.onnx", texels)(STUDIO)
    np.testing.assert_array_equal(face.vertices_xy, whole.vertices_xy[::4])


@pytest.mark.parametrize("name", ["net.onnx", "net.pt"])
def test_wrong_network_files_raise_at_construction(tmp_path, texels, name):
    (tmp_path / name).write_bytes(b"\x80\x04 not a network")
    with pytest.raises(OptionError, match=r"is not a whole (ONNX|TorchScript) file"):
        PositionMapAligner(MESH, tmp_path / name, texels)


def test_a_pickle_named_like_a_network_is_not_executed(tmp_path, texels, capsys):
    import pickle

    class Trap:
        def __reduce__(self):
            return (print, ("executed",))

    (tmp_path / "net.pt").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(OptionError, match="TorchScript"):
        PositionMapAligner(MESH, tmp_path / "net.pt", texels)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("prediction", "message"),
    [
        (np.full((SIZE, SIZE, 3), np.nan, dtype=np.float32), "has NaN or infinity"),
        (np.zeros((SIZE, SIZE, 2), dtype=np.float32), r"returned shape \(1, 256, 256, 2\)"),
    ],
)
def test_a_wrong_output_raises(tmp_path, texels, prediction, message):
    save_position_onnx(tmp_path / "net.onnx", MESH, prediction)
    with pytest.raises(AlignmentError, match=message):
        PositionMapAligner(MESH, tmp_path / "net.onnx", texels)(STUDIO)


def test_index_files(tmp_path):
    np.save(tmp_path / "texels.npy", np.array([3, 1, 65535]))
    (tmp_path / "texels.txt").write_text("3.000e+00\n1\n65535")
    for name in ("texels.npy", "texels.txt"):
        assert read_texels(tmp_path / name).tolist() == [3, 1, 65535]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"1 2 x", "cannot be read as one"),
        ("a.txt", b"1 65536", "0 to 65535, .* from 1 to 65536"),
        ("a.txt", b"-1 2", "from -1 to 2"),
        ("a.txt", b"0.5", "whole numbers"),
        ("a.txt", b"", "holds 0 values"),
        ("a.npy", b"no", "cannot be read as one"),
    ],
)
def test_wrong_index_files_raise(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(OptionError, match=message):
        read_texels(tmp_path / name)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"network": "net.tflite"}, r"\.onnx file, or TorchScript"),
        ({"stride": 2}, "468 vertices, .* stride 2 234 texels"),
        ({"stride": 0}, "stride is a whole number"),
        ({"factor": 0.0}, "factor and max_position are positive"),
        ({"min_inside": 2.0}, "min_inside is above 0"),
    ],
)
def test_bad_options(tmp_path, texels, options, message):
    save_position_onnx(tmp_path / "net.onnx", MESH)
    given = {"network": "net.onnx", **options}
    with pytest.raises(OptionError, match=message):
        PositionMapAligner(MESH, **(given | {"network": tmp_path / given["network"], "indices": texels}))


def test_texels_without_a_vertex_hold_invalid_positions():
    assert (known_map(MESH).reshape(-1, 3)[1] < -2).all()  # so that a wrong texel would show
