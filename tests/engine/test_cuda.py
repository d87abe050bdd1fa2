"""The engines on a GPU: what PyTorch's operators do there is what they do on the CPU."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from gate import GATE, allowed
from named_networks import NAMED, centres, named_network

from canonface.engine import Asker, drops
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
    """Convolutions of cuDNN in single precision; by default they round what they read to ten bits (TF32)."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


def found(module, x, points, engine):
    module, x = module.cuda(), x.cuda()
    return drops(module, x, points, x.shape[-1] // 6, 0.1, None, engine)


@pytest.mark.parametrize("full", [False, True], ids=["narrow", "full"])
@pytest.mark.parametrize("name", NAMED)
@pytest.mark.usefixtures("single_precision")
def test_named_networks_answer_alike(name, full):
    module, x = named_network(name, full=full)
    side = x.shape[-1]
    points = centres(side, 100)
    single = found(module, x, points, "dense")
    exact = found(deepcopy(module).double(), x.double(), points, "dense")
    assert np.abs(exact).max() > GATE, "the patches matter"
    assert np.abs(found(module, x, points, "incremental") - single).max() <= allowed(single, exact)


@pytest.mark.parametrize("engine", ["incremental", "auto"])
@pytest.mark.parametrize("name", NAMED)
def test_as_pytorch_comes_answers_are_as_good_as_the_dense_ones(name, engine):
    """Where cuDNN rounds to TF32 the dense engine is off itself: no engine may be further off than it by much."""
    module, x = named_network(name, full=True)
    points = centres(x.shape[-1], 100)
    exact = found(deepcopy(module).double(), x.double(), points, "dense")
    single = found(module, x, points, "dense")
    assert np.abs(found(module, x, points, engine) - single).max() <= allowed(single, exact)


def plan_of(name):
    module, x = named_network(name)
    side = x.shape[-1]
    occlusions = Occlusions(occlusion_boxes(centres(side, 30), side // 6, (side, side)), np.array(0.1))
    asker = Asker(
        TorchModel(module.cuda(), "net", InputSpec(size_hw=(side, side)), device="cuda"), "incremental"
    )
    asker.both(x.cuda(), occlusions)
    return asker.plan


@pytest.mark.usefixtures("single_precision")
@pytest.mark.parametrize("name", NAMED)
def test_windows_are_followed_on_the_gpu(name):
    plan = plan_of(name)
    assert plan.engine == "incremental", plan.why


@pytest.mark.parametrize("name", NAMED)
def test_who_is_asked_densely_since_tf32_rounds_is_told_so(name):
    plan = plan_of(name)
    assert plan.engine == "incremental" or "allow_tf32 = False" in plan.why
