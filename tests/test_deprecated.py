"""Every public name of version 0.1.0 can be imported from where it was, with a warning where it moved."""

import dataclasses
import importlib
import inspect
import json
import re
import sys
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import canonface
from canonface import _deprecated
from canonface._deprecated import MODULES, RENAMED, deprecated_attribute, renamed_parameters
from canonface.confidence import BoundConfidence
from canonface.errors import CanonfaceError
from canonface.evaluation.options import EvaluationOptions
from canonface.explanation.options import Sampling
from canonface.explanation.settings import Settings
from canonface.finetuning.options import FinetuneOptions
from canonface.methods import make_method
from canonface.models import CallableModel
from canonface.run.stopping import InterimLook, Order, StoppingState
from canonface.sampling import Band
from canonface.studies.planted.study import PlantedDesign
from canonface.types import InputSpec

SIGNATURES = json.loads((Path(__file__).parent / "data" / "signatures_0_1_0.json").read_text())
"""Exported class or function of 0.1.0, and some that users meet -> its parameters, attributes and methods."""
NAMES = json.loads((Path(__file__).parent / "data" / "names_0_1_0.json").read_text())
CLI = "canonface.cli"
"""The commands' own modules are no interface: the command line is."""
GONE = {
    "canonface.engine": {"noted": "it described inexact engines, and there are none"},
    "canonface.engine.plan": {
        "INEXACT": "there are no inexact engines",
        "noted": "it described inexact engines, and there are none",
    },
    "canonface.engine.choosing": {"RELATIVE": "tolerance of half precision, which no engine uses"},
    "canonface.methods.plus_plus": {"PaperGradCamPlusPlus": "made where torchcam is imported"},
    "canonface.models.objects": {"made": "a private function of canonface.models.registry"},
    "canonface.models.zoo.dlib_networks": {"Network": "a type variable"},
    "canonface.models.zoo.filled": {"Network": "a type variable"},
    "canonface.occluders.blurring": {"channels_last": "a transposition, written where it is needed"},
    "canonface.occluders.inpainting": {"RADIUS": "a private constant of canonface.occluders.fills"},
}
"""Module -> name -> reason that it is gone without a successor."""
INTERNAL = ("canonface.engine.incremental", "canonface.engine.native")
"""Steps of the engines: their modules can be imported from their old place, single names in them are not promised."""
SETTINGS = {field.name for field in dataclasses.fields(Settings)} | {"preset", "batch"}
SAMPLING = {field.name for field in dataclasses.fields(Sampling)}
RUN_OPTIONS = {"subdivision", "retry_failed", "level"}
OPTIONS = {
    "audit": SETTINGS | SAMPLING | RUN_OPTIONS | {"faces", "identity", "max_questions"},
    "audit_regions": {"preset", "batch"} | RUN_OPTIONS,
    "compare_methods": SETTINGS,
    "evaluate": {field.name for field in dataclasses.fields(EvaluationOptions)},
    "explain": SETTINGS | {"design", "share", "precision", "seed"},
    "explain_pair": SETTINGS,
    "explain_regions": {"preset", "batch"},
    "finetune": {field.name for field in dataclasses.fields(FinetuneOptions)},
    "planted": {field.name for field in dataclasses.fields(PlantedDesign)},
    "randomize": {"aligner"},
    "verify": SETTINGS | RUN_OPTIONS,
}
"""Function -> keywords that it takes in ``**options``."""
UNNAMED = {
    "canonface.fingerprint:Digester": {"own": "a digest no longer depends on the place of canonface"},
    "canonface.methods:Method": {
        "heat": "a protocol: an alias would be one more member; make_method adapts objects that have it",
        "check(question)": "a protocol: the classes accept the old name",
    },
}
"""Class -> parameter, attribute, or parameter of a method that has no alias -> reason."""


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


@contextmanager
def silent() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def signed(name: str) -> object:
    """Return a class or function by its place in 0.1.0."""
    module, _, attribute = name.partition(":")
    with silent():
        return getattr(importlib.import_module(module), attribute)


def accepted(function: object) -> set[str]:
    """Return the keywords that a function or class accepts, old ones included."""
    maker = function.__init__ if isinstance(function, type) else function
    named = set(inspect.signature(function).parameters) | getattr(maker, "__renamed__", {}).keys()
    return named | OPTIONS.get(getattr(function, "__name__", ""), set())


