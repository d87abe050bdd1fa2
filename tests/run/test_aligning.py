"""`canonface.align`: from a photo to faces on a mesh of the level asked for."""

import subprocess
import sys

import numpy as np
import pytest

import canonface
from canonface.demo import demo_folder
from canonface.errors import NoFaceError, OptionError

PHOTO = demo_folder() / "photos" / "op_P001_studio.jpg"


def test_levels_share_the_base_mesh():
    coarse, dense = (canonface.align(PHOTO, subdivision=level)[0] for level in (0, 1))
    assert coarse.vertices_xy.shape == (468, 2)
    assert dense.vertices_xy.shape == (1833, 2)
    np.testing.assert_allclose(dense.vertices_xy[:468], coarse.vertices_xy, atol=1e-9)
    assert dense.mesh is canonface.load_mesh(1)


def test_a_path_bytes_and_an_array_give_the_same_face():
    faces = [
        canonface.align(photo)[0] for photo in (str(PHOTO), PHOTO.read_bytes(), canonface.read_photo(PHOTO))
    ]
    for face in faces[1:]:
        np.testing.assert_array_equal(face.vertices_xy, faces[0].vertices_xy)
    assert faces[0].path == str(PHOTO)


def test_no_face_and_no_such_option():
    with pytest.raises(NoFaceError, match="photo shows a face"):
        canonface.align(np.full((300, 300, 3), 128, np.uint8))
    with pytest.raises(OptionError, match="'largest' or 'all'"):
        canonface.align(PHOTO, faces="every")


def test_explain_says_what_it_takes():
    """In a process of its own: here the annotation itself would refuse the list."""
    code = "import canonface; canonface.explain([], lambda batch: batch)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "explain takes one aligned face" in done.stderr
    assert "canonface.align(photo)[0]" in done.stderr


def test_a_comparison_of_methods_says_what_it_takes():
    """In a process of its own, as above."""
    code = "import canonface; canonface.compare_methods('me.jpg', lambda batch: batch)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "an aligned face; got str: canonface.align(photo)" in done.stderr
