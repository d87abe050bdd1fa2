"""A gallery: its checks, its file, and forged files."""

import pickle
import zipfile
import zlib

import numpy as np
import pytest

from canonface.confidence import Gallery
from canonface.errors import OptionError, TargetError


def gallery():
    rng = np.random.default_rng(0)
    return Gallery(("Ada", "Ada", "Émile"), rng.normal(size=(3, 512)) * 40, ("a" * 64, "b" * 64, ""))


def test_vectors_are_kept_at_length_one_and_closed_to_writing():
    given = np.array([[3.0, 4.0], [0.0, 0.5]])
    kept = Gallery(("a", "b"), given)
    np.testing.assert_allclose(kept.features, [[0.6, 0.8], [0, 1]], rtol=1e-6)
    assert kept.features.dtype == np.float32
    assert given.tolist() == [[3.0, 4.0], [0.0, 0.5]]
    assert kept.photos == ("", "")
    with pytest.raises(ValueError, match="read-only"):
        kept.features[0, 0] = 1


def test_a_photo_is_left_out_of_its_own_identity():
    full = gallery()
    assert full.of("Ada").shape == (2, 512)
    np.testing.assert_array_equal(full.of("Ada", "a" * 64), full.features[1:2])
    # A photo whose digest is not known is never taken for another.
    assert full.of("Émile", "").shape == (1, 512)


def test_a_file_keeps_everything_to_the_bit(tmp_path):
    before = gallery()
    path = before.save(tmp_path / "gallery.npz")
    after = Gallery.load(path)
    assert (after.identities, after.photos) == (before.identities, before.photos)
    np.testing.assert_array_equal(after.features, before.features)
    assert after.digest == before.digest == pickle.loads(pickle.dumps(before)).digest


def test_vectors_that_are_normalised_already_stay_as_they_are():
    once = Gallery(("a",) * 400, np.random.default_rng(0).normal(size=(400, 2)))
    twice = Gallery(once.identities, once.features)
    assert twice.digest == once.digest


def test_the_digest_is_that_of_everything():
    features = np.eye(2)
    digests = {
        Gallery(("a", "b"), features).digest,
        Gallery(("b", "a"), features).digest,
        Gallery(("a", "b"), features, ("1", "2")).digest,
        Gallery(("a", "b"), features[::-1]).digest,
    }
    assert len(digests) == 4
    assert Gallery(("a", "b"), 7 * features).digest in digests


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Gallery((), np.zeros((0, 4))), "at least one photo; this one is empty"),
        (lambda: Gallery(("a",), np.eye(2)), "1 identities, 2 vectors and 1 photos"),
        (lambda: Gallery(("a", "b"), np.eye(2), ("x",)), "2 identities, 2 vectors and 1 photos"),
        (lambda: Gallery(("a", ""), np.eye(2)), "1 have none"),
        (lambda: Gallery(("a",), np.array([[np.nan, 1.0]])), "1 of 1 in the gallery's features hold NaN"),
        (lambda: Gallery(("a",), np.zeros((1, 4))), "1 of 1 in the gallery's features are zero"),
    ],
)
def test_invalid_galleries_are_refused(make, message):
    with pytest.raises(OptionError, match=message):
        make()


def test_a_missing_identity_is_named_with_near_names():
    with pytest.raises(TargetError, match=r"no identity 'ada': did you mean 'Ada'\? Known: Ada, Émile"):
        gallery().of("ada")
    with pytest.raises(
        TargetError, match="The only photo of 'a' in the gallery is the one that is explained"
    ):
        Gallery(("a", "b"), np.eye(2), ("1", "2")).of("a", "1")


def test_the_model_is_kept_and_counts(tmp_path):
    known = Gallery(("a",), np.eye(1), (), "model and input")
    again = Gallery.load(known.save(tmp_path / "gallery.npz"))
    assert again.model == "model and input"
    assert again.digest == known.digest != Gallery(("a",), np.eye(1)).digest


