"""Failures of the local engines: the map is right, and one line of the log tells what happened."""

import logging
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from beartype import beartype
from jaxtyping import Float, TypeCheckError, jaxtyped
from torch import nn

from canonface.engine import ModelRunner, drops, native, plan, runner
from canonface.engine.incremental import torch_kernels
from canonface.engine.incremental.traced_network import traced_network
from canonface.engine.local import LocalEngine
from canonface.engine.plan import Plan
from canonface.errors import ModelError, ModelOutputError, OptionError, TargetError
from canonface.functional import occlusion_boxes
from canonface.models import CallableModel, TorchModel
from canonface.occlusions import Occlusions
from canonface.types import InputSpec

SIZE = (32, 30)
GATE = 5e-5


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU(inplace=True))
        self.body = nn.Sequential(nn.Conv2d(16, 16, 3, 1, 1), nn.PReLU(16), nn.MaxPool2d(2))
        self.head = nn.Linear(16 * 8 * 7, 5)

    def forward(self, x):
        return self.head(self.body(self.stem(x)).flatten(1))


class Winding(Net):
    """Network with a branch that depends on values: it cannot be traced."""

    def forward(self, x):
        return super().forward(x) if x.sum() > -1e9 else x


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net().eval()


@pytest.fixture
def forward_passes():
    rng = np.random.default_rng(0)
    x = torch.tensor(rng.normal(size=(3, *SIZE)), dtype=torch.float32)
    return x, rng.uniform(-3, 34, size=(60, 2))


def lines(caplog, level=logging.WARNING):
    return [record.getMessage() for record in caplog.records if record.levelno >= level]


def runner_of(module, engine="auto"):
    return ModelRunner(TorchModel(module, "net", InputSpec(size_hw=SIZE)), engine)


def occlusions_of(centres):
    return Occlusions(occlusion_boxes(centres, 7, SIZE), np.array(0.2))


@pytest.mark.parametrize("engine", ["auto", "incremental", "native"])
def test_every_exact_engine_draws_the_map_of_the_dense_one(net, forward_passes, engine):
    x, centres = forward_passes
    dense = drops(net, x, centres, 7, 0.2, engine="dense")
    found = drops(net, x, centres, 7, 0.2, engine=engine)
    assert np.abs(dense).max() > 20 * GATE
    np.testing.assert_allclose(found, dense, rtol=0, atol=GATE)


def test_a_drop_follows_the_formula(net, forward_passes):
    x, centres = forward_passes
    with torch.no_grad():
        before = torch.softmax(net(x[None]), 1)[0]
        hidden = x.clone()
        x0, y0, x1, y1 = occlusion_boxes(centres[:1], 7, SIZE)[0]
        hidden[:, y0:y1, x0:x1] = 0.2
        after = torch.softmax(net(hidden[None]), 1)[0]
    target = int(before.argmax())
    assert drops(net, x, centres, 7, 0.2)[0] == pytest.approx(float((before - after)[target]), abs=1e-6)
    assert drops(net, x, centres, 7, 0.2, target=3)[0] == pytest.approx(float((before - after)[3]), abs=1e-6)


def test_a_layer_with_a_replaced_forward_is_run_as_it_is(forward_passes):
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 5, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    module[4].forward = lambda values: values.flatten(1) * 40  # drops that can be seen
    x, centres = forward_passes
    drops(module, x, centres, 7, engine="incremental")
    module[1].forward = lambda values: torch.relu(values) * 1.001
    dense = drops(module, x, centres, 7, engine="dense")
    np.testing.assert_allclose(drops(module, x, centres, 7, engine="incremental"), dense, rtol=0, atol=GATE)


def test_an_unknown_point_is_not_probed(net, forward_passes):
    x, centres = forward_passes
    centres[3] = np.nan
    found = drops(net, x, centres, 7)
    assert np.flatnonzero(np.isnan(found)).tolist() == [3]
    assert np.isnan(drops(net, x, centres[3:4], 7)).all()


def test_unusable_arguments_are_refused(net, forward_passes):
    x, centres = forward_passes
    with pytest.raises(TargetError, match="one of 5 classes, counted from 0; got 5"):
        drops(net, x, centres, 7, target=5)
    with pytest.raises(OptionError, match=r"got 'dens': did you mean 'dense'\?"):
        drops(net, x, centres, 7, engine="dens")
    with pytest.raises(OptionError, match=r"one input of shape \(c, h, w\); got shape \(1, 3, 32, 30\)"):
        drops(net, x[None], centres, 7)
    with pytest.raises(
        OptionError, match=r"got shape \(3,\): a value for each channel has shape \(c, 1, 1\)"
    ):
        drops(net, x, centres, 7, fill=np.zeros(3))