def attributes(cls: type) -> set[str]:
    """Return the names of the attributes of a class and its instances."""
    found = set(dir(cls))
    for base in cls.__mro__:
        found |= getattr(base, "__annotations__", {}).keys()
        if base.__module__.startswith("canonface"):
            found |= set(
                re.findall(r"\bself\.(\w+)\b(?:\s*:[^=\n]+)?\s*(?:,|=[^=])", inspect.getsource(base))
            )
    return found


SIGNED = [name for name in SIGNATURES if name.partition(":")[2] not in GONE.get(name.partition(":")[0], {})]


@pytest.mark.parametrize("name", SIGNED)
def test_the_parameters_of_0_1_0_are_accepted(name):
    then, now, unnamed = SIGNATURES[name], signed(name), UNNAMED.get(name, {})
    missing = set(then["parameters"]) - accepted(now) - unnamed.keys() if "parameters" in then else set()
    for method, parameters in then.get("methods", {}).items():
        if method in unnamed:
            continue
        if isinstance(found := inspect.getattr_static(now, method), type(deprecated_attribute(""))):
            known = accepted(getattr(now, found.new)) | found.parameters.keys()
        else:
            known = accepted(getattr(now, method))
        missing |= {f"{method}({each})" for each in parameters if each not in known} - unnamed.keys()
    assert not missing


@pytest.mark.parametrize("name", [name for name in SIGNED if "attributes" in SIGNATURES[name]])
def test_the_attributes_of_0_1_0_are_there(name):
    missing = set(SIGNATURES[name]["attributes"]) - attributes(signed(name)) - UNNAMED.get(name, {}).keys()
    assert not missing


def test_every_alias_stands_for_an_attribute():
    checked = 0
    for name in SIGNED:
        if not isinstance(cls := signed(name), type):
            continue
        for base in cls.__mro__:
            for alias in vars(base).values():
                if isinstance(alias, type(deprecated_attribute(""))):
                    assert alias.new in attributes(cls), f"{name}.{alias.old}"
                    checked += 1
            renamed = getattr(vars(base).get("__init__"), "__renamed__", {})
            if renamed:
                assert set(renamed.values()) <= set(inspect.signature(base).parameters), name
    assert checked > 40


def warned_here(recorded: list[warnings.WarningMessage], text: str) -> None:
    """Check that exactly the lines of this file were warned about."""
    found = [warning for warning in recorded if text in str(warning.message)]
    assert found
    assert {warning.filename for warning in found} == {__file__}
    assert all(warning.category is DeprecationWarning for warning in found)


def brightness(batch):
    return np.stack([batch.mean(axis=(1, 2, 3)), np.ones(len(batch))], axis=1)


@pytest.mark.parametrize("name", ["audit", "verify", "audit_regions"])
def test_an_old_keyword_of_a_run_warns_about_the_line_of_the_caller(name, tmp_path):
    function = getattr(canonface, name)
    model = CallableModel(brightness, "brightness", InputSpec((8, 8)), outputs="embedding", labels=("a", "b"))
    if name != "verify":
        model = dataclasses.replace(model, outputs="logits")
    with warnings.catch_warnings(record=True) as recorded:
        warnings.simplefilter("always")
        with pytest.raises(CanonfaceError, match="absent"):
            function(tmp_path / "absent.csv", model, out=tmp_path / "out", level=2)
    warned_here(recorded, "level=... is now subdivision=...")


def test_old_attributes_and_parameters_work_and_warn_about_the_line_of_the_caller():
    band = np.zeros(2)
    with warnings.catch_warnings(record=True) as recorded:
        warnings.simplefilter("always")
        assert Settings().question() == Settings().confidence_fn()
        assert Settings().heating() is None
        assert type(Settings().hiding()) is type(Settings().occluder_fn())
        state = StoppingState(max_questions=7, level=0.9)
        assert (state.max_questions, state.level) == (7, 0.9)
        assert InterimLook(1, questions=5).questions == 5
        order = Order(0, 4, 2)
        assert order.level(InterimLook(1), level=0.9) == order.confidence_level(InterimLook(1), overall=0.9)
        assert Band(band, band, band, critical=2.0, level=0.9, effective=9.0).level == 0.9
        from canonface.run.labels import read_labels
    assert callable(read_labels)
    for text in (
        "Settings.question",
        "Settings.heating",
        "Settings.hiding",
        "StoppingState(max_questions=...)",
        "StoppingState.level",
        "InterimLook.questions",
        "Order.level is",
        "Order.level(level=...)",
        "Band(level=...)",
        "Band.level",
        "canonface.run.labels.read_labels",
    ):
        warned_here(recorded, text)


