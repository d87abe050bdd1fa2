"""canonface's code counts by name and stated version, a user's as in 0.1.0; what 0.1.0 wrote is accepted."""

import copy
import functools
import importlib
import json
import pickle
import pkgutil
import platform
import sys
import types
import warnings
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from canonface import models
from canonface.confidence import CleanPrediction, Gallery, RecognitionConfidence
from canonface.errors import ConfigurationChangedError, OptionError
from canonface.explanation.gallery import check_model, model_id
from canonface.fingerprint import Fingerprint, accepts, object_fingerprint
from canonface.fingerprint.former import FILE, former_name, recorded
from canonface.models import CallableModel, TorchModel
from canonface.run.manifest import Manifest, as_stored, differences

with warnings.catch_warnings():
    # It imports as users of 0.1.0 do, and may not change: its own text is part of the fingerprints.
    warnings.simplefilter("ignore", DeprecationWarning)
    import user_objects

HERE = Path(__file__).parent
STORED = json.loads((HERE / "digests_0_1_0.json").read_text(encoding="utf-8"))
RECORDED = json.loads(FILE.read_text(encoding="utf-8"))
PYTHON = ".".join(platform.python_version_tuple()[:2])
CHECKOUT, INSTALLED = "checkout", "installed"

TEXT = '''"""{head}"""
import numpy as np
from torch import nn

SCALE = {scale}

class Layer(nn.Module):
    """{doc}"""
    def __init__(self, factor):
        super().__init__()
        self.factor = factor
        {more}

    def forward(self, x):
        return x * self.factor * SCALE

class Thing:
    """{doc}"""
    {version}
    def __init__(self, factor=1.0):
        self.factor = factor

    def __call__(self, batch):
        return batch * self.factor * SCALE

def scaled(batch):
    """{doc}"""
    return batch * SCALE

@np.vectorize
def decorated(batch):
    return batch
'''
PLAIN = {"head": "", "doc": "A layer.", "scale": 2, "more": "pass", "version": ""}


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Writes and imports a module of canonface, by its dotted name and what fills the text."""

    def make(name, **given):
        path = tmp_path / f"{name}.py"
        path.write_text(TEXT.format(**(PLAIN | given)))
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module

    return make


def of_user(namespace, text):
    """A user's class without a file of its own."""
    names = {"__name__": "mine", **namespace}
    exec(text, names)
    return names["Mine"]


def uses(module):
    """What a user may make of the classes and functions of a module."""

    def calls(batch):
        return module.scaled(batch)

    scaled, thing = module.scaled, module.Thing

    def calls_by_name(batch):
        return scaled(batch)

    def makes(batch):
        return thing(2.0)(batch)

    return {
        "network": nn.Sequential(module.Layer(2.0)),
        "instance": module.Thing(2.0),
        "class": module.Thing,
        "function": module.scaled,
        "a module that is read": calls,
        "a function that is read": calls_by_name,
        "a class that is read": makes,
        "bound method": module.Thing(2.0).__call__,
        "partial": functools.partial(module.scaled, 1),
        "subclass": of_user({"Thing": thing}, "class Mine(Thing):\n    extra = 1"),
        "instance of a subclass": of_user({"Thing": thing}, "class Mine(Thing):\n    extra = 1")(2.0),
    }


USES = (
    *("network", "instance", "class", "function", "a module that is read", "a function that is read"),
    *("a class that is read", "bound method", "partial", "subclass", "instance of a subclass"),
)