def test_a_mirrored_array_is_an_input_like_another(net, forward_passes):
    x, centres = forward_passes
    mirrored = x.numpy()[..., ::-1]
    expected = drops(net, x.flip(2), centres, 7, np.ones((3, 1, 1)))
    np.testing.assert_array_equal(drops(net, mirrored, centres, 7, np.ones((3, 1, 1))), expected)


def test_an_untraceable_network_runs_on_the_dense_engine(forward_passes, caplog):
    torch.manual_seed(0)
    winding, (x, centres) = Winding().eval(), forward_passes
    dense = drops(winding, x, centres, 7, engine="dense")
    model_runner = runner_of(winding, "native")
    model_runner.predict(x, occlusions_of(centres))
    assert model_runner.plan.engine == "dense"
    assert len(lines(caplog)) == 1
    assert "runs on the dense engine: torch.fx cannot follow it" in lines(caplog)[0]
    np.testing.assert_array_equal(drops(winding, x, centres, 7), dense)


def test_a_network_with_shape_checks_is_traced(forward_passes):
    class Checked(Net):
        @jaxtyped(typechecker=beartype)
        def forward(self, x: Float[torch.Tensor, "n 3 h w"]) -> Float[torch.Tensor, "n 5"]:
            return super().forward(x)

    torch.manual_seed(0)
    checked, (x, centres) = Checked().eval(), forward_passes
    model_runner = runner_of(checked, "incremental")
    model_runner.predict(x, occlusions_of(centres))
    assert model_runner.plan.engine == "incremental"
    with pytest.raises(TypeCheckError):
        checked(x)


def test_without_a_compiler_pytorchs_operators_are_used(net, forward_passes, monkeypatch, caplog):
    x, centres = forward_passes
    monkeypatch.setattr(native, "library", lambda: None)
    model_runner = runner_of(net, "native")
    found = model_runner.predict(x, occlusions_of(centres))
    assert model_runner.plan.engine == "incremental"
    assert "runs on the incremental engine" in "".join(lines(caplog))
    np.testing.assert_allclose(found, runner_of(net, "dense").predict(x, occlusions_of(centres)), atol=GATE)


def test_full_memory_halves_the_chunk_then_goes_dense(net, forward_passes, monkeypatch, caplog):
    x, centres = forward_passes
    step = torch_kernels.TorchKernels.step
    most = [4]

    def full(self, work):
        if len(work.out) > most[0]:
            raise MemoryError
        return step(self, work)

    monkeypatch.setattr(torch_kernels.TorchKernels, "step", full)
    dense = runner_of(net, "dense").predict(x, occlusions_of(centres))
    model_runner = runner_of(net, "incremental")
    np.testing.assert_allclose(model_runner.predict(x, occlusions_of(centres)), dense, atol=GATE)
    assert model_runner.plan.engine == "incremental"
    assert traced_network(net, x[None]).executors["incremental"].chunk == 4
    assert lines(caplog)[-1] == "out of memory with 8 probes at once: going on with 4"
    most[0] = 0
    caplog.clear()
    np.testing.assert_array_equal(model_runner.predict(x, occlusions_of(centres)), dense)
    assert lines(caplog)[-1] == "net runs on the dense engine: the local engine failed: out of memory"


def test_a_failing_local_engine_is_logged_and_replaced_by_the_dense_one(
    net, forward_passes, monkeypatch, caplog
):
    x, centres = forward_passes

    def broken(self, work):
        raise RuntimeError("the kernel is\nbroken")

    monkeypatch.setattr(torch_kernels.TorchKernels, "step", broken)
    found = runner_of(net, "incremental").predict(x, occlusions_of(centres))
    np.testing.assert_array_equal(found, runner_of(net, "dense").predict(x, occlusions_of(centres)))
    assert lines(caplog) == [
        "net runs on the dense engine: the local engine failed: RuntimeError: the kernel is broken"
    ]


