"""Folds: nobody is in two, and the classes are spread evenly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canonface.errors import OptionError
from canonface.finetuning import identity_folds


@given(
    data=st.data(),
    names=st.lists(st.integers(0, 12), min_size=3, max_size=60),
    folds=st.integers(2, 5),
    seed=st.integers(0, 5),
)
def test_no_person_is_in_two_folds(data, names, folds, seed):
    people = [f"p{name}" for name in names]
    classes = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(names), max_size=len(names))))
    if len(set(people)) < folds:
        with pytest.raises(OptionError, match="at most as many folds as people"):
            identity_folds(people, classes, folds, seed)
        return
    parts = identity_folds(people, classes, folds, seed)
    assert set(parts.tolist()) <= set(range(folds))
    for person in set(people):
        assert len({int(part) for part, name in zip(parts, people, strict=True) if name == person}) == 1
    np.testing.assert_array_equal(parts, identity_folds(people, classes, folds, seed))


@given(counts=st.lists(st.integers(5, 40), min_size=2, max_size=5), seed=st.integers(0, 5))
def test_photos_of_one_person_each_are_spread_to_within_one_of_each_class(counts, seed):
    classes = np.repeat(np.arange(len(counts)), counts)
    parts = identity_folds([str(i) for i in range(len(classes))], classes, 5, seed)
    for number, count in enumerate(counts):
        found = np.bincount(parts[classes == number], minlength=5)
        assert found.sum() == count
        assert found.max() - found.min() <= 1


def test_another_seed_gives_other_folds():
    people, classes = [str(i) for i in range(40)], np.arange(40) % 2
    assert (identity_folds(people, classes, 4, 0) != identity_folds(people, classes, 4, 1)).any()


def test_equal_people_give_equal_folds():
    people = [f"p{i // 7}" for i in range(70)]
    parts = identity_folds(people, np.arange(70) % 7, 5)
    assert np.bincount(parts).tolist() == [14] * 5
