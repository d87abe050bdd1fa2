"""Interim looks: at fixed numbers of people, in an order that only the seed decides."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canonface.sampling import look_confidence_level, looks_at, order_key, positions_of, taking_order

NAMES = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=40)


def test_looks_grow_by_half():
    assert looks_at(10) == (10,)
    assert looks_at(32) == (32,)
    assert looks_at(100) == (32, 48, 72, 100)
    assert looks_at(10**6)[-1] == 10**6
    assert len(looks_at(10**6)) < 30


def test_every_look_spends_its_share_of_the_error():
    assert look_confidence_level(0.95, 0) == 0.95
    assert np.isclose(look_confidence_level(0.95, 4), 0.99)
    assert np.isclose(look_confidence_level(0.95, 0, extra=1), 0.975)


@pytest.mark.parametrize("looks", [0, 1, 7])
def test_all_looks_together_spend_the_whole_error_however_often_a_budget_is_raised(looks):
    planned = looks * (1 - look_confidence_level(0.95, looks))
    raised = [1 - look_confidence_level(0.95, looks, extra) for extra in range(1, 40)]
    assert np.isclose(planned + sum(raised), 0.05)
    assert all(later < sooner for sooner, later in pairwise(raised))


@settings(deadline=None)
@given(NAMES, st.integers(0, 99))
def test_photos_of_a_person_stay_together_and_occur_once(names, seed):
    order = taking_order(dict(enumerate(names)), seed)
    assert sorted(order) == list(range(len(names)))
    taken = [names[i] for i in order]
    assert sum(a != b for a, b in pairwise(taken)) == len(set(names)) - 1


@settings(deadline=None)
@given(NAMES, st.data(), st.integers(0, 99))
def test_the_order_of_a_part_is_that_of_the_whole(names, data, seed):
    kept = data.draw(st.sets(st.sampled_from(sorted(set(names))), min_size=1))
    some = [name for name in names if name in kept]
    whole = [names[i] for i in taking_order(dict(enumerate(names)), seed)]
    taken = [some[i] for i in taking_order(dict(enumerate(some)), seed)]
    assert taken == [name for name in whole if name in kept]


def test_another_seed_gives_another_order_unrelated_to_the_names():
    names = [f"{i:03d}" for i in range(200)]
    one, two = (np.array(taking_order(dict(enumerate(names)), seed)) for seed in (1, 2))
    assert (one != two).mean() > 0.9
    assert abs(np.corrcoef(one, np.arange(200))[0, 1]) < 0.25
    assert order_key("a", 1) != order_key("a", 2)


def test_looks_are_at_the_end_of_a_person():
    people = ["x", "x", "y", "z", "z", "z"]
    assert positions_of(people, (1, 2)) == {2: 1, 3: 2}
    assert positions_of(people, (3,)) == {6: 3}