def test_the_map_of_a_method_has_its_old_name():
    method = make_method(lambda model, x, confidence_fn: x.sum(axis=0) * confidence_fn(x[:, :, 0])[0])
    with pytest.warns(DeprecationWarning, match=r"BoundConfidence\(of=\.\.\.\) is now fn="):
        bound = BoundConfidence("a", "confidence", of=lambda outputs: outputs[:, 0] + 2.0)
    x = np.ones((3, 4, 5), np.float32)
    model = CallableModel(brightness, "brightness", InputSpec((4, 5)))
    with warnings.catch_warnings(record=True) as recorded:
        warnings.simplefilter("always")
        old = method.heat(model, x, question=bound)
    warned_here(recorded, "FunctionMethod.heat is now FunctionMethod.attribute")
    warned_here(recorded, "FunctionMethod.heat(question=...) is now confidence_fn=...")
    assert (old == method.attribute(model, x, bound)).all()
    assert (old == 9).all()


def test_a_class_takes_old_keywords_and_its_subclass_too():
    @renamed_parameters(old="new")
    @dataclasses.dataclass(frozen=True)
    class Made:
        new: int = 0

    class Derived(Made):
        pass

    with pytest.warns(DeprecationWarning, match=r"Made\(old=\.\.\.\) is now new="):
        assert Made(old=3) == Made(3)
    with pytest.warns(DeprecationWarning, match="is now new="):
        assert Derived(old=3).new == 3


def test_a_finder_without_specs_is_passed_over(monkeypatch):
    class Old:
        pass

    monkeypatch.setattr(sys, "meta_path", [sys.meta_path[0], Old(), *sys.meta_path[1:]])
    monkeypatch.delitem(sys.modules, "canonface.mesh.subdivision")
    with silent():
        assert importlib.import_module("canonface.mesh.subdivision").check_level


def test_a_loader_of_several_modules_is_changed_once(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "modules.zip", "w") as file:
        for name in ("first_zipped", "second_zipped"):
            file.writestr(f"{name}.py", "calls = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path / "modules.zip"))
    monkeypatch.setattr(_deprecated, "_WITH_RENAMED_NAMES", {"first_zipped", "second_zipped"})
    monkeypatch.setitem(RENAMED, "first_zipped:old", "calls")
    first, second = (importlib.import_module(name) for name in ("first_zipped", "second_zipped"))
    loader = first.__spec__.loader
    assert loader is second.__spec__.loader
    assert loader.exec_module.args[0].__func__.__name__ == "exec_module"
    with pytest.warns(DeprecationWarning, match=r"first_zipped\.old"):
        assert first.old == 1
    with pytest.raises(AttributeError, match="has no attribute"):
        second.old  # noqa: B018
    for module in (first, second):
        assert isinstance(sys.modules.pop(module.__name__), ModuleType)


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


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("canonface.engine.asker:FEWEST", 8),
        ("canonface.engine.choosing:DOUBTFUL", 1.5),
        ("canonface.engine.choosing:GATE", 5e-5),
        ("canonface.engine.choosing:LEAST_GAIN", 1.3),
        ("canonface.engine.choosing:ROUNDING", 2e-5),
        ("canonface.engine.choosing:TIMED", 64),
        ("canonface.engine.planning:TIMED", 16),
        ("canonface.evaluation.evaluating:LEVEL", 0.95),
        ("canonface.evaluation.result:LEVEL", 0.95),
        ("canonface.evaluation.scoring:NO_FILLS", ("inpaint",)),
        ("canonface.mesh.named:MAX_LEVEL", 4),
        ("canonface.run.run:LABEL_COLUMN_PREFIX", "label_"),
        ("canonface.run.run:LEVEL", 0.95),
        ("canonface.studies.comparison:LEVEL", 0.95),
        ("canonface.studies.planted.trial:MOST_ASKED", 200),
        ("canonface.studies.varying:KEPT_BYTES", 512 * 1024**2),
    ],
)
def test_a_constant_has_its_old_name_and_value(name, value):
    module, _, constant = name.partition(":")
    with silent():
        loaded = importlib.import_module(module)
    with pytest.warns(DeprecationWarning, match=f"{constant} is now "):
        assert getattr(loaded, constant) == value


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
