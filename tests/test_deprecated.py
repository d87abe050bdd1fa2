"""Every public name of version 0.1.0 can be imported from where it was, with a warning where it moved."""

import importlib
import json
import warnings
from pathlib import Path

import pytest

from canonface._deprecated import MODULES, RENAMED, renamed_parameters

NAMES = json.loads((Path(__file__).parent / "data" / "names_0_1_0.json").read_text())
CLI = "canonface.cli"
"""The commands' own modules are no interface: the command line is."""
GONE = {
    "canonface.engine": {"noted": "every engine is exact"},
    "canonface.engine.plan": {"INEXACT": "every engine is exact", "noted": "every engine is exact"},
    "canonface.engine.asker": {"FEWEST": "a constant"},
    "canonface.engine.planning": {"TIMED": "a constant"},
    "canonface.engine.choosing": dict.fromkeys(
        "DOUBTFUL Dense GATE LEAST_GAIN RELATIVE".split(), "a constant or type"
    ),
    "canonface.evaluation.scoring": {"NO_FILLS": "a constant"},
    "canonface.methods.plus_plus": {"PaperGradCamPlusPlus": "made where torchcam is imported"},
    "canonface.models.objects": {"made": "private now"},
    "canonface.models.zoo.dlib_networks": {"Network": "a type variable"},
    "canonface.models.zoo.filled": {"Network": "a type variable"},
    "canonface.occluders.blurring": {"channels_last": "private now"},
    "canonface.occluders.inpainting": {"RADIUS": "a constant"},
    "canonface.studies.planted.study": {"Told": "a type alias"},
    "canonface.studies.planted.trial": {"MOST_ASKED": "a constant"},
    "canonface.studies.varying": {"KEPT_BYTES": "a constant"},
}
"""Module -> name -> reason that it is gone without a successor."""
INTERNAL = ("canonface.engine.incremental", "canonface.engine.native")
"""Steps of the engines: only what `canonface.engine` and `canonface.engine.native` export is promised."""


PROMISED = [
    name
    for name in NAMES
    if not name.startswith(CLI) and not any(name.startswith(f"{place}.") for place in INTERNAL)
]


@pytest.mark.parametrize("module", PROMISED)
def test_the_names_of_a_module_can_be_had(module):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        loaded = importlib.import_module(module)
        missing = [
            name for name in NAMES[module] if not hasattr(loaded, name) and name not in GONE.get(module, {})
        ]
    assert not missing, f"{module} lacks {missing}"


def test_a_module_that_moved_warns_and_names_the_new_place():
    with pytest.warns(
        DeprecationWarning, match=r"canonface\.run\.labels\.read_labels is now canonface\.data\.labels"
    ):
        from canonface.run.labels import read_labels
    from canonface.data import read_labels as now

    assert read_labels is now


def test_a_name_that_changed_warns_and_is_the_new_one():
    import canonface.confidence

    with pytest.warns(DeprecationWarning, match="is now .*CleanPrediction"):
        old = canonface.confidence.Original
    assert old is canonface.confidence.CleanPrediction


def test_the_tables_name_what_is_there():
    for homes in MODULES.values():
        for home in homes:
            assert importlib.import_module(home)
    for old, new in RENAMED.items():
        module, _, name = new.rpartition(":")
        homes = (module,) if module else MODULES.get(old.partition(":")[0], (old.partition(":")[0],))
        assert any(hasattr(importlib.import_module(home), name) for home in homes), f"{old} -> {new}"


def test_an_old_keyword_is_accepted_once():
    @renamed_parameters(level="subdivision")
    def mesh(subdivision=1):
        return subdivision

    with pytest.warns(DeprecationWarning, match=r"mesh\(level=\.\.\.\) is now subdivision=\.\.\."):
        assert mesh(level=3) == 3
    with (
        pytest.warns(DeprecationWarning, match="subdivision"),
        pytest.raises(TypeError, match="both 'subdivision' and its old name"),
    ):
        mesh(level=3, subdivision=2)
