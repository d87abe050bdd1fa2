"""Known architectures: windows reach their end, with the outputs of the dense engine."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from gate import GATE, allowed, cosine_drops_of, drops_of
from named_networks import NAMED, centres, named_network

from canonface.engine import ModelRunner, native
from canonface.engine.incremental.lowering import SATURATED
from canonface.errors import AssetError, MissingDependencyError
from canonface.functional import occlusion_boxes
from canonface.models import TorchModel, load_model, prepare
from canonface.occlusions import Occlusions
from canonface.types import InputSpec

EXACT = ("incremental", "native")
ZOO = {"gender": drops_of, "age": drops_of, "expression": drops_of, "facenet": cosine_drops_of}
"""Models of the zoo with known layers, and the drop computed from their outputs."""


def evaluate(model, x, occlusions, engine):
    """Return the outputs for the clean input and for the occlusions."""
    if engine == "native" and native.library() is None:
        pytest.skip("no compiler here: the native kernels cannot be built")
    runner = ModelRunner(model, engine)
    clean, occluded = runner.both(x, occlusions)
    assert runner.plan.engine == engine, runner.plan.why
    assert {why for _, why in runner.plan.dense_from} <= {SATURATED}, "windows follow all of it"
    assert engine == "incremental" or not runner.plan.dense_from
    return clean, occluded


def boxes(side, count, patch):
    return Occlusions(occlusion_boxes(centres(side, count), patch, (side, side)), np.array(0.1))


def assert_equal_drops(module, x, occlusions, engine):
    spec = InputSpec(size_hw=tuple(x.shape[1:]))
    single = drops_of(*reversed(evaluate(TorchModel(module, "net", spec), x, occlusions, "dense")))
    found = drops_of(*reversed(evaluate(TorchModel(module, "net", spec), x, occlusions, engine)))
    double = TorchModel(deepcopy(module).double(), "net in double precision", spec)
    exact = drops_of(*reversed(evaluate(double, x.double(), occlusions, "dense")))
    assert np.abs(exact).max() > 100 * GATE, "the patches matter"
    assert np.abs(found - single).max() <= allowed(single, exact)


@pytest.mark.parametrize("engine", EXACT)
@pytest.mark.parametrize("name", NAMED)
def test_a_narrow_network_has_equal_drops(name, engine):
    module, x = named_network(name)
    side = x.shape[-1]
    assert_equal_drops(module, x, boxes(side, 30, side // 6), engine)


@pytest.mark.slow
@pytest.mark.parametrize("engine", EXACT)
@pytest.mark.parametrize("name", NAMED)
def test_a_published_network_has_equal_drops(name, engine):
    module, x = named_network(name, full=True)
    side = x.shape[-1]
    assert_equal_drops(module, x, boxes(side, 12, side // 8), engine)


@pytest.mark.parametrize("engine", EXACT)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name == "facenet" else name for name in ZOO]
)
def test_a_zoo_model_has_equal_drops_for_a_photo(name, engine, demo_faces):
    try:
        model = load_model(name, device="cpu")
    except (AssetError, MissingDependencyError) as error:
        pytest.skip(f"{name} cannot be had here: {error}")
    x, read = model.to_device(prepare(demo_faces[0], model.spec).x), ZOO[name]
    occlusions = boxes(x.shape[-1], 16, x.shape[-1] // 7)
    single = read(*reversed(evaluate(model, x, occlusions, "dense")))
    found = read(*reversed(evaluate(model, x, occlusions, engine)))
    double = TorchModel(deepcopy(model.module).double(), name, model.spec)
    exact = read(*reversed(evaluate(double, x.double(), occlusions, "dense")))
    assert np.abs(exact).max() > 20 * GATE
    assert np.abs(found - single).max() <= allowed(single, exact)
    assert not model.module.training
    assert x.dtype == torch.float32
