"""Files of maps and figures: content, whole writes, refused options."""

import os
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image
from test_pictures import CANVAS, MESH, XY, a_cis, a_cms, bump

from canonface.errors import OptionError, RunError
from canonface.maps import vertex_values
from canonface.plots import canonical, overlay, save, scale_of
from canonface.plots.glb import vertex_colours
from canonface.plots.panels import seen_count


@pytest.fixture
def cms():
    return a_cms(bump("chin"), visible=XY[:, 0] < 60)


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf", ".npy", ".glb"])
def test_the_same_map_gives_the_same_bytes(tmp_path, cms, suffix):
    first, second = (save(cms, tmp_path / f"{name}{suffix}").read_bytes() for name in "ab")
    assert first == second
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"a{suffix}", f"b{suffix}"]


def test_a_png_opens_and_has_the_size_of_its_figure(tmp_path, cms):
    figure = canonical(cms, title="Mine")
    with Image.open(save(figure, tmp_path / "map.PNG")) as image:
        assert image.size == tuple(np.floor(figure.get_size_inches() * figure.dpi + 1e-6).astype(int))
        assert "Software" not in image.info


def test_an_svg_is_xml_with_the_unit_in_it(tmp_path, cms):
    path = save(overlay(a_cis(bump("chin"))), tmp_path / "map.svg")
    words = path.read_text()
    assert "drop in probability of happy" in words
    ids = [element.get("id") for element in ET.fromstring(words).iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    for reference in __import__("re").findall(r"url\(#([^)]+)\)", words):
        assert reference in ids


def test_an_npy_holds_the_map_and_nan_where_nothing_was_probed(tmp_path, cms):
    loaded = np.load(save(cms, tmp_path / "map.npy"))
    assert loaded.dtype == np.float64
    assert loaded.shape == CANVAS.size_hw
    np.testing.assert_array_equal(np.isnan(loaded), cms.seen == 0)
    np.testing.assert_array_equal(loaded[cms.seen > 0], cms.map[cms.seen > 0])


@pytest.mark.parametrize("result", [a_cms(bump("chin"), visible=XY[:, 0] < 60), a_cis(bump("chin", -0.3))])
def test_a_glb_comes_back_from_another_reader(tmp_path, result):
    path = save(result, tmp_path / "map.glb", limit=0.5)
    mesh = trimesh.load(path, process=False).geometry["canonical face"]
    np.testing.assert_allclose(mesh.vertices, MESH.vertices, atol=1e-5)
    np.testing.assert_array_equal(mesh.faces, MESH.triangles)
    values = vertex_values(result.map, seen_count(result), result.mesh, result.canvas)
    np.testing.assert_allclose(mesh.vertex_attributes["_VALUE"].ravel(), np.nan_to_num(values), atol=1e-6)
    np.testing.assert_array_equal(mesh.vertex_attributes["_SEEN"].ravel() > 0.5, ~np.isnan(values))
    srgb = vertex_colours(result, scale_of([result], 0.5))
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    stored = _colours(path, len(values))
    np.testing.assert_allclose(stored, linear, atol=1e-6)
    assert mesh.metadata["unit"] == "probability of happy"
    assert mesh.metadata["limit"] == 0.5


def _colours(path, count):
    """Return the colours as stored in the file; trimesh rounds them."""
    import json

    data = path.read_bytes()
    assert data[:4] == b"glTF"
    assert int.from_bytes(data[8:12], "little") == len(data)
    length = int.from_bytes(data[12:16], "little")
    document = json.loads(data[20 : 20 + length])
    accessor = document["accessors"][document["meshes"][0]["primitives"][0]["attributes"]["COLOR_0"]]
    start = 20 + length + 8 + document["bufferViews"][accessor["bufferView"]]["byteOffset"]
    return np.frombuffer(data, "<f4", count * 3, start).reshape(-1, 3)


def test_values_of_vertices_agree_with_the_map():
    cms = a_cms(bump("chin"), visible=XY[:, 0] < 60)
    far = XY[:, 0] > 72
    assert np.isnan(cms.vertex_values[far]).all()
    assert far.any()
    colours = vertex_colours(cms, scale_of([cms]))
    assert (colours[far][:, 0] == colours[far][:, 2]).all()
    chin = MESH.regions["chin"]
    shown = chin[XY[chin, 0] < 50]
    assert (colours[shown, 0] > colours[shown, 2]).all()


@pytest.mark.parametrize("name", ["map.jpg", "map", "map.eps", ".png"])
def test_an_unknown_suffix_lists_the_known_ones(tmp_path, cms, name):
    with pytest.raises(OptionError, match=r"\.png, \.svg, \.pdf, \.npy, \.glb"):
        save(cms, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_figure_has_no_map_to_save(tmp_path, cms):
    with pytest.raises(OptionError, match=r"figure is saved as \.png, \.svg, \.pdf; .*Save the map itself"):
        save(canonical(cms), tmp_path / "map.npy")


def test_options_that_do_not_go_with_the_file_are_refused(tmp_path, cms):
    with pytest.raises(OptionError, match="are: none; got limit"):
        save(cms, tmp_path / "map.npy", limit=1.0)
    with pytest.raises(OptionError, match="are: face_picture, cmap, dpi, limit, title; got colour"):
        save(cms, tmp_path / "map.png", colour="red")


def test_a_missing_folder_is_named(tmp_path, cms):
    with pytest.raises(RunError, match="gone"):
        save(cms, tmp_path / "gone" / "map.npy")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_named(tmp_path, cms):
    tmp_path.chmod(0o500)
    with pytest.raises(RunError, match="can be written to"):
        save(cms, tmp_path / "map.npy")


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, cms, monkeypatch):
    path = save(cms, tmp_path / "map.npy")
    before = path.read_bytes()

    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(RunError, match="No space left"):
        save(a_cms(bump("left_eye")), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_documentation_names_every_format():
    page = (Path(__file__).parents[2] / "docs" / "reading-maps.md").read_text()
    assert all(f"`{suffix}`" in page for suffix in (".png", ".svg", ".pdf", ".npy", ".glb"))
