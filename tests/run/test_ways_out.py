"""Where the fast way fails, another one draws the map, the same map, and one line of the log says which and why."""

import logging
import shutil

import numpy as np
import pytest
import torch
from gate import GATE
from random_networks import SqueezeExcite
from small_network import SIDE, SmallNetwork
from torch import nn

from canonface.demo import demo_folder
from canonface.engine.incremental.native_kernels import NativeKernels
from canonface.engine.incremental.torch_kernels import TorchKernels
from canonface.engine.native import Library, compilation
from canonface.explanation import explain
from canonface.models import load_model
from canonface.pipeline import audit
from canonface.types import InputSpec

SPEC = InputSpec(size_hw=(SIDE, SIDE))
OPTIONS = {"target": 0, "stride": 17}
RUNNABLE = list(compilation.VARIANTS)[list(compilation.VARIANTS).index(compilation.fastest_variant()) :]
"""Variants of the kernels that this processor can run: what one with fewer instructions has is a later one."""


class Winding(SmallNetwork):
    """Takes a way that depends on the values: no graph can be made of it."""

    def forward(self, x):
        return super().forward(x) if x.sum() > -1e9 else x


class Squeezing(SmallNetwork):
    """From its second half on each channel is multiplied by what the whole map says."""

    def __init__(self):
        super().__init__(4)
        self.squeeze = SqueezeExcite(24).eval()

    def forward(self, x):
        x = self.dense(self.stem(x))
        return self.head(self.squeeze(self.last(self.pool(x))).flatten(1))


@pytest.fixture(scope="module")
def face(demo_faces):
    return next(face for face in demo_faces if face.path.endswith("op_P001_studio.jpg"))


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    """An empty cache of kernels, and no memory of what was found out before or is found out here."""
    monkeypatch.setenv("CANONFACE_KERNELS", str(tmp_path / "kernels"))
    monkeypatch.delenv("CANONFACE_SIMD", raising=False)
    yield from forgetting()


@pytest.fixture
def forgetful():
    """Kernels are looked for anew, and afterwards again."""
    yield from forgetting()


def forgetting():
    for function in (compilation.library, compilation.find_compiler):
        function.cache_clear()
    yield
    for function in (compilation.library, compilation.find_compiler):
        function.cache_clear()


@pytest.fixture
def said(caplog):
    """The lines of the log so far, from a level on."""
    caplog.set_level(logging.INFO, logger="canonface")
    return lambda level=logging.WARNING: [r.getMessage() for r in caplog.records if r.levelno >= level]


def model_of(network):
    names = ("a", "b", "c", "d")
    return load_model(network, spec=SPEC, labels=names, outputs="logits", device="cpu", name="net")


def drops(face, network, engine):
    return explain(face, model_of(network), engine=engine, **OPTIONS).drops


def assert_right(found, face, network, exactly=False):
    """As the dense engine has it: to the bit where it is the one that answered."""
    dense = drops(face, network, "dense")
    assert np.nanmax(np.abs(dense)) > 100 * GATE
    np.testing.assert_allclose(found, dense, rtol=0, atol=0 if exactly else GATE)


def needs_kernels():
    if compilation.library() is None:
        pytest.skip("no compiler here: the native kernels cannot be built")


@pytest.mark.parametrize(("engine", "level"), [("auto", logging.INFO), ("native", logging.WARNING)])
def test_a_network_that_defeats_tracing(face, said, engine, level):
    network = Winding(4)
    found = drops(face, network, engine)
    [line] = said(logging.INFO)
    assert line.startswith("net runs on the dense engine: torch.fx cannot follow it: ")
    assert len(said(logging.WARNING)) == (level == logging.WARNING), "louder where more was asked for"
    assert_right(found, face, network, exactly=True)


def test_a_network_that_is_followed_half_way(face, said):
    network = Squeezing()
    found = drops(face, network, "incremental")
    assert said() == []
    assert_right(found, face, network)


@pytest.mark.parametrize("engine", ["auto", "native"])
def test_a_build_that_fails(face, elsewhere, monkeypatch, tmp_path, said, engine):
    compiler = tmp_path / "compiler"
    compiler.write_text(
        '#!/bin/sh\ncase "$1" in --version) echo 1; exit;; esac\necho "fatal error: full" >&2; exit 1\n'
    )
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    network = SmallNetwork(4)
    found = drops(face, network, engine)
    first, *others = said()
    assert (
        first == f"going on without native kernels, several times slower: {compiler} fails: fatal error: full"
    )
    assert len(others) == (engine == "native")
    assert all(line.startswith("net runs on the incremental engine: ") for line in others)
    drops(face, SmallNetwork(4), "auto")
    assert said()[0] == first
    assert sum("without native kernels" in line for line in said()) == 1, "said once a process"
    assert_right(found, face, network)


