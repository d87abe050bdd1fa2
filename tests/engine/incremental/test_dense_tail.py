"""Dense tail of a network: whole maps from some layer on, compiled if possible, with equal outputs."""

import logging

import numpy as np
import pytest
import torch
from gate import GATE
from named_networks import named_network
from torch import nn

from canonface.engine import ModelRunner, drops, native
from canonface.engine.incremental import dense_tail, executor
from canonface.engine.incremental.costs import saturated
from canonface.engine.incremental.deltas import input_deltas
from canonface.engine.incremental.lowering import SATURATED
from canonface.engine.incremental.traced_network import traced_network
from canonface.functional import occlude, occlusion_boxes
from canonface.models import TorchModel
from canonface.occlusions import Occlusions
from canonface.types import InputSpec

SIDE, COUNT = 40, 75
ENGINES = ("incremental", "native")


class Excited(nn.Module):
    """Network with squeeze and excitation after two layers: windows end there, most of the network follows."""

    def __init__(self, head="mean"):
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU6(inplace=True))
        self.squeeze, self.excite = nn.Linear(8, 4), nn.Linear(4, 8)
        self.middle = nn.Conv2d(8, 12, 3, 1, 1)
        self.norm, self.relu = nn.BatchNorm2d(12), nn.ReLU(inplace=True)
        self.last = nn.Conv2d(12, 12, 1)
        self.head = nn.Linear(12, 5)
        self.kind = head
        for norm in (self.stem[1], self.norm):
            norm.running_mean.uniform_(-0.3, 0.3)
            norm.running_var.uniform_(0.5, 2)
        with torch.no_grad():
            self.head.weight.mul_(12)
        self.eval()

    def forward(self, x):
        count = x.shape[0]
        x = self.stem(x)
        gate = torch.sigmoid(self.excite(torch.relu(self.squeeze(x.mean((2, 3))))))
        x = x * gate.view(x.size(0), 8, 1, 1)
        x = self.relu(self.norm(self.middle(x)))
        x = x + self.last(x)
        if self.kind == "sizes":
            return self.head(x.flatten(2).mean(2).view(count, -1))
        if self.kind == "two":
            first, second = torch.split(x.mean((2, 3)), 6, 1)
            return self.head(torch.cat([second, first], 1))
        return self.head(x.mean((2, 3)))


def photo():
    return torch.randn(3, SIDE, SIDE, generator=torch.Generator().manual_seed(3))


def places(count=COUNT):
    return np.random.default_rng(0).uniform(4, SIDE - 4, size=(count, 2))


def executor_of(module, x, engine):
    if engine == "native" and native.library() is None:
        pytest.skip("no compiler here: the native kernels cannot be built")
    return traced_network(module, x[None]).executors[engine]


@pytest.fixture
def assert_engines_agree(caplog):
    def check(module, x, engine, count=COUNT):
        dense = drops(module, x, places(count), 9, engine="dense")
        assert np.abs(dense).max() > 20 * GATE
        np.testing.assert_allclose(
            drops(module, x, places(count), 9, engine=engine), dense, rtol=0, atol=GATE
        )
        assert "runs on the dense engine" not in caplog.text

    return check


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("head", ["mean", "sizes", "two"])
@pytest.mark.parametrize("count", [1, 33, COUNT])
def test_the_tail_behind_an_excitation_is_compiled_with_equal_drops(
    engine, head, count, monkeypatch, assert_engines_agree
):
    monkeypatch.setattr(executor, "VECTORS", 20)
    module, x = Excited(head), photo()
    assert_engines_agree(module, x, engine, count)
    found = executor_of(module, x, engine)
    assert isinstance(found.dense_tail._compiled_maps, torch.jit.ScriptModule)
    assert any(node.target == "last" for node in found.program.maps)
    assert any(node.target == "head" for node in found.program.tail)


