"""Which aligner the options mean, and which options mean nothing to one."""

from __future__ import annotations

import pytest

from canonface.alignment import ALIGNERS
from canonface.cli import loading
from canonface.cli.loading import chosen_aligner
from canonface.errors import OptionError


def test_the_registrys_names_are_known_or_explained():
    assert {*loading.ALIGNERS, "position-map"} == set(ALIGNERS)
    with pytest.raises(OptionError, match=r"position-map needs one\. Use Python: .*PositionMapAligner"):
        chosen_aligner("position-map", 1, False, False, None, None)


@pytest.mark.parametrize("name", sorted({*loading.ALIGNERS} - {"landmarker"}))
def test_a_subdivision_is_refused_where_it_means_nothing(name):
    with pytest.raises(
        OptionError, match=f"--subdivision belongs to the landmarker.s mesh; got --aligner {name}"
    ):
        chosen_aligner(name, 2, False, False, None, None)


def test_a_subdivision_is_the_landmarkers():
    for subdivision in (0, 2):
        name = chosen_aligner("landmarker", subdivision, False, False, None, None).mesh.name
        assert name == f"landmarker-468/{subdivision}"