def test_a_file_from_before_models_were_kept(tmp_path):
    path = tmp_path / "gallery.npz"
    write_npz(path, identities=np.array(["a"]), features=np.eye(1), photos=np.array([""]))
    assert Gallery.load(path).model == ""
    write_npz(path, identities=np.array(["a"]), features=np.eye(1), photos=np.array([""]), model=np.array(3))
    with pytest.raises(OptionError, match="a model of int64"):
        Gallery.load(path)


def test_features_of_any_size_are_kept_finite():
    np.testing.assert_array_equal(Gallery(("a",), np.array([[1e300, 0.0]])).features, [[1, 0]])
    with pytest.raises(OptionError, match="hold NaN or infinity"):
        Gallery(("a",), np.array([[np.inf, 0.0]]))


def squeezed(path, **arrays):
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)
    return bytearray(path.read_bytes())


def damaged(kind, path):
    if kind == "huge":
        head = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1152921504606846975, 1), }"
        head += b" " * (117 - len(head)) + b"\n"
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("identities.npy", b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head)
        return
    raw = squeezed(path, identities=np.array(["a"]), features=np.ones((1, 500)), photos=np.array([""]))
    if kind == "method":
        # Of each entry of the list at the end: the way of packing.
        place = raw.index(b"PK\x01\x02")
        raw[place + 10 : place + 12] = (97).to_bytes(2, "little")
    else:
        start = 30 + int.from_bytes(raw[26:28], "little") + int.from_bytes(raw[28:30], "little")
        raw[start : start + 4] = b"\xff" * 4
    path.write_bytes(raw)


@pytest.mark.parametrize(
    ("kind", "error"), [("deflated", zlib.error), ("method", NotImplementedError), ("huge", Exception)]
)
def test_damaged_files_are_refused_in_words(tmp_path, kind, error):
    path = tmp_path / "gallery.npz"
    damaged(kind, path)
    with pytest.raises(error), np.load(path) as file:
        file["identities"]
    with pytest.raises(OptionError, match=r"no pickle; gallery\.npz is not: \S"):
        Gallery.load(path)


def write_npz(path, **arrays):
    with path.open("wb") as file:
        np.savez(file, **arrays)


def test_forged_files_are_refused(tmp_path):
    path = tmp_path / "gallery.npz"
    with pytest.raises(OptionError, match="there is none at"):
        Gallery.load(path)
    with pytest.raises(OptionError, match=r"ends in \.npz; got gallery\.npy"):
        Gallery.load(tmp_path / "gallery.npy")
    with pytest.raises(OptionError, match=r"ends in \.npz"):
        gallery().save(tmp_path / "gallery")
    for content in (b"", b"not a zip", b"PK\x03\x04 cut short"):
        path.write_bytes(content)
        with pytest.raises(OptionError, match=r"no pickle; gallery\.npz is not"):
            Gallery.load(path)
    whole = gallery().save(path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(OptionError, match=r"no pickle; gallery\.npz is not"):
        Gallery.load(path)
    broken = bytearray(whole)
    broken[len(whole) // 2] ^= 0xFF
    path.write_bytes(broken)
    with pytest.raises(OptionError, match=r"no pickle; gallery\.npz is not"):
        Gallery.load(path)
    write_npz(path, identities=np.array(["a"]), features=np.eye(1))
    with pytest.raises(OptionError, match="identities, features, photos"):
        Gallery.load(path)
    write_npz(path, identities=np.array([1]), features=np.eye(1), photos=np.array([""]))
    with pytest.raises(OptionError, match="identities of int64"):
        Gallery.load(path)
    write_npz(path, identities=np.array(["a"]), features=np.ones(3), photos=np.array([""]))
    with pytest.raises(OptionError, match=r"features of float64 and shape \(3,\)"):
        Gallery.load(path)


def test_a_pickle_in_a_file_is_never_read(tmp_path):
    path = tmp_path / "gallery.npz"
    write_npz(path, identities=np.array([{"a": 1}], dtype=object), features=np.eye(1), photos=np.array([""]))
    with pytest.raises(OptionError, match=r"no pickle; gallery\.npz is not: .*allow_pickle=False"):
        Gallery.load(path)
