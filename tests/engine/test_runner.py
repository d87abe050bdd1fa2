"""Whatever goes wrong on the fast ways, the map is right and one line says what happened."""

import logging
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from beartype import beartype
from jaxtyping import Float, TypeCheckError, jaxtyped
from torch import nn

from canonface.engine import ModelRunner, choosing, drops, native, runner
from canonface.engine.incremental import torch_kernels
from canonface.engine.incremental.network import network_of
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
    """Takes a way that depends on the values: no graph can be made of it."""

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


def asked(module, engine="auto"):
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


def test_a_drop_is_what_the_formula_says(net, forward_passes):
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


def test_an_inexact_engine_says_its_error(net, forward_passes, caplog):
    x, centres = forward_passes
    asking = asked(net, "bfloat16")
    asking.predict(x, occlusions_of(centres))
    [line] = lines(caplog)
    assert re.search(r"not exact: outputs are off by up to [\d.e-]+, [\d.]+% of the largest change", line)


def test_a_layer_that_was_written_over_is_asked_as_it_is(forward_passes):
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


def test_a_point_that_is_not_known_is_not_asked(net, forward_passes):
    x, centres = forward_passes
    centres[3] = np.nan
    found = drops(net, x, centres, 7)
    assert np.flatnonzero(np.isnan(found)).tolist() == [3]
    assert np.isnan(drops(net, x, centres[3:4], 7)).all()


def test_what_cannot_be_asked_is_refused_in_words(net, forward_passes):
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


def test_a_network_that_defeats_tracing_is_asked_densely_with_the_reason(forward_passes, caplog):
    torch.manual_seed(0)
    winding, (x, centres) = Winding().eval(), forward_passes
    dense = drops(winding, x, centres, 7, engine="dense")
    asking = asked(winding, "native")
    asking.predict(x, occlusions_of(centres))
    assert asking.plan.engine == "dense"
    assert len(lines(caplog)) == 1
    assert "asked by the dense engine: torch.fx cannot follow it" in lines(caplog)[0]
    np.testing.assert_array_equal(drops(winding, x, centres, 7), dense)


def test_a_network_that_checks_its_own_shapes_is_followed_all_the_same(forward_passes):
    class Checked(Net):
        @jaxtyped(typechecker=beartype)
        def forward(self, x: Float[torch.Tensor, "n 3 h w"]) -> Float[torch.Tensor, "n 5"]:
            return super().forward(x)

    torch.manual_seed(0)
    checked, (x, centres) = Checked().eval(), forward_passes
    asking = asked(checked, "incremental")
    asking.predict(x, occlusions_of(centres))
    assert asking.plan.engine == "incremental"
    with pytest.raises(TypeCheckError):
        checked(x)


def test_without_a_compiler_pytorchs_operators_answer(net, forward_passes, monkeypatch, caplog):
    x, centres = forward_passes
    monkeypatch.setattr(native, "library", lambda: None)
    asking = asked(net, "native")
    found = asking.predict(x, occlusions_of(centres))
    assert asking.plan.engine == "incremental"
    assert "asked by the incremental engine" in "".join(lines(caplog))
    np.testing.assert_allclose(found, asked(net, "dense").predict(x, occlusions_of(centres)), atol=GATE)


def test_full_memory_halves_the_questions_then_goes_dense(net, forward_passes, monkeypatch, caplog):
    x, centres = forward_passes
    step = torch_kernels.TorchKernels.step
    most = [4]

    def full(self, work):
        if len(work.out) > most[0]:
            raise MemoryError
        return step(self, work)

    monkeypatch.setattr(torch_kernels.TorchKernels, "step", full)
    dense = asked(net, "dense").predict(x, occlusions_of(centres))
    asking = asked(net, "incremental")
    np.testing.assert_allclose(asking.predict(x, occlusions_of(centres)), dense, atol=GATE)
    assert asking.plan.engine == "incremental"
    assert network_of(net, x[None]).sessions["incremental"].chunk == 4
    assert lines(caplog)[-1] == "out of memory with 8 questions at once: going on with 4"
    most[0] = 0
    caplog.clear()
    np.testing.assert_array_equal(asking.predict(x, occlusions_of(centres)), dense)
    assert lines(caplog)[-1] == "net is asked by the dense engine: questions by windows failed: out of memory"


