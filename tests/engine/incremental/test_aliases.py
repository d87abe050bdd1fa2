"""Cases in which a mistake would be silent: values that share memory, flattened maps, modules that change."""

import numpy as np
import pytest
import torch
from torch import nn

from canonface.engine import drops
from canonface.engine.incremental import traced_network

GATE = 5e-5
PLACES = np.array([[8.0, 8], [16, 16], [25, 20], [30, 30], [4, 28], [20, 9], [12, 22], [28, 5], [16, 3]])


class PreActivation(nn.Module):
    """Network whose activation overwrites the shortcut's memory before it is read."""

    def __init__(self, shortcut):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.shortcut, self.relu, self.head = shortcut, nn.ReLU(inplace=True), nn.Linear(8, 5)
        self.head.weight.data.mul_(8)
        self.factor, self.offset = 1.0, torch.zeros(1)

    def forward(self, x):
        y = self.first(x)
        kept = self.shortcut(y)
        y = self.second(self.relu(y)) + kept
        return self.head(y.mean((2, 3)) * self.factor + self.offset)


class FlatHead(nn.Module):
    """Network with a batch norm of a flattened map."""

    def __init__(self, follows):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm1d(4 * 32 * 32)
        self.norm.running_var.uniform_(0.2, 3)
        self.norm.weight.data.uniform_(0.5, 2)
        self.follows, self.head = follows, nn.Linear(4 * 32 * 32, 5)

    def forward(self, x):
        return self.head(self.follows(self.norm(torch.relu(self.first(x)).flatten(1))))


def of_its_own_shape(flat):
    return torch.tanh(flat * 3.0).view(flat.size(0), 2, -1).flatten(1)


def assert_engines_agree(module, x, engine):
    dense = drops(module, x, PLACES, 9, engine="dense")
    assert np.abs(dense).max() > 20 * GATE
    np.testing.assert_allclose(drops(module, x, PLACES, 9, engine=engine), dense, rtol=0, atol=GATE)


@pytest.mark.parametrize("engine", ["incremental", "native"])
@pytest.mark.parametrize(
    "shortcut", [nn.Identity(), nn.Dropout(), nn.Sequential()], ids=lambda each: type(each).__name__
)
def test_a_shortcut_is_read_as_overwritten(shortcut, engine, caplog):
    module = PreActivation(shortcut)
    torch.manual_seed(1)
    # On the first photo little is negative, so that a mistake would not show.
    for x in (torch.rand(3, 32, 32) + 0.5, torch.randn(3, 32, 32)):
        assert_engines_agree(module, x, engine)
    assert "runs on the dense engine" not in caplog.text


def test_overwritten_memory_of_another_shape_goes_to_the_dense_engine(caplog):
    class InAnotherShape(PreActivation):
        def forward(self, x):
            y = self.first(x)
            kept = y[:, :4]
            return self.head(torch.cat([kept, self.relu(y)[:, 4:]], 1).mean((2, 3)))

    torch.manual_seed(1)
    assert_engines_agree(InAnotherShape(nn.Identity()), torch.randn(3, 32, 32), "incremental")
    assert "overwrites memory" in caplog.text


@pytest.mark.parametrize("engine", ["incremental", "native"])
@pytest.mark.parametrize(
    "follows", [torch.relu, nn.Dropout(), of_its_own_shape], ids=["relu", "dropout", "shape"]
)
def test_factors_of_a_flattened_map_are_kept(follows, engine, caplog):
    torch.manual_seed(1)
    assert_engines_agree(FlatHead(follows), torch.randn(3, 32, 32), engine)
    assert "runs on the dense engine" not in caplog.text


@pytest.mark.parametrize(
    "alter",
    [
        lambda module: setattr(module, "factor", 3.0),
        lambda module: setattr(module, "offset", torch.ones(1)),
        lambda module: setattr(module.first, "padding", (2, 2)) or setattr(module.first, "dilation", (2, 2)),
        lambda module: setattr(module, "forward", lambda x: PreActivation.forward(module, 2 * x)),
        lambda module: module.first.weight.data.mul_(2),
    ],
    ids=["number", "tensor", "setting", "forward", "weights"],
)
def test_a_changed_module_is_traced_again(alter):
    module = PreActivation(nn.Identity())
    torch.manual_seed(1)
    x = torch.randn(3, 32, 32)
    before = traced_network.state_of(module)
    assert traced_network.state_of(module) == before
    assert_engines_agree(module, x, "incremental")
    alter(module)
    assert traced_network.state_of(module) != before
    assert_engines_agree(module, x, "incremental")