def test_a_photo_with_unusable_outputs_does_not_change_the_plan(net, forward_passes, caplog):
    x, centres = forward_passes
    model_runner = runner_of(net, "incremental")
    for _ in range(2):
        with pytest.raises(ModelOutputError, match="NaN or infinity"):
            model_runner.predict(torch.full_like(x, 3e38), occlusions_of(centres))
        dense = runner_of(net, "dense").predict(x, occlusions_of(centres))
        np.testing.assert_allclose(model_runner.predict(x, occlusions_of(centres)), dense, rtol=0, atol=GATE)
        assert model_runner.plan.engine == "incremental"
    assert lines(caplog) == []


def off_by_a_little(monkeypatch, from_call):
    """Make kernels wrong from a call on."""
    cells, calls = torch_kernels.TorchKernels.cells, []

    def wrong(self, end, change, base):
        calls.append(1)
        prediction = cells(self, end, change, base)
        return prediction + 0.01 if len(calls) >= from_call else prediction

    monkeypatch.setattr(torch_kernels.TorchKernels, "cells", wrong)


def test_wrong_outputs_are_noticed_before_they_are_used(net, forward_passes, monkeypatch, caplog):
    x, centres = forward_passes
    off_by_a_little(monkeypatch, from_call=1)
    model_runner = runner_of(net, "incremental")
    found = model_runner.predict(x, occlusions_of(centres))
    assert model_runner.plan.engine == "dense"
    assert model_runner.plan.error == pytest.approx(0.01, rel=0.01)
    assert "outputs of the incremental engine are off by up to 0.01" in lines(caplog)[0]
    np.testing.assert_array_equal(found, runner_of(net, "dense").predict(x, occlusions_of(centres)))


def test_outputs_that_turn_wrong_later_are_noticed(net, forward_passes, monkeypatch, caplog):
    x, centres = forward_passes
    monkeypatch.setattr(runner, "CHECK_EVERY", 50)
    off_by_a_little(monkeypatch, from_call=4)
    model_runner, dense = (
        runner_of(net, "incremental"),
        runner_of(net, "dense").predict(x, occlusions_of(centres)),
    )
    np.testing.assert_allclose(model_runner.predict(x, occlusions_of(centres)), dense, atol=GATE)
    assert model_runner.plan.engine == "incremental"
    np.testing.assert_array_equal(model_runner.predict(x, occlusions_of(centres)), dense)
    assert "an output of the incremental engine was off by 0.01" in lines(caplog)[0]


@pytest.mark.parametrize(
    ("off", "size", "outputs", "alike"),
    [
        (2.3e-6, 0.011, "logits", True),  # logits near 0: less than half of it shows in a drop
        (2.3e-6, 0.011, "values", False),
        (2.3e-6, 5.0, "values", True),
        (1e-3, 5.0, "logits", False),
        (1e-3, 30.0, "logits", False),
    ],
)
def test_allowed_rounding_depends_on_the_outputs(off, size, outputs, alike):
    clean = np.array([[size, -size]])
    assert plan.agree(clean + off, clean, clean, outputs) is alike


class Rounding:
    """Stand-in for an input on a GPU."""

    device, dtype = torch.device("cuda"), torch.float32


@pytest.mark.parametrize(
    ("cudnn", "matmul", "words"),
    [
        (True, True, "cudnn.allow_tf32 = False and torch.backends.cuda.matmul.allow_tf32 = False"),
        (True, False, "with torch.backends.cudnn.allow_tf32 = False they"),
        (False, True, "with torch.backends.cuda.matmul.allow_tf32 = False they"),
        (False, False, ""),
    ],
)
def test_tf32_settings_are_named_if_switched_on(cudnn, matmul, words, monkeypatch):
    monkeypatch.setattr(torch.backends, "cudnn", SimpleNamespace(allow_tf32=cudnn))
    monkeypatch.setattr(torch.backends.cuda, "matmul", SimpleNamespace(allow_tf32=matmul))
    said = plan.tf32_hint(Rounding)
    assert words in said if words else said == ""
    assert plan.tf32_hint(torch.zeros(1)) == ""


def test_similar_times_are_taken_again(net, forward_passes, monkeypatch):
    x, centres = forward_passes
    seconds, timed = iter([1.0, 4.0, 0.5, 1.6]), plan._timed
    monkeypatch.setattr(plan, "_timed", lambda run: (next(seconds), timed(run)[1]))
    monkeypatch.setattr(plan, "TIMED_PROBES", 16)
    model_runner = runner_of(net)
    model_runner.predict(x, occlusions_of(centres))
    fast = model_runner.plan.engine
    assert model_runner.plan.seconds == {"dense": 0.5 / 4, fast: 1.6 / 16}