class TestOwnCode:
    @pytest.mark.parametrize(
        ("name", "given"),
        [
            ("canonface.models.here", {"doc": "Another sentence."}),
            ("canonface.models.here", {"head": "One line.\n\nAnother line, so that others move."}),
            ("canonface.elsewhere.there", {}),
            ("canonface.models.here", {"scale": 3}),  # what its version is for
        ],
        ids=["docstring", "lines", "module", "code"],
    )
    @pytest.mark.parametrize("use", USES)
    def test_file_text_and_docstring_do_not_count(self, make, name, given, use):
        before = object_fingerprint(uses(make("canonface.models.here"))[use])
        assert object_fingerprint(uses(make(name, **given))[use]) == before

    @pytest.mark.parametrize(
        "use",
        ["instance", "class", "a class that is read", "bound method", "subclass", "instance of a subclass"],
    )
    def test_a_stated_version_counts(self, make, use):
        found = [
            object_fingerprint(uses(make("canonface.models.here", version=version))[use])
            for version in ("", "fingerprint_version = 1", "fingerprint_version = 2")
        ]
        assert found[0] == found[1] != found[2]

    def test_the_version_of_a_layer_counts(self, make):
        before = object_fingerprint(nn.Sequential(make("canonface.models.here").Layer(2.0)))
        module = make("canonface.models.here")
        module.Layer.fingerprint_version = 2
        assert object_fingerprint(nn.Sequential(module.Layer(2.0))) != before

    def test_the_name_counts(self, make):
        module = make("canonface.models.here")
        before = object_fingerprint(module.Thing(2.0)), object_fingerprint(module.scaled)
        module.Thing.__qualname__ = module.scaled.__qualname__ = "Other"
        assert object_fingerprint(module.Thing(2.0)) != before[0]
        assert object_fingerprint(module.scaled) != before[1]

    def test_state_counts(self, make):
        module = make("canonface.models.here")
        assert object_fingerprint(module.Thing(2.0)) != object_fingerprint(module.Thing(3.0))
        assert object_fingerprint(nn.Sequential(module.Layer(2.0))) != object_fingerprint(
            nn.Sequential(module.Layer(3.0))
        )
        other = make("canonface.models.here", more="self.extra = 1")
        assert object_fingerprint(module.Layer(2.0)) != object_fingerprint(other.Layer(2.0))

    def test_the_users_part_of_a_subclass_counts(self, make):
        thing = make("canonface.models.here").Thing
        one, same, other = (
            object_fingerprint(of_user({"Thing": thing}, f"class Mine(Thing):\n    extra = {extra}")(2.0))
            for extra in (1, 1, 2)
        )
        assert one == same != other

    def test_a_users_class_counts_by_its_code_as_before(self, make):
        one, other = make("mine", scale=2), make("mine", scale=3)
        for use in uses(one):
            if use not in ("a module that is read", "subclass", "instance of a subclass"):
                assert object_fingerprint(uses(one)[use]) != object_fingerprint(uses(other)[use]), use
        moved = make("yours", scale=2)
        assert object_fingerprint(one.Thing(2.0)) != object_fingerprint(moved.Thing(2.0))

    def test_a_name_that_only_begins_like_ours_is_a_users(self, make):
        one, other = make("canonfaces.mine", scale=2), make("canonfaces.mine", scale=3)
        assert object_fingerprint(one.scaled) != object_fingerprint(other.scaled)