@pytest.mark.parametrize("precision", [torch.float32, torch.float64])
def test_photos_and_chunks_do_not_mix(precision, monkeypatch):
    monkeypatch.setattr(dense_tail, "MAPS_AT_ONCE", 7)
    module = Excited().to(precision)
    x = torch.stack([photo(), photo().flip(2), 2 * photo()]).to(precision)
    boxes = Occlusions(occlusion_boxes(places(20), 9, (SIDE, SIDE)), np.array(0.2))
    executor_ = traced_network(module, x).executor("incremental", 1)
    together = executor_.predict(x, [boxes] * 3, lambda prediction: prediction)[1]
    alone = [executor_.predict(x[i : i + 1], [boxes], lambda prediction: prediction)[1] for i in range(3)]
    bound = 1e-11 if precision == torch.float64 else 1e-5
    assert float((together - torch.cat(alone)).abs().max()) <= bound * float(together.abs().max())
    with torch.inference_mode():
        occluded = [occlude(one, boxes.boxes, 0.2) for one in x]
        theirs = torch.cat([module(copies) for copies in occluded])
    assert float((together - theirs).abs().max()) <= bound * float(together.abs().max())
    assert isinstance(executor_.dense_tail._compiled_maps, torch.jit.ScriptModule) == (
        precision == torch.float32
    )


def test_a_layer_with_a_hook_is_run_as_it_is(assert_engines_agree):
    module, x, seen = Excited(), photo(), []
    module.last.register_forward_hook(lambda layer, given, made: seen.append(len(made)) or made * 1.5)
    assert_engines_agree(module, x, "incremental")
    assert isinstance(executor_of(module, x, "incremental").dense_tail._compiled_maps, dense_tail._MapNodes)
    assert sum(seen) > COUNT


@pytest.mark.parametrize("failure", ["error", "other numbers"])
def test_nodes_run_one_by_one_if_compilation_fails(failure, monkeypatch, caplog, assert_engines_agree):
    def compiled(nodes, ends):
        if failure == "error":
            raise RuntimeError("no TorchScript here")
        return lambda *given: tuple(made * 1.01 for made in nodes(*given))

    monkeypatch.setattr(dense_tail, "_compiled", compiled)
    caplog.set_level(logging.DEBUG, "canonface")
    module, x = Excited(), photo()
    assert_engines_agree(module, x, "incremental")
    assert "whole maps are computed node by node" in caplog.text
    assert isinstance(executor_of(module, x, "incremental").dense_tail._compiled_maps, dense_tail._MapNodes)


def test_compiling_does_not_change_the_module(caplog):
    module, x = Excited(), photo()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    module.train()
    drops(module, x, places(), 9, engine="incremental")
    assert all(layer.training for layer in module.modules())
    for name, value in module.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    assert "runs on the dense engine" not in caplog.text


