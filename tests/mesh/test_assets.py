from __future__ import annotations

from hashlib import sha256

import pytest

from canonface.assets import asset_path
from canonface.errors import AssetError


def test_checksum_of_the_landmarker_matches_its_licence_file():
    licence = asset_path("face_landmarker.LICENSE.txt").read_text()
    digest = sha256(asset_path("face_landmarker.task").read_bytes()).hexdigest()
    assert digest == "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
    assert digest in licence
    assert "Apache License" in licence
    assert "END OF TERMS AND CONDITIONS" in licence


@pytest.mark.parametrize("name", ["face_landmarker.tsk", "../errors.py", "", "__init__.py"])
def test_an_unknown_file_raises_with_the_known_names(name):
    with pytest.raises(
        AssetError, match=r"ships no file .*'face_landmarker\.task'|Known: .*face_landmarker\.task"
    ):
        asset_path(name)