class TestOf010:
    @pytest.mark.parametrize("name", user_objects.WITHOUT_OURS)
    def test_a_users_code_has_the_fingerprint_of_0_1_0(self, name):
        found = object_fingerprint(user_objects.WITHOUT_OURS[name])
        assert found == STORED[CHECKOUT]["WITHOUT_OURS"][name] == STORED[INSTALLED]["WITHOUT_OURS"][name]

    @pytest.mark.skipif(RECORDED["python"] != PYTHON, reason="bytecode takes part: Python 3.11 recorded it")
    @pytest.mark.parametrize("how", [CHECKOUT, INSTALLED])
    @pytest.mark.parametrize("name", user_objects.WITH_OURS)
    def test_what_uses_our_code_is_accepted(self, name, how):
        found, stored = object_fingerprint(user_objects.WITH_OURS[name]), STORED[how]["WITH_OURS"][name]
        assert found != stored
        assert found.accepts(stored)
        assert accepts(found, stored)
        others = {text for key, text in STORED[how]["WITH_OURS"].items() if key != name}
        assert not any(found.accepts(other) for other in others - {stored})

    def test_another_state_is_not_accepted(self):
        holds = user_objects.Holds()
        assert object_fingerprint(holds).accepts(STORED[CHECKOUT]["WITH_OURS"]["callable"])
        holds.spec = user_objects.InputSpec(size_hw=(33, 32))
        assert not object_fingerprint(holds).accepts(STORED[CHECKOUT]["WITH_OURS"]["callable"])

    def test_another_weight_is_not_accepted(self):
        network = copy.deepcopy(user_objects.WITH_OURS["network"])
        assert object_fingerprint(network).accepts(STORED[CHECKOUT]["WITH_OURS"]["network"])
        network.fc.bias.data += 1e-3
        assert not object_fingerprint(network).accepts(STORED[CHECKOUT]["WITH_OURS"]["network"])

    def test_code_that_0_1_0_did_not_have_is_just_another(self, make):
        found = object_fingerprint(make("canonface.models.here").Thing(2.0))
        assert not found.accepts("0" * 64)

    def test_every_network_of_the_package_is_recorded(self):
        found = set()
        for one in pkgutil.walk_packages(models.__path__, "canonface.models."):
            module = importlib.import_module(one.name)
            found |= {
                value
                for value in vars(module).values()
                if isinstance(value, type) and issubclass(value, nn.Module)
                if value.__module__.startswith("canonface.models.")
            }
        assert len(found) > 15
        names = {former_name(cls) for cls in found}
        assert len(names) == len(found)
        assert names <= recorded().keys()

    def test_former_names(self):
        def own(module, name):
            return types.SimpleNamespace(__module__=module, __qualname__=name)

        block = "canonface.models.zoo.wide_resnet.Block"
        assert former_name(own("canonface.models.zoo.wide_resnet", "Block")) == block
        assert former_name(own("canonface.elsewhere.wide_resnet", "Block")) == block
        assert (
            former_name(own("canonface.networks", "ResNet")) == "canonface.models.architectures.resnet.ResNet"
        )
        renamed = own("canonface.confidence.base", "CleanPrediction")
        assert former_name(renamed) == "canonface.confidence.base.Original"
        for unknown in ("Block", "Nothing"):
            with pytest.raises(LookupError, match=r"canonface\.networks\." + unknown):
                former_name(own("canonface.networks", unknown))


class TestFingerprint:
    def test_it_is_a_text(self):
        text = Fingerprint("ab", lambda: ["cd"])
        assert text == "ab"
        assert {text: 1}["ab"] == 1
        assert f"{text}!" == "ab!"
        assert json.dumps([text]) == '["ab"]'
        assert type(pickle.loads(pickle.dumps(text))) is str

    def test_it_accepts_earlier_ones_also_when_copied_or_mapped(self):
        for text in (
            Fingerprint("ab", lambda: ["cd"]),
            copy.deepcopy([Fingerprint("ab", lambda: ["cd"])])[0],
            copy.copy(Fingerprint("ab", lambda: ["cd"])),
        ):
            assert [text.accepts(stored) for stored in ("ab", "cd", "ef")] == [True, True, False]
        mapped = Fingerprint("ab", lambda: ["cd"]).mapped("x{}".format).mapped(str.upper)
        assert [mapped.accepts(stored) for stored in ("XAB", "XCD", "ab", "cd")] == [True, True, False, False]

    def test_earlier_ones_are_computed_only_where_needed(self):
        def never():
            raise AssertionError

        assert Fingerprint("ab", never).mapped(str.upper).accepts("AB")

    def test_plain_values_are_compared(self):
        assert accepts("a", "a")
        assert not accepts("a", "b")
        assert accepts([1, None], [1, None])
        assert not accepts(None, Fingerprint("a", lambda: [None]))

    def test_models_hand_it_on(self):
        for model in (
            TorchModel(user_objects.WITH_OURS["network"], "x"),
            TorchModel(user_objects.WITH_OURS["network"], "x", output="first"),
            TorchModel(user_objects.WITH_OURS["network"], "x", output=0),
        ):
            suffix = "" if model.output is None else f":{model.output}"
            assert model.fingerprint().accepts(STORED[CHECKOUT]["WITH_OURS"]["network"] + suffix)
            assert not model.fingerprint().accepts(STORED[CHECKOUT]["WITH_OURS"]["network"] + ":more")
        function = CallableModel(user_objects.uses_functions, "x", takes="images", output=1)
        assert function.fingerprint().accepts(f"{STORED[CHECKOUT]['WITH_OURS']['function']}:images:1")