class Headed(nn.Module):
    """Convolutions with a given head."""

    def __init__(self, head):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU())
        self.second = nn.Conv2d(8, 8, 3, 1, 1)
        self.pool, self.fc, self.other = nn.AdaptiveAvgPool2d(1), nn.Linear(8, 5), nn.Linear(8, 5)
        self.flat = nn.Linear(8 * (SIDE // 2) ** 2, 5)
        self.head = head
        with torch.no_grad():
            self.fc.weight.mul_(30)
            self.other.weight.mul_(30)
            self.flat.weight.mul_(30)
        self.eval()

    def forward(self, x, flag=None):
        first = self.first(x)
        return self.head(self, first, self.second(first), flag)


def pooled_and_viewed(net, _first, x, _flag):
    x = net.pool(x)
    return net.fc(x.view(x.size(0), -1))


def averaged_and_viewed(net, _first, x, _flag):
    x = x.mean((2, 3))
    return net.fc(x.view(x.size(0), -1))


def flat_and_counted(net, _first, x, _flag):
    flat = torch.flatten(x, 1)
    return net.flat(torch.relu(flat).view(flat.shape[0], -1))


def of_two_ends(net, first, x, _flag):
    a, b = first.mean((2, 3)), x.mean((2, 3))
    return net.fc(b) + net.other(a.view(a.size(0), -1))


def by_functions(net, _first, x, _flag):
    x = torch.tanh(x) * torch.sigmoid(x)
    return net.fc(x.mean((2, 3)))


def by_named_tuple(net, _first, x, _flag):
    return net.fc(torch.softmax(x, 1).flatten(2).max(2).values)


def by_transpose(net, _first, x, _flag):
    mean = torch.softmax(x, 1).flatten(2).mean(2)
    return (net.fc.weight @ mean.T).T


def with_constants_of_its_own(net, _first, x, _flag):
    weight = x.new_ones(8)
    x = torch.softmax(x, 1)
    return net.fc(x.mean((2, 3)) * weight)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "head",
    [
        pooled_and_viewed,
        averaged_and_viewed,
        flat_and_counted,
        of_two_ends,
        by_functions,
        with_constants_of_its_own,
        by_named_tuple,
        by_transpose,
    ],
)
def test_heads_that_read_sizes_are_traced(head, engine, assert_engines_agree):
    module, x = Headed(head), photo()
    assert_engines_agree(module, x, engine)
    found = executor_of(module, x, engine)
    assert found.program.steps
    if head is by_functions:
        assert not found.program.dense_because


def test_products_of_empty_windows(assert_engines_agree):
    module, x = Headed(by_functions), photo()
    assert_engines_agree(module, x, "incremental", 3)
    nothing = Occlusions(np.array([[5, 5, 5, 9], [7, 7, 7, 7]]), np.zeros(()))
    clean, occluded = executor_of(module, x, "incremental").predict(
        x[None], [nothing], lambda prediction: prediction
    )
    torch.testing.assert_close(occluded, clean.expand(2, -1))


def test_weights_in_buffers_keep_their_dtype():
    module, x = named_network("mobilenetv2")
    for layer in module.modules():
        for name, value in list(layer.named_parameters(recurse=False)):
            delattr(layer, name)
            layer.register_buffer(name, value.detach().double())
        for name, value in list(layer.named_buffers(recurse=False)):
            layer.register_buffer(name, value.double() if value.is_floating_point() else value)
    executor_ = traced_network(module, x[None].double()).executor("incremental", 1)
    assert [end.kind for end in executor_.program.ends] == ["map"]


def test_large_maps_and_patches_use_smaller_chunks():
    executor_ = traced_network(Excited(), photo()[None]).executor("incremental", 1)
    boxes = Occlusions(occlusion_boxes(places(40), 9, (SIDE, SIDE)), np.array(0.2))
    windows = executor_.program.windows(input_deltas(photo()[None], [boxes]).windows)
    assert executor_._chunk_sizes(windows) == (32, 32)
    for bound, most in ((5 * 4 * 2 * 8 * 20 * 20, 10), (1, 1)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(executor, "CHUNK_BYTES", bound)
            chunk, piece = executor_._chunk_sizes(windows)
            assert 1 <= chunk == piece <= most


def test_saturated_windows_continue_as_whole_maps(caplog):
    module, x = named_network("mobilenetv2")
    side = x.shape[-1]
    model = TorchModel(module, "net", InputSpec(size_hw=(side, side)))
    boxes = Occlusions(occlusion_boxes(np.full((40, 2), side / 2) + np.arange(40)[:, None], 12, (side, side)),
                       np.array(0.1))  # fmt: skip
    runner = ModelRunner(model, "incremental")
    found = runner.both(x, boxes)[1]
    [(layer, why)] = runner.plan.dense_from
    assert why == SATURATED
    program = traced_network(module, x[None]).executors["incremental"].program
    assert [end.kind for end in program.ends] == ["map"]
    whole = traced_network(module, x[None]).program
    assert len(program.steps) < len(whole.steps)
    assert layer in {step.layer for step in whole.steps} - {step.layer for step in program.steps}
    assert program.ends[0].value == saturated(whole)
    dense = ModelRunner(model, "dense").both(x, boxes)[1]
    np.testing.assert_allclose(found, dense, rtol=0, atol=1e-4 * float(np.abs(dense).max()))
    assert "runs on the dense engine" not in caplog.text