def test_a_failure_on_the_fast_way_is_said_and_answered_by_the_plain_one(
    net, forward_passes, monkeypatch, caplog
):
    x, centres = forward_passes

    def broken(self, work):
        raise RuntimeError("the kernel is\nbroken")

    monkeypatch.setattr(torch_kernels.TorchKernels, "step", broken)
    found = asked(net, "incremental").predict(x, occlusions_of(centres))
    np.testing.assert_array_equal(found, asked(net, "dense").predict(x, occlusions_of(centres)))
    assert lines(caplog) == [
        "net is asked by the dense engine: questions by windows failed: RuntimeError: the kernel is broken"
    ]


def test_a_photo_that_the_model_has_no_answer_to_settles_nothing_for_the_others(net, forward_passes, caplog):
    x, centres = forward_passes
    asking = asked(net, "incremental")
    for _ in range(2):
        with pytest.raises(ModelOutputError, match="NaN or infinity"):
            asking.predict(torch.full_like(x, 3e38), occlusions_of(centres))
        dense = asked(net, "dense").predict(x, occlusions_of(centres))
        np.testing.assert_allclose(asking.predict(x, occlusions_of(centres)), dense, rtol=0, atol=GATE)
        assert asking.plan.engine == "incremental"
    assert lines(caplog) == []


def off_by_a_little(monkeypatch, from_call):
    """Kernels that are wrong from a call on."""
    cells, calls = torch_kernels.TorchKernels.cells, []

    def wrong(self, end, change, base):
        calls.append(1)
        prediction = cells(self, end, change, base)
        return prediction + 0.01 if len(calls) >= from_call else prediction

    monkeypatch.setattr(torch_kernels.TorchKernels, "cells", wrong)


def test_wrong_answers_are_noticed_before_they_are_used(net, forward_passes, monkeypatch, caplog):
    x, centres = forward_passes
    off_by_a_little(monkeypatch, from_call=1)
    asking = asked(net, "incremental")
    found = asking.predict(x, occlusions_of(centres))
    assert asking.plan.engine == "dense"
    assert asking.plan.error == pytest.approx(0.01, rel=0.01)
    assert "answers of the incremental engine are off by up to 0.01" in lines(caplog)[0]
    np.testing.assert_array_equal(found, asked(net, "dense").predict(x, occlusions_of(centres)))


def test_answers_that_turn_wrong_later_are_noticed_too(net, forward_passes, monkeypatch, caplog):
    x, centres = forward_passes
    monkeypatch.setattr(runner, "CHECK_EVERY", 50)
    off_by_a_little(monkeypatch, from_call=4)
    asking, dense = asked(net, "incremental"), asked(net, "dense").predict(x, occlusions_of(centres))
    np.testing.assert_allclose(asking.predict(x, occlusions_of(centres)), dense, atol=GATE)
    assert asking.plan.engine == "incremental"
    np.testing.assert_array_equal(asking.predict(x, occlusions_of(centres)), dense)
    assert "an answer of the incremental engine was off by 0.01" in lines(caplog)[0]


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
def test_what_is_rounding_depends_on_the_answers(off, size, outputs, alike):
    original = np.array([[size, -size]])
    assert choosing.agree(original + off, original, original, "native", outputs) is alike


class Rounding:
    """An input on a GPU, as far as is looked at."""

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
def test_what_rounds_to_tf32_is_named_where_it_is_switched_on(cudnn, matmul, words, monkeypatch):
    monkeypatch.setattr(torch.backends, "cudnn", SimpleNamespace(allow_tf32=cudnn))
    monkeypatch.setattr(torch.backends.cuda, "matmul", SimpleNamespace(allow_tf32=matmul))
    said = choosing.tf32_hint(Rounding, "incremental")
    assert words in said if words else said == ""
    assert choosing.tf32_hint(Rounding, "bfloat16") == ""
    assert choosing.tf32_hint(torch.zeros(1), "incremental") == ""