@pytest.mark.parametrize("variant", RUNNABLE)
def test_a_processor_without_the_newest_instructions(face, forgetful, monkeypatch, said, variant):
    monkeypatch.setenv("CANONFACE_SIMD", variant)
    needs_kernels()
    assert compilation.library().instruction_set == variant
    network = SmallNetwork(4)
    found = drops(face, network, "native")
    assert said() == []
    assert_right(found, face, network)


def test_a_processor_that_is_not_known(face, forgetful, monkeypatch, said):
    monkeypatch.delenv("CANONFACE_SIMD", raising=False)
    monkeypatch.setattr(compilation, "_processor_flags", set)
    needs_kernels()
    assert compilation.library().instruction_set == "portable"
    network = SmallNetwork(4)
    found = drops(face, network, "native")
    assert said() == []
    assert_right(found, face, network)


@pytest.mark.parametrize(("engine", "kernels"), [("incremental", TorchKernels), ("native", NativeKernels)])
def test_memory_for_a_few_questions_only(face, monkeypatch, said, engine, kernels):
    if engine == "native":
        needs_kernels()
    step = kernels.step

    def full(self, work):
        if len(work.out) > 3:
            raise torch.OutOfMemoryError("out of memory")
        return step(self, work)

    monkeypatch.setattr(kernels, "step", full)
    network = SmallNetwork(4)
    found = drops(face, network, engine)
    assert all(line.startswith("out of memory with ") for line in said())
    assert said()[-1] == "out of memory with 4 probes at once: going on with 2"
    assert_right(found, face, network)


@pytest.mark.parametrize(("engine", "kernels"), [("incremental", TorchKernels), ("native", NativeKernels)])
@pytest.mark.parametrize("error", [MemoryError(), ValueError("conv: windows\ndo not fit")])
def test_no_memory_at_all_or_a_broken_kernel(face, monkeypatch, said, engine, kernels, error):
    if engine == "native":
        needs_kernels()

    def broken(self, work):
        raise error

    monkeypatch.setattr(kernels, "step", broken)
    network = SmallNetwork(4)
    found = drops(face, network, engine)
    *halvings, line = said()
    assert all(halving.startswith("out of memory with ") for halving in halvings)
    why = "out of memory" if isinstance(error, MemoryError) else "ValueError: conv: windows do not fit"
    assert line == f"net runs on the dense engine: the local engine failed: {why}"
    assert_right(found, face, network, exactly=True)


def test_a_kernel_that_computes_something_else(face, monkeypatch, said):
    needs_kernels()
    convolve = Library.conv

    def wrong(self, packed, rows, windows, out_windows, out, *more, **options):
        convolve(self, packed, rows, windows, out_windows, out, *more, **options)
        out += 0.5

    monkeypatch.setattr(Library, "conv", wrong)
    network = SmallNetwork(4)
    found = drops(face, network, "native")
    [line] = said()
    assert line.startswith("net runs on the dense engine: outputs of the native engine are off by up to ")
    assert_right(found, face, network, exactly=True)


def test_in_a_run_it_is_said_once_and_every_photo_has_its_map(tmp_path, said):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("op_P001_studio", "op_P005_studio"):
        shutil.copy(demo_folder() / "photos" / f"{name}.jpg", folder)
    network = Winding(4)
    runs = [
        audit(folder, model_of(network), tmp_path / engine, engine=engine, **OPTIONS)
        for engine in ("native", "dense")
    ]
    assert len(said()) == 1
    np.testing.assert_array_equal(runs[0].drops(), runs[1].drops())
    assert runs[0].manifest.configuration == runs[1].manifest.configuration


def test_a_module_in_training_mode_is_asked_in_evaluation_mode_on_every_way(face):
    network = SmallNetwork(4)
    network.last = nn.Sequential(network.last, nn.Dropout(0.5))
    network.train()
    found = drops(face, network, "incremental")
    assert network.training
    assert network.last[1].training
    assert_right(found, face, network)
