"""Engines on a GPU: PyTorch's operators give there what they give on the CPU."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from gate import GATE, allowed, drops_of
from named_networks import NAMED, centres, named_network

from canonface.engine import ModelRunner
from canonface.engine.local import LocalEngine
from canonface.engine.plan import COMPARED_PROBES
from canonface.functional import occlusion_boxes
from canonface.models import TorchModel
from canonface.occlusions import Occlusions
from canonface.types import InputSpec

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
]


@pytest.fixture
def single_precision(monkeypatch):
    """Let cuDNN convolve in single precision."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


@pytest.fixture
def tf32(monkeypatch):
    """Let cuDNN round inputs of convolutions to ten bits, PyTorch's default."""
    if torch.cuda.get_device_capability() < (8, 0):
        pytest.skip("this GPU has no TF32")
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)


def evaluate(module, x, engine):
    """Return the plan and the drops of an engine."""
    module, x, side = module.cuda(), x.cuda(), x.shape[-1]
    boxes = occlusion_boxes(centres(side, 100), side // 6, (side, side))
    runner = ModelRunner(TorchModel(module, "net", InputSpec(size_hw=(side, side)), device="cuda"), engine)
    clean, occluded = runner.both(x, Occlusions(boxes, np.array(0.1)))
    return runner.plan, drops_of(occluded, clean)


@pytest.mark.parametrize("full", [False, True], ids=["narrow", "full"])
@pytest.mark.parametrize("name", NAMED)
@pytest.mark.usefixtures("single_precision")
def test_named_networks_have_equal_drops(name, full):
    module, x = named_network(name, full=full)
    _, single = evaluate(module, x, "dense")
    _, exact = evaluate(deepcopy(module).double(), x.double(), "dense")
    assert np.abs(exact).max() > 100 * GATE, "the patches matter"
    plan, found = evaluate(module, x, "incremental")
    assert plan.engine == "incremental", plan.why
    assert np.abs(found - single).max() <= allowed(single, exact)


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.usefixtures("tf32")
def test_rounding_to_tf32_is_the_logged_reason_for_the_dense_engine(name):
    module, x = named_network(name, full=True)
    plan, found = evaluate(module, x, "incremental")
    _, single = evaluate(module, x, "dense")
    _, exact = evaluate(deepcopy(module).double(), x.double(), "dense")
    assert plan.engine == "dense"
    assert "allow_tf32 = False" in plan.why
    assert np.abs(found - single).max() <= allowed(single, exact)


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.usefixtures("single_precision")
def test_both_engines_are_timed_warm_on_as_many_probes(name, monkeypatch):
    counts, dense, predictions = {"dense": [], "incremental": []}, ModelRunner._dense, LocalEngine.predict

    def counted(engine, evaluate):
        def counting(self, x, occlusions, *more):
            counts[engine].append(len(occlusions))
            return evaluate(self, x, occlusions, *more)

        return counting

    monkeypatch.setattr(ModelRunner, "_dense", counted("dense", dense))
    monkeypatch.setattr(LocalEngine, "predict", counted("incremental", predictions))
    plan, _ = evaluate(*named_network(name, full=True), "auto")
    assert set(plan.seconds) == {"dense", "incremental"}
    for found in counts.values():
        assert found[1] == found[2] > COMPARED_PROBES, "warmed up with as many as are timed"
    assert counts["dense"][2] == counts["incremental"][2]
