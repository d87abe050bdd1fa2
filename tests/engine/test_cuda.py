"""The engines on a GPU: what PyTorch's operators do there is what they do on the CPU."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from gate import GATE, allowed, drops_of
from named_networks import NAMED, centres, named_network

from canonface.engine import ModelRunner
from canonface.engine.choosing import ASKED_BOTH_WAYS
from canonface.engine.local import LocalEngine
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
    """Convolutions of cuDNN in single precision."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


@pytest.fixture
def tf32(monkeypatch):
    """Convolutions of cuDNN round what they read to ten bits, as PyTorch comes."""
    if torch.cuda.get_device_capability() < (8, 0):
        pytest.skip("this GPU has no TF32")
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)


def asked(module, x, engine):
    """The plan and the drops by an engine."""
    module, x, side = module.cuda(), x.cuda(), x.shape[-1]
    boxes = occlusion_boxes(centres(side, 100), side // 6, (side, side))
    runner = ModelRunner(TorchModel(module, "net", InputSpec(size_hw=(side, side)), device="cuda"), engine)
    original, hidden = runner.both(x, Occlusions(boxes, np.array(0.1)))
    return runner.plan, drops_of(hidden, original)


@pytest.mark.parametrize("full", [False, True], ids=["narrow", "full"])
@pytest.mark.parametrize("name", NAMED)
@pytest.mark.usefixtures("single_precision")
def test_named_networks_answer_alike(name, full):
    module, x = named_network(name, full=full)
    _, single = asked(module, x, "dense")
    _, exact = asked(deepcopy(module).double(), x.double(), "dense")
    assert np.abs(exact).max() > 100 * GATE, "the patches matter"
    plan, found = asked(module, x, "incremental")
    assert plan.engine == "incremental", plan.why
    assert np.abs(found - single).max() <= allowed(single, exact)


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.usefixtures("tf32")
def test_whoever_is_asked_densely_since_tf32_rounds_is_told_so(name):
    module, x = named_network(name, full=True)
    plan, found = asked(module, x, "incremental")
    _, single = asked(module, x, "dense")
    _, exact = asked(deepcopy(module).double(), x.double(), "dense")
    assert plan.engine == "dense"
    assert "allow_tf32 = False" in plan.why
    assert np.abs(found - single).max() <= allowed(single, exact)


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.usefixtures("single_precision")
def test_both_engines_are_timed_warm_and_on_as_many_questions(name, monkeypatch):
    counts, dense, predictions = {"dense": [], "incremental": []}, ModelRunner._dense, LocalEngine.predictions

    def counted(engine, ask):
        def counting(self, x, occlusions, *more):
            counts[engine].append(len(occlusions))
            return ask(self, x, occlusions, *more)

        return counting

    monkeypatch.setattr(ModelRunner, "_dense", counted("dense", dense))
    monkeypatch.setattr(LocalEngine, "answers", counted("incremental", predictions))
    plan, _ = asked(*named_network(name, full=True), "auto")
    assert set(plan.seconds) == {"dense", "incremental"}
    for found in counts.values():
        assert found[1] == found[2] > ASKED_BOTH_WAYS, "warmed up with as many as are timed"
    assert counts["dense"][2] == counts["incremental"][2]