def test_times_that_differ_little_are_taken_again(net, forward_passes, monkeypatch):
    x, centres = forward_passes
    seconds, timed = iter([1.0, 4.0, 0.5, 1.6]), choosing._timed
    monkeypatch.setattr(choosing, "_timed", lambda ask: (next(seconds), timed(ask)[1]))
    monkeypatch.setattr(choosing, "TIMED", 16)
    asking = asked(net)
    asking.predict(x, occlusions_of(centres))
    fast = asking.plan.engine
    assert asking.plan.seconds == {"dense": 0.5 / 4, fast: 1.6 / 16}


def test_who_names_the_native_engine_in_double_precision_is_told_why_not(net, forward_passes, caplog):
    x, centres = forward_passes
    asking = asked(net.double(), "native")
    asking.predict(x.double(), occlusions_of(centres))
    assert asking.plan.engine == "incremental"
    [line] = lines(caplog)
    assert "by the incremental engine: native kernels compute in single precision on the CPU; " in line


def test_few_questions_are_asked_plainly_and_nothing_is_settled(net, forward_passes):
    x, centres = forward_passes
    asking = asked(net)
    asking.predict(x, occlusions_of(centres[:3]))
    assert asking.plan is None


def test_a_model_without_layers_is_asked_densely_without_a_word(forward_passes, caplog):
    x, centres = forward_passes
    model = CallableModel(lambda batch: np.asarray(batch).mean(axis=(2, 3)), "mean", InputSpec(size_hw=SIZE))
    asking = ModelRunner(model)
    assert asking.predict(np.asarray(x), occlusions_of(centres)).shape == (60, 3)
    assert asking.plan == Plan(
        "dense", "it shows no layers that could be followed: only its answers are known"
    )
    assert lines(caplog) == []


def test_auto_takes_the_dense_engine_where_that_is_faster(net, forward_passes, monkeypatch):
    x, centres = forward_passes
    ticks = iter([0.0, 0.001, 0.0, 100.0])
    monkeypatch.setattr(choosing.time, "perf_counter", lambda: next(ticks))
    asking = asked(net)
    asking.predict(x, occlusions_of(centres))
    assert asking.plan.engine == "dense"
    assert "times faster than the" in asking.plan.why


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
def test_a_module_that_changed_is_looked_at_anew(net, forward_passes, change):
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


def test_a_hook_is_never_passed_over(net, forward_passes):
    x, centres = forward_passes
    plain = drops(net, x, centres, 7, engine="incremental")
    net.body[0].register_forward_hook(lambda module, inputs, output: output * 3)
    hooked = drops(net, x, centres, 7, engine="incremental")
    np.testing.assert_allclose(hooked, drops(net, x, centres, 7, engine="dense"), rtol=0, atol=GATE)
    assert np.abs(hooked - plain).max() > 100 * GATE


def test_what_the_model_answers_is_checked_on_every_way(net, forward_passes):
    x, centres = forward_passes
    net.head.bias.data[0] = torch.nan
    with pytest.raises(ModelError, match="NaN or infinity"):
        drops(net, x, centres, 7, engine="incremental")


@pytest.mark.parametrize("engine", ["incremental", "native"])
def test_chunks_order_and_threads_do_not_matter(net, forward_passes, engine):
    x, centres = forward_passes
    occlusions = occlusions_of(centres)
    local = LocalEngine.of(TorchModel(net, "net", InputSpec(size_hw=SIZE)), x)
    local.network.session(engine, 1)
    expected = local.predict(x, occlusions, engine)[1]
    order = np.random.default_rng(1).permutation(len(centres))
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        shuffled = local.predict(x, occlusions[order], engine)[1]
    finally:
        torch.set_num_threads(threads)
    np.testing.assert_allclose(shuffled, expected[order], rtol=0, atol=1e-5)


def test_half_precision_says_how_far_it_is_off(net, forward_passes, caplog):
    caplog.set_level(logging.INFO, logger="canonface")
    x, centres = forward_passes
    asking = asked(net, "bfloat16")
    found = asking.predict(x, occlusions_of(centres))
    dense = asked(net, "dense").predict(x, occlusions_of(centres))
    error = float(np.abs(found - dense).max())
    assert 0 < error < 0.02 * float(np.abs(dense - dense.mean(axis=0)).max())
    assert "not exact: outputs are off by up to" in lines(caplog, logging.INFO)[0]
