"""Names of 0.1.0 in studies: each resolves to its replacement, with a DeprecationWarning."""

from importlib import import_module

import pytest

from canonface import studies
from canonface._deprecated import MODULES, RENAMED
from canonface.errors import OptionError

OLD_NAMES = sorted(name for name in RENAMED if name.startswith("canonface.studies"))
OLD_MODULES = {
    "canonface.studies.varying": ("Setting", "vary"),
    "canonface.studies.fixing": ("likeness", "fix_targets"),
    "canonface.studies.copies": ("NoisyCopies",),
    "canonface.studies.randomizing": ("randomize", "Likeness", "cascade"),
    "canonface.studies.planted.mapping": ("model_maps",),
    "canonface.studies.planted.rules": ("SIGNS", "chosen_methods"),
    "canonface.studies.planted.training": ("train", "probabilities"),
    "canonface.studies.planted.painting": ("painted", "marks_on", "split_by_person"),
    "canonface.studies.planted.scoring": ("score", "Chance"),
    "canonface.studies.planted.proportions": ("Proportion",),
}


@pytest.mark.parametrize("old", OLD_NAMES)
def test_a_renamed_name_resolves(old):
    module, _, name = old.partition(":")
    with pytest.warns(DeprecationWarning, match=f"{name} is now"):
        assert getattr(import_module(module), name) is not None


def test_every_moved_module_is_listed():
    assert {name for name in MODULES if name.startswith("canonface.studies")} == set(OLD_MODULES)


@pytest.mark.parametrize("module", OLD_MODULES)
def test_a_moved_module_has_its_names(module):
    for name in OLD_MODULES[module]:
        with pytest.warns(DeprecationWarning, match=f"{name} is now"):
            assert getattr(import_module(module), name) is not None


@pytest.mark.parametrize(("old", "value", "new"), [("told", print, "progress"), ("level", 0, "subdivision")])
def test_renamed_keywords_of_studies_are_accepted(tmp_path, old, value, new):
    with (
        pytest.warns(DeprecationWarning, match=f"{old}=...\\) is now {new}="),
        pytest.raises(OptionError, match="compares settings of different names; got none"),
    ):
        studies.vary("photos", [], tmp_path, **{old: value})
