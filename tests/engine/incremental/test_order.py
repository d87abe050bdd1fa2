"""The order of questions, how many go together, how many photos there are and how many threads: nothing changes."""

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
from canonface.engine.incremental.network import network_of
from canonface.occlusions import Occlusions

PHOTOS = 3
COUNT = 70


@pytest.fixture(scope="module", params=["incremental", "native"])
def session(request):
    if request.param == "native" and native.library() is None:
        pytest.skip("no compiler here: the native kernels cannot be built")
    module, x = SmallNetwork(5), torch.zeros(1, 3, SIDE, SIDE)
    return network_of(module, x).session(request.param, 1)


@pytest.fixture
def threads():
    """Sets the number of threads; afterwards it is what it was."""
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


def ask(session, x, occlusions):
    return session.predict(x, occlusions, lambda prediction: prediction)


def drops(session, x, occlusions):
    """Of one photo."""
    original, hidden = ask(session, x[None], [occlusions])
    return drops_of(hidden, original)


def one_photo(session):
    x, occlusions = photos()[0], forward_passes(0)
    expected = drops(session, x, occlusions)
    assert np.abs(expected).max() > 100 * GATE
    return x, occlusions, expected


@pytest.mark.parametrize("seed", range(3))
def test_permuted_probes_give_permuted_drops(session, seed):
    x, occlusions, expected = one_photo(session)
    order = np.random.default_rng(seed).permutation(COUNT)
    np.testing.assert_allclose(drops(session, x, occlusions[order]), expected[order], rtol=0, atol=GATE)


@pytest.mark.parametrize("chunk", [1, 7, 64, 1000])
def test_how_many_go_together_changes_nothing(session, chunk):
    x, occlusions, expected = one_photo(session)
    np.testing.assert_allclose(
        drops(replace(session, chunk=chunk), x, occlusions), expected, rtol=0, atol=GATE
    )


@pytest.mark.parametrize("count", [1, 2, 3])
def test_threads_change_nothing(session, threads, count):
    x, occlusions, expected = one_photo(session)
    threads(count)
    np.testing.assert_allclose(drops(session, x, occlusions), expected, rtol=0, atol=GATE)


@pytest.mark.parametrize("chunk", [5, 64])
def test_several_photos_in_one_batch_answer_as_each_alone(session, chunk):
    x, occlusions = photos(), [forward_passes(seed, count) for seed, count in ((0, 40), (1, 1), (2, 29))]
    original, hidden = ask(replace(session, chunk=chunk), x, occlusions)
    start = 0
    for place, each in enumerate(occlusions):
        found = drops_of(hidden[start : start + len(each)], original[place : place + 1])
        np.testing.assert_allclose(found, drops(session, x[place], each), rtol=0, atol=GATE)
        start += len(each)
    assert start == len(hidden)


def test_a_photo_without_questions_between_others(session):
    x, occlusions = photos(), [forward_passes(0, 9), forward_passes(1, 0), forward_passes(2, 9)]
    original, hidden = ask(session, x, occlusions)
    assert original.shape == (3, 5)
    expected = torch.cat([ask(session, x[i : i + 1], [occlusions[i]])[1] for i in (0, 2)])
    torch.testing.assert_close(hidden, expected, rtol=0, atol=GATE)


def test_every_output_is_there_from_one_pass(session):
    x, occlusions, _ = one_photo(session)
    original, hidden = ask(session, x[None], [occlusions])
    module = SmallNetwork(5)
    with torch.no_grad():
        dense = module(torch.as_tensor(occlusions.hide(x)))
    for target in range(5):
        found, expected = (drops_of(values, original, target) for values in (hidden, dense))
        assert np.abs(expected).max() > 20 * GATE
        np.testing.assert_allclose(found, expected, rtol=0, atol=GATE)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31 - 1), chunk=st.sampled_from([1, 4, 9]))
def test_no_order_and_no_chunk_matters_to_a_random_network(seed, chunk):
    size = (17, 14)
    network, rng = random_network(seed), np.random.default_rng(seed)
    x = torch.tensor(rng.normal(size=(1, 3, *size)))
    occlusions = Occlusions(random_boxes(rng, size), rng.normal(size=(3, 1, 1)))
    whole = network_of(network, x).session("incremental", 1)
    expected, order = ask(whole, x, [occlusions])[1], rng.permutation(len(occlusions))
    found = ask(replace(whole, chunk=chunk), x, [occlusions[order]])[1]
    assert float((found - expected[order]).abs().max()) <= 1e-11 * (float(expected.abs().max()) + 1)
