"""Maps from files: the match of files and photos, and the checks of their content."""

from dataclasses import replace

import numpy as np
import pytest

from canonface.demo import demo_folder
from canonface.errors import AttributionError, OptionError
from canonface.functional import sample
from canonface.methods import AttributionFiles, at_vertices, make_method
from canonface.models import prepare
from canonface.types import InputSpec

SPEC = InputSpec(size_hw=(24, 30))


@pytest.fixture(scope="module")
def shown(aligner):
    return prepare(aligner(demo_folder() / "photos" / "op_P005_studio.jpg")[0], SPEC)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "maps").mkdir()
    return tmp_path / "maps"


def test_a_map_is_read_at_the_visible_vertices(shown):
    rows, columns = np.mgrid[:24, :30]
    found = at_vertices(2.0 * columns - rows, shown)
    inside = np.clip(shown.vertices_xy, 0, [29, 23])
    expected = np.where(shown.visible, 2 * inside[:, 0] - inside[:, 1], np.nan)
    assert 0 < shown.visible.sum() < len(shown.visible)
    np.testing.assert_allclose(found, expected)
    with pytest.raises(OptionError, match="24 x 30 pixels; got shape"):
        at_vertices(np.zeros((30, 24)), shown)


def test_a_map_over_the_photo_is_read_at_the_faces_vertices(shown, folder):
    height, width = shown.face.image.shape[:2]
    attribution = np.random.default_rng(0).normal(size=(height, width)).astype(np.float32)
    np.save(folder / "op_P005_studio.npy", attribution)
    found = make_method(f"files:{folder}").at(shown)
    seen = shown.visible
    np.testing.assert_allclose(found[seen], sample(attribution, shown.face.vertices_xy[seen]))
    assert np.isnan(found[~seen]).all()


def test_a_map_over_the_input_is_read_like_one_of_a_method(shown, folder):
    attribution = np.random.default_rng(0).normal(size=(24, 30))
    attribution[:5] = np.nan
    np.save(folder / "op_P005_studio.npy", attribution)
    found = make_method(f"files:{folder}", over="input").at(shown)
    np.testing.assert_array_equal(found, at_vertices(attribution, shown))
    assert np.isnan(found).sum() > (~shown.visible).sum()
    other = replace(shown, face=replace(shown.face, index=1))
    with pytest.raises(AttributionError, match="this is number 2"):
        make_method(f"files:{folder}", over="input").at(other)


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize(
    ("reduce", "by"), [("sum", np.sum), ("max-abs", lambda a, axis: np.abs(a).max(axis=axis))]
)
def test_channels_become_one_number(shown, folder, last, reduce, by):
    attribution = np.random.default_rng(0).normal(size=(3, 24, 30))
    np.save(folder / "op_P005_studio.npy", attribution.transpose(1, 2, 0) if last else attribution)
    found = AttributionFiles(folder, over="input", reduce=reduce).at(shown)
    np.testing.assert_allclose(found, at_vertices(by(attribution, axis=0), shown))


def test_unusable_files_are_refused_with_a_reason(shown, folder):
    path = folder / "op_P005_studio.npy"
    np.save(folder / "another.npy", np.zeros((2, 2)))
    method = AttributionFiles(folder)
    with pytest.raises(AttributionError, match=r"there is no op_P005_studio\.npy"):
        method.at(shown)
    np.save(path, np.zeros((24, 30)))
    with pytest.raises(
        AttributionError, match=r"has shape \(24, 30\). If it lies over the input, say over='input'"
    ):
        method.at(shown)
    np.save(path, np.zeros((24, 30, 7)))
    with pytest.raises(AttributionError, match=r"A map over the model's input has its 24 x 30 pixels"):
        AttributionFiles(folder, over="input").at(shown)
    np.save(path, np.full((24, 30), np.inf))
    with pytest.raises(AttributionError, match="holds infinity"):
        AttributionFiles(folder, over="input").at(shown)
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(AttributionError, match="is none"):
        method.at(shown)
    path.write_bytes(b"no numbers")
    with pytest.raises(AttributionError, match="is none"):
        method.at(shown)
    np.save(path, np.array(["a", "b"]))
    with pytest.raises(AttributionError, match="holds something else"):
        method.at(shown)


def test_a_folder_without_maps_is_refused(tmp_path, folder):
    with pytest.raises(OptionError, match="there is none at"):
        make_method(f"files:{tmp_path / 'nowhere'}")
    with pytest.raises(OptionError, match="holds none"):
        make_method(f"files:{folder}")
    np.save(folder / "a.npy", np.zeros((2, 2)))
    with pytest.raises(OptionError, match="over is one of photo, input; got 'face'"):
        make_method(f"files:{folder}", over="face")


def test_photos_of_one_name_need_folders_of_their_own(folder):
    np.save(folder / "1.npy", np.zeros((2, 2)))
    method = AttributionFiles(folder)
    method.check_photos(["ann/1.jpg", "ann/2.jpg"])
    with pytest.raises(OptionError, match=r"ann/1.jpg and bob/1.jpg would both take 1.npy"):
        method.check_photos(["ann/1.jpg", "bob/1.jpg"])
    (folder / "bob").mkdir()
    np.save(folder / "bob" / "1.npy", np.ones((2, 2)))
    AttributionFiles(folder).check_photos(["ann/1.jpg", "bob/1.jpg"])


def test_files_are_identified_by_their_content(folder, tmp_path):
    np.save(folder / "1.npy", np.zeros((2, 2)))
    first = AttributionFiles(folder).describe()
    moved = folder.rename(tmp_path / "moved")
    assert AttributionFiles(moved).describe() == first
    np.save(moved / "1.npy", np.ones((2, 2)))
    assert AttributionFiles(moved).describe()["sha256"] != first["sha256"]