def test_the_native_engine_refuses_double_precision(net, forward_passes, caplog):
    x, centres = forward_passes
    model_runner = runner_of(net.double(), "native")
    model_runner.predict(x.double(), occlusions_of(centres))
    assert model_runner.plan.engine == "incremental"
    [line] = lines(caplog)
    assert "on the incremental engine: native kernels compute in single precision on the CPU; " in line


def test_few_probes_run_densely_without_a_plan(net, forward_passes):
    x, centres = forward_passes
    model_runner = runner_of(net)
    model_runner.predict(x, occlusions_of(centres[:3]))
    assert model_runner.plan is None


def test_a_model_without_layers_runs_densely_without_a_warning(forward_passes, caplog):
    x, centres = forward_passes
    model = CallableModel(lambda batch: np.asarray(batch).mean(axis=(2, 3)), "mean", InputSpec(size_hw=SIZE))
    model_runner = ModelRunner(model)
    assert model_runner.predict(np.asarray(x), occlusions_of(centres)).shape == (60, 3)
    assert model_runner.plan == Plan(
        "dense", "it has no layers that can be traced: only its outputs are known"
    )
    assert lines(caplog) == []


def test_auto_takes_the_dense_engine_where_that_is_faster(net, forward_passes, monkeypatch):
    x, centres = forward_passes
    ticks = iter([0.0, 0.001, 0.0, 100.0])
    monkeypatch.setattr(plan.time, "perf_counter", lambda: next(ticks))
    model_runner = runner_of(net)
    model_runner.predict(x, occlusions_of(centres))
    assert model_runner.plan.engine == "dense"
    assert "times faster than the" in model_runner.plan.why


def test_the_module_and_the_input_are_left_as_they_were(forward_passes):
    torch.manual_seed(0)
    module = nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.Dropout(),
                           nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 4))  # fmt: skip
    module[3].eval()
    state = {name: value.clone() for name, value in module.state_dict().items()}
    x, centres = forward_passes
    before = x.clone()
    drops(module, x, centres, 7, engine="incremental")
    assert [layer.training for layer in module] == [True, True, True, False, True, True, True]
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())
    assert torch.equal(x, before)
    assert not any(layer._forward_hooks for layer in module.modules())


@pytest.mark.parametrize("change", ["training", "data", "surgery"])
def test_a_changed_module_is_traced_again(net, forward_passes, change):
    x, centres = forward_passes
    drops(net, x, centres, 7, engine="incremental")
    with torch.no_grad():
        if change == "training":
            net.stem[0].weight.mul_(0.5)
        elif change == "data":
            net.stem[0].weight.data.mul_(0.5)
        else:
            net.body[1] = nn.Hardswish()
    found = drops(net, x, centres, 7, engine="incremental")
    np.testing.assert_allclose(found, drops(net, x, centres, 7, engine="dense"), rtol=0, atol=GATE)


def test_hooks_are_respected(net, forward_passes):
    x, centres = forward_passes
    plain = drops(net, x, centres, 7, engine="incremental")
    net.body[0].register_forward_hook(lambda module, inputs, output: output * 3)
    hooked = drops(net, x, centres, 7, engine="incremental")
    np.testing.assert_allclose(hooked, drops(net, x, centres, 7, engine="dense"), rtol=0, atol=GATE)
    assert np.abs(hooked - plain).max() > 100 * GATE


def test_outputs_are_checked_with_every_engine(net, forward_passes):
    x, centres = forward_passes
    net.head.bias.data[0] = torch.nan
    with pytest.raises(ModelError, match="NaN or infinity"):
        drops(net, x, centres, 7, engine="incremental")


@pytest.mark.parametrize("engine", ["incremental", "native"])
def test_order_and_threads_do_not_matter(net, forward_passes, engine):
    x, centres = forward_passes
    occlusions = occlusions_of(centres)
    local = LocalEngine.of(TorchModel(net, "net", InputSpec(size_hw=SIZE)), x)
    expected = local.predict(x, occlusions, engine)[1]
    order = np.random.default_rng(1).permutation(len(centres))
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        shuffled = local.predict(x, occlusions[order], engine)[1]
    finally:
        torch.set_num_threads(threads)
    np.testing.assert_allclose(shuffled, expected[order], rtol=0, atol=1e-5)
