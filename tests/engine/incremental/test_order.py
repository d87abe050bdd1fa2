"""Invariance of outputs: order of probes, chunk size, number of photos, number of threads."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from gate import GATE, drops_of
from hypothesis import given, settings
from hypothesis import strategies as st
from random_networks import random_boxes, random_network
from small_network import SIDE, SmallNetwork

from canonface.engine import native
from canonface.engine.incremental.traced_network import traced_network
from canonface.occlusions import Occlusions

PHOTOS = 3
COUNT = 70


@pytest.fixture(scope="module", params=["incremental", "native"])
def executor(request):
    if request.param == "native" and native.library() is None:
        pytest.skip("no compiler here: the native kernels cannot be built")
    module, x = SmallNetwork(5), torch.zeros(1, 3, SIDE, SIDE)
    return traced_network(module, x).executor(request.param, 1)


@pytest.fixture
def threads():
    """Set the number of threads; restore it afterwards."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def photos(count=PHOTOS):
    return torch.rand(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(2))


def forward_passes(seed, count=COUNT):
    rng = np.random.default_rng(seed)
    start = rng.integers(-4, SIDE - 3, size=(count, 2))
    boxes = np.clip(np.concatenate([start, start + rng.integers(1, 16, size=(count, 2))], axis=1), 0, SIDE)
    return Occlusions(boxes, rng.normal(size=(3, 1, 1)))


def run_all(executor, x, occlusions):
    return executor.predict(x, occlusions, lambda prediction: prediction)


def drops(executor, x, occlusions):
    """Return the drops of one photo."""
    clean, occluded = run_all(executor, x[None], [occlusions])
    return drops_of(occluded, clean)


def one_photo(executor):
    x, occlusions = photos()[0], forward_passes(0)
    expected = drops(executor, x, occlusions)
    assert np.abs(expected).max() > 100 * GATE
    return x, occlusions, expected


@pytest.mark.parametrize("seed", range(3))
def test_permuted_probes_give_permuted_drops(executor, seed):
    x, occlusions, expected = one_photo(executor)
    order = np.random.default_rng(seed).permutation(COUNT)
    np.testing.assert_allclose(drops(executor, x, occlusions[order]), expected[order], rtol=0, atol=GATE)


@pytest.mark.parametrize("chunk", [1, 7, 64, 1000])
def test_chunk_size_changes_nothing(executor, chunk):
    x, occlusions, expected = one_photo(executor)
    np.testing.assert_allclose(
        drops(replace(executor, chunk=chunk), x, occlusions), expected, rtol=0, atol=GATE
    )


@pytest.mark.parametrize("count", [1, 2, 3])
def test_threads_change_nothing(executor, threads, count):
    x, occlusions, expected = one_photo(executor)
    threads(count)
    np.testing.assert_allclose(drops(executor, x, occlusions), expected, rtol=0, atol=GATE)


@pytest.mark.parametrize("chunk", [5, 64])
def test_photos_in_one_batch_give_the_outputs_of_each_alone(executor, chunk):
    x, occlusions = photos(), [forward_passes(seed, count) for seed, count in ((0, 40), (1, 1), (2, 29))]
    clean, occluded = run_all(replace(executor, chunk=chunk), x, occlusions)
    start = 0
    for place, each in enumerate(occlusions):
        found = drops_of(occluded[start : start + len(each)], clean[place : place + 1])
        np.testing.assert_allclose(found, drops(executor, x[place], each), rtol=0, atol=GATE)
        start += len(each)
    assert start == len(occluded)


def test_a_photo_without_occlusions_between_others(executor):
    x, occlusions = photos(), [forward_passes(0, 9), forward_passes(1, 0), forward_passes(2, 9)]
    clean, occluded = run_all(executor, x, occlusions)
    assert clean.shape == (3, 5)
    expected = torch.cat([run_all(executor, x[i : i + 1], [occlusions[i]])[1] for i in (0, 2)])
    torch.testing.assert_close(occluded, expected, rtol=0, atol=GATE)


def test_one_pass_returns_every_output(executor):
    x, occlusions, _ = one_photo(executor)
    clean, occluded = run_all(executor, x[None], [occlusions])
    module = SmallNetwork(5)
    with torch.no_grad():
        dense = module(torch.as_tensor(occlusions.hide(x)))
    for target in range(5):
        found, expected = (drops_of(values, clean, target) for values in (occluded, dense))
        assert np.abs(expected).max() > 20 * GATE
        np.testing.assert_allclose(found, expected, rtol=0, atol=GATE)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31 - 1), chunk=st.sampled_from([1, 4, 9]))
def test_no_order_and_no_chunk_matters_to_a_random_network(seed, chunk):
    size = (17, 14)
    network, rng = random_network(seed), np.random.default_rng(seed)
    x = torch.tensor(rng.normal(size=(1, 3, *size)))
    occlusions = Occlusions(random_boxes(rng, size), rng.normal(size=(3, 1, 1)))
    whole = traced_network(network, x).executor("incremental", 1)
    expected, order = run_all(whole, x, [occlusions])[1], rng.permutation(len(occlusions))
    found = run_all(replace(whole, chunk=chunk), x, [occlusions[order]])[1]
    assert float((found - expected[order]).abs().max()) <= 1e-11 * (float(expected.abs().max()) + 1)
