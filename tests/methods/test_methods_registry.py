"""Methods by name, options and objects; light imports."""

import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest
from small_models import class_confidence, class_model, picture

from canonface.errors import MissingDependencyError, ModelError, ModelOutputError, OptionError
from canonface.methods import (
    METHODS,
    TITLES,
    FunctionMethod,
    Method,
    attribution_unit,
    current_unit,
    make_method,
)


def brightness(model, x, confidence_fn):
    return x.mean(axis=0)


def test_the_registry_has_the_documented_names():
    assert set(METHODS) == {
        "gradient",
        "smoothgrad",
        "guided-backprop",
        "gradcam",
        "guided-gradcam",
        "gradcam++",
        "guided-gradcam++",
        "scorecam",
        "integrated-gradients",
        "occlusion",
        "rise",
    }
    assert set(TITLES) == set(METHODS)
    assert attribution_unit("gradcam++", "female") == "GradCAM++ attribution for female"


@pytest.mark.parametrize(
    ("old", "now"),
    [
        ("GradCAM++ heat for female", "GradCAM++ attribution for female"),
        ("Gradient heat", "Gradient attribution"),
        ("my heat map heat for heat for two", "my heat map attribution for heat for two"),
        ("Gradient attribution for yes", "Gradient attribution for yes"),
    ],
)
def test_units_of_the_last_version_are_read_in_the_words_of_this_one(old, now):
    assert current_unit(old) == now


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("gradcm", {}, "got 'gradcm': did you mean 'gradcam'"),
        ("canonical", {}, "canonface's own map"),
        ("gradcam", {"samples": 3}, "An option of 'gradcam' has a known name; got 'samples'"),
        ("gradcam", {"score": "loss"}, "score is one of auto, logit, confidence; got 'loss'"),
        ("guided-gradcam", {"score": "loss"}, "score is one of"),
        ("guided-gradcam++", {"reduce": "median"}, "reduce is one of"),
        ("smoothgrad", {"samples": 0}, "samples is a whole number, at least 1; got 0"),
        ("smoothgrad", {"noise": 0}, "noise is a number above 0"),
        ("integrated-gradients", {"baseline": "pink"}, "baseline is mean or black, or a colour"),
        ("occlusion", {"size": 0}, "size is a whole number, at least 1; got 0"),
        ("rise", {"share": 1.5}, "share is a number above 0 and at most 1"),
        ("scorecam", {"batch": True}, "batch is a whole number"),
        (FunctionMethod, {}, "A method is a name"),
        (brightness, {"layer": "x"}, "holds its own options; got layer"),
    ],
)
def test_unknown_methods_and_options_are_refused(name, options, words):
    with pytest.raises(OptionError, match=words):
        make_method(name, **options)


def test_options_of_none_keep_the_default():
    assert make_method("gradcam", layer=None).describe() == make_method("gradcam").describe()


def test_an_object_is_returned_unchanged():
    method = make_method("rise", masks=3)
    assert make_method(method) is method


class OldMethod:
    """A method object written for version 0.1.0."""

    name = "old"

    def describe(self):
        return {"name": "old"}

    def check(self, model, question):
        pass

    def heat(self, model, x, question):
        return x.mean(axis=0)


def test_a_method_object_of_the_last_version_still_works_and_warns():
    with pytest.warns(DeprecationWarning, match=r"OldMethod\.heat is now OldMethod\.attribute"):
        method = make_method(OldMethod())
    assert isinstance(method, Method)
    assert method.describe() == {"name": "old"}
    model, x = class_model(), picture()
    confidence_fn = class_confidence(model, x)
    method.check(model, confidence_fn)
    np.testing.assert_array_equal(method.attribute(model, x, confidence_fn), x.mean(axis=0))
    with pytest.raises(OptionError, match="A method is a name"):
        make_method(OldMethod)


@pytest.mark.parametrize(
    ("name", "now"),
    [
        ("canonface.methods:HeatFiles", "AttributionFiles"),
        ("canonface.methods:heat_unit", "attribution_unit"),
        ("canonface.methods.borrowing:borrowed", "autograd_context"),
        ("canonface.methods.plain:plain", "plain_fill"),
        ("canonface.methods.sliding:SlidingOcclusion", "SlidingOcclusion"),
    ],
)
def test_names_of_the_last_version_still_work_and_warn(name, now):
    module, _, old = name.partition(":")
    with pytest.warns(DeprecationWarning, match=now):
        assert getattr(import_module(module), old).__name__ == now


def test_a_function_is_a_method_by_itself_or_by_its_name(monkeypatch, tmp_path):
    method = make_method(brightness)
    assert isinstance(method, Method)
    model, x = class_model(), picture()
    np.testing.assert_allclose(
        method.attribute(model, x, class_confidence(model, x)), x.mean(axis=0), rtol=1e-6
    )
    (tmp_path / "my_methods_for_a_test.py").write_text(
        "def darkness(model, x, confidence_fn):\n    return -x.mean(axis=0)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    named = make_method("my_methods_for_a_test:darkness")
    assert named.name == "darkness"
    np.testing.assert_allclose(
        named.attribute(model, x, class_confidence(model, x)), -x.mean(axis=0), rtol=1e-6
    )
    assert named.describe()["fingerprint"] != method.describe()["fingerprint"]


@pytest.mark.parametrize(
    ("prediction", "failure", "words"),
    [
        (lambda m, x, q: x, ModelOutputError, "16 x 20 pixels; .* returned shape"),
        (lambda m, x, q: "hot", ModelOutputError, "returned a str"),
        (lambda m, x, q: x[0] / 0, ModelOutputError, "NaN or infinite"),
        (lambda m, x, q: m.nothing, ModelError, "raised AttributeError"),
    ],
)
def test_invalid_maps_of_a_function_are_refused(prediction, failure, words):
    model, x = class_model(), picture()
    with np.errstate(all="ignore"), pytest.raises(failure, match=words):
        make_method(prediction).attribute(model, x, class_confidence(model, x))


def test_a_function_may_return_nan():
    def half(model, x, confidence_fn):
        attribution = x[0].astype(np.float64)
        attribution[:, :10] = np.nan
        return attribution

    model, x = class_model(), picture()
    assert np.isnan(make_method(half).attribute(model, x, class_confidence(model, x))).sum() == 160


@pytest.mark.parametrize(
    ("name", "package"), [("gradient", "captum"), ("gradcam", "torchcam"), ("occlusion", "captum")]
)
def test_a_missing_package_is_named(name, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependencyError, match=rf"needs the package '{package}'.*canonface\[methods\]"):
        make_method(name).check(class_model(), None)


@pytest.mark.parametrize(
    "statement",
    [
        "import canonface.methods",
        "from canonface.methods import make_method; make_method('gradcam++').describe()",
    ],
)
def test_methods_load_no_library_before_they_are_used(statement):
    heavy = ("torch", "captum", "torchcam", "matplotlib", "scipy", "cv2")
    code = f"import sys; {statement}; print([n for n in {heavy} if n in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
