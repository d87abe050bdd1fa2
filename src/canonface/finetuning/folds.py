"""Folds of a data set that share no person."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from canonface.errors import OptionError


def identity_folds(
    people: Sequence[str], classes: Int[np.ndarray, "n"], folds: int, seed: int = 0
) -> Int[np.ndarray, "n"]:
    """Return the fold of each photo: all photos of a person are in one, with classes spread as evenly as possible.

    People are assigned in random order, those with many photos first; each goes to the fold in which their classes
    are rarest.

    >>> identity_folds(["ann", "ann", "bob", "cat"], np.array([0, 1, 0, 1]), 2).tolist()
    [0, 0, 1, 1]

    Args:
        people: name of the person on each photo.
        classes: number of the class of each photo.
        folds: number of folds, 2 or more.
        seed: seed of the order.

    Raises:
        OptionError: there are fewer people than folds.
    """
    names = sorted(set(people))
    if not 2 <= folds <= len(names):
        raise OptionError(
            f"Photos of one person stay together, so there are at most as many folds as people, and 2 at least; got "
            f"folds={folds} for {len(names)} people."
        )
    number = {name: i for i, name in enumerate(names)}
    counts = np.zeros((len(names), int(classes.max()) + 1))
    np.add.at(counts, (np.array([number[name] for name in people]), classes), 1)
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    share = counts / np.maximum(counts.sum(axis=0), 1)
    filled = np.zeros((folds, counts.shape[1]))
    sizes = np.zeros(folds)
    fold_of = np.zeros(len(names), dtype=np.int64)
    for person in order:
        # Ties go to the fold with the fewest photos, then to the first.
        need = filled @ (counts[person] > 0)
        chosen = int(np.lexsort((sizes, np.round(need, 9)))[0])
        fold_of[person] = chosen
        filled[chosen] += share[person]
        sizes[chosen] += counts[person].sum()
    return fold_of[[number[name] for name in people]]
