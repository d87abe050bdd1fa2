"""Memory of the local engines: counted bytes, and peaks of a separate process."""

import gc
import os
import subprocess
import sys
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch
from allocations import Allocations
from named_networks import NAMED, centres, named_network

from canonface.engine import native
from canonface.engine.incremental import dense_tail, executor, torch_kernels
from canonface.engine.incremental.costs import costs
from canonface.engine.incremental.deltas import windows_of
from canonface.engine.incremental.executor import Executor
from canonface.engine.incremental.native_kernels import Workspace
from canonface.engine.incremental.torch_kernels import TorchKernels
from canonface.engine.incremental.traced_network import TracedNetwork, traced_network
from canonface.engine.native import Library
from canonface.functional import occlusion_boxes
from canonface.models.architectures.vgg import VGG16
from canonface.occlusions import Occlusions

LARGEST_PROCESS = 2e9
"""Bytes that a process may hold in all, PyTorch and the network's own weights among them."""


def forward_passes(x, count=20):
    side = x.shape[-1]
    return Occlusions(occlusion_boxes(centres(side, count), side // 6, (side, side)), np.zeros(()))


def compiled(module, x):
    with torch.no_grad():
        return traced_network(module, x[None])


def run_all(executor_, x, occlusions):
    return executor_.predict(x[None], [occlusions], lambda prediction: prediction)[1]


def executor_of(network, engine, chunk):
    if engine == "native" and native.library() is None:
        pytest.skip("no compiler here: the native kernels cannot be built")
    return replace(network.executor(engine, 1), chunk=chunk)


def test_a_program_shares_the_modules_weights_where_nothing_is_folded():
    torch.manual_seed(0)
    module, x = VGG16(width=1, hidden=2048, classes=2).eval(), torch.rand(3, 224, 224)
    with Allocations() as made:
        program = compiled(module, x).program
    theirs = {parameter.data_ptr() for parameter in module.parameters()}
    ours = [step.operator.weight for step in program.steps if hasattr(step.operator, "weight")]
    ours += [end.weight for end in program.ends]
    assert len(ours) == 14
    assert {weight.data_ptr() for weight in ours} <= theirs
    assert made.peak < module.classifier[0].weight.nbytes, "its widest layer is not copied on the way either"


def test_a_wide_layer_is_read_in_parts_and_never_copied(monkeypatch):
    torch.manual_seed(0)
    module, x = VGG16(width=1, hidden=4096, classes=2).eval(), torch.rand(3, 224, 224)
    widest = module.classifier[0].weight.nbytes
    monkeypatch.setattr("canonface.engine.incremental.traced_network.saturated", lambda _: "")
    monkeypatch.setattr(torch_kernels, "ORDERED_MAPS", 0)
    network, occlusions = compiled(module, x), forward_passes(x)
    at_once = run_all(executor_of(network, "incremental", chunk=20), x, occlusions)
    monkeypatch.setattr(torch_kernels, "CELLS_BYTES", widest // 16)
    executor_ = executor_of(network, "incremental", chunk=20)
    run_all(executor_, x, occlusions)
    with Allocations() as made:
        in_parts = run_all(executor_, x, occlusions)
    torch.testing.assert_close(in_parts, at_once, rtol=1e-5, atol=1e-6)
    assert sum(weight.nbytes for weight in executor_.kernels._packed.values()) < widest / 16
    assert made.peak < widest, "not on the way either"


@pytest.mark.parametrize("engine", ["incremental", "native"])
@pytest.mark.parametrize("name", NAMED)
def test_forward_passes_leave_no_memory_behind(name, engine, monkeypatch):
    # TorchScript runs no operator that is watched.
    monkeypatch.setattr(
        dense_tail, "_compiled_maps", lambda program, cache: dense_tail._MapNodes(program, cache.values)
    )
    module, x = named_network(name)
    executor_, occlusions = executor_of(compiled(module, x), engine, chunk=4), forward_passes(x)
    run_all(executor_, x, occlusions)
    waiting = len(executor_.kernels._space._free) if engine == "native" else 0
    with Allocations() as made:
        for _ in range(3):
            run_all(executor_, x, occlusions)
    # Of the arrays that wait to be used again some may be exchanged for larger ones.
    assert made.live <= 0.1 * made.peak
    if engine == "native":
        assert len(executor_.kernels._space._free) == waiting > 0  # all were given back


def test_a_failure_leaves_no_memory_behind(monkeypatch):
    module, x = named_network("vgg16")
    executor_, occlusions = executor_of(compiled(module, x), "native", chunk=4), forward_passes(x)
    run_all(executor_, x, occlusions)
    known = [weakref.ref(buffer.untyped_storage()) for buffer in executor_.kernels._space._free]
    pooled, taken = Library.max_pool, []

    def full(*given):
        taken.append(len(known) - len(executor_.kernels._space._free))
        if len(taken) == 3:
            raise MemoryError
        pooled(*given)

    monkeypatch.setattr(Library, "max_pool", full)
    failed = False
    try:
        run_all(executor_, x, occlusions)
    except MemoryError:
        failed = True
    assert failed
    assert taken[-1] == 2, "what is read and what is written"
    gc.collect()
    assert sum(storage() is not None for storage in known) == len(known) - 2, "both are freed"


def test_an_array_is_used_again_and_grows_when_it_must():
    space = Workspace()
    first = space.take(40)
    place = first.data_ptr()
    space.give_back(first)
    again = space.take(48)
    assert again.data_ptr() == place, "a quarter more was taken than needed"
    space.give_back(again)
    larger = space.take(400)
    assert larger.numel() >= 400
    assert len(space._free) == 0, "it takes the place of the one that was too small"


@pytest.mark.parametrize("equalized", [False, True], ids=["true sizes", "equalized"])
@pytest.mark.parametrize("name", NAMED)
def test_memory_is_what_the_plan_says(name, equalized):
    module, x = named_network(name)
    program, occlusions = compiled(module, x).program, forward_passes(x)
    windows = windows_of(tuple(x.shape), [occlusions])
    said, kernels, seen = costs(program, windows), TorchKernels(), []
    executor_ = Executor(program, kernels, chunk=len(windows))
    step, most = kernels.step, []
    if not equalized:
        kernels.fit_windows = lambda windows, map_hw: windows

    def watched(work):
        seen.append(work.cache)
        delta = step(work)
        live[id(delta)] = delta.rows.nbytes
        most.append(sum(live.values()))
        return delta

    live = {}
    kernels.release = lambda delta: live.pop(id(delta), None)
    kernels.step = watched
    run_all(executor_, x, occlusions)
    assert said.base_bytes == sum(rows.nbytes for rows in seen[0].maps.values())
    packed = kernels._packed.values()
    assert said.weight_bytes == sum(value.nbytes for value in packed)
    inputs = 4 * windows.rows * x.shape[0]
    more = torch_kernels.MAX_PADDING if equalized else 1
    assert max(most) <= more * (said.probe_bytes * len(windows) + len(windows))
    assert max(most) + inputs >= said.probe_bytes * len(windows)


def test_a_chunk_is_bounded_by_its_bytes():
    module, x = named_network("resnet50")
    program = compiled(module, x).program
    assert TracedNetwork(program).executor("incremental", 1).chunk == 32
    assert TracedNetwork(program).executor("incremental", 50 * 2**20).chunk == 3
    assert TracedNetwork(program).executor("incremental", 2**40).chunk == 1
    if native.library() is not None:
        assert TracedNetwork(program).executor("native", 1).chunk == 256
        assert TracedNetwork(program).executor("native", 2**20).chunk == 192
        assert TracedNetwork(program).executor("native", 2**20, kept_bytes=540 * 2**20).chunk == 100
        assert TracedNetwork(program).executor("native", 2**20, kept_bytes=2**40).chunk == 64, (
            "as many always fit"
        )
        assert TracedNetwork(program).executor("native", 2**40).chunk == 1


def test_the_dense_tail_reads_hundreds_of_probes_at_once(monkeypatch):
    module, x = named_network("vgg16")
    network, seen = compiled(module, x), []
    monkeypatch.setattr(executor, "VECTORS", 20)
    cells = TorchKernels.cells
    monkeypatch.setattr(
        TorchKernels, "cells", lambda *given: seen.append(len(given[2].windows)) or cells(*given)
    )
    run_all(executor_of(network, "incremental", chunk=7), x, forward_passes(x, 44))
    assert seen == [20, 20, 4]


PEAK = """
import resource, sys
from named_networks import NAMED, centres, named_network
from canonface.engine import drops

module, x = named_network("vgg16", full=True)
found = drops(module, x, centres(224, 512), 31, engine=sys.argv[1])
assert found.shape == (512,)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))
"""


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["incremental", "native", "auto"])
def test_vgg16_fits_into_two_gigabytes(engine):
    pytest.importorskip("resource")
    tuned = ("MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD", "OMP_NUM_THREADS")
    plain = {name: value for name, value in os.environ.items() if not name.startswith(tuned)}
    plain["PYTHONPATH"] = os.pathsep.join(sys.path)
    command = [sys.executable, "-c", PEAK, engine]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=plain)
    assert int(done.stdout) < LARGEST_PROCESS