class TestStored:
    def test_a_manifest_accepts_earlier_ones_wherever_they_stand(self, tmp_path):
        now = {"model": {"fingerprint": Fingerprint("ab", lambda: ["cd"])}, "rest": (1, [{"f": 2.5}, "x"])}
        then = {"model": {"fingerprint": "cd"}, "rest": [1, [{"f": 2.5}, "x"]]}
        Manifest.new(then, tmp_path).require_same(Manifest.new(now, tmp_path), tmp_path)
        assert differences(then, as_stored(now)) == []
        with pytest.raises(ConfigurationChangedError, match=r'model\.fingerprint: "ef" then, "ab" now'):
            Manifest.new({**then, "model": {"fingerprint": "ef"}}, tmp_path).require_same(
                Manifest.new(now, tmp_path), tmp_path
            )

    def test_a_manifest_is_written_as_before(self, tmp_path):
        manifest = Manifest.new({"list": (Fingerprint("ab"), np.float64(1)), 3: None}, tmp_path)
        manifest.write(tmp_path)
        assert json.loads((tmp_path / "run.json").read_text())["configuration"] == {
            "list": ["ab", 1.0],
            "3": None,
        }
        assert Manifest.read(tmp_path) == manifest

    def test_a_gallery_is_known_by_the_digest_that_0_1_0_gave_it(self):
        def gallery(model):
            return Gallery(("a", "b"), np.eye(2, 3), ("1", "2"), model)

        now = gallery(Fingerprint("ab:spec", lambda: ["cd:spec"])).digest
        assert now == gallery("ab:spec").digest
        assert accepts(now, gallery("cd:spec").digest)
        assert not accepts(now, gallery("ef:spec").digest)

    def test_a_gallery_of_0_1_0_goes_with_its_model(self, tmp_path):
        model = TorchModel(user_objects.WITH_OURS["network"], "x", outputs="embedding")
        stored = STORED[CHECKOUT]["WITH_OURS"]["network"]
        assert model.fingerprint() != stored
        spec = model_id(model).partition(":")[2]
        for known, is_accepted in ((stored, True), (model.fingerprint(), True), ("0" * 64, False)):
            made = Gallery(("a", "b"), np.eye(2, 3), ("1", "2"), f"{known}:{spec}")
            confidence = RecognitionConfidence(Gallery.load(made.save(tmp_path / "gallery.npz")))
            shown = CleanPrediction(
                np.ones((1, 3)), "embedding", labels={"identity": "a"}, model=model_id(model)
            )
            if is_accepted:
                check_model(confidence, model)
                assert confidence.bind(shown).target
                continue
            with pytest.raises(OptionError, match="made with another"):
                check_model(confidence, model)
            with pytest.raises(OptionError, match="another model"):
                confidence.bind(shown)

    def test_a_gallery_stores_todays_fingerprint(self, tmp_path):
        made = Gallery(("a",), np.eye(1, 3), ("1",), Fingerprint("ab:spec", lambda: ["cd:spec"]))
        loaded = Gallery.load(made.save(tmp_path / "gallery.npz"))
        assert loaded.model == "ab:spec"
        assert loaded.digest == made.digest
