"""Sampling designs: the choice of probes for each face, independent of all other faces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int

from canonface._deprecated import deprecated_attribute
from canonface.errors import OptionError, near_names

Sampler: TypeAlias = Callable[[int, int], np.ndarray]
"""Number of a photo, and of a face in it -> ascending indices of the chosen probes."""
USUAL_SHARE = 0.1
"""Share of a design that is given without one."""
_GOLDEN = (np.sqrt(5) - 1) / 2
_SILVER = np.sqrt(2) - 1
_FEWEST = 2
"""Probes of a face, at least: their disagreement is the only measure of a face's own error."""


def _random(places: Float[np.ndarray, "p 3"], count: int, seed: int) -> Sampler:
    def chosen(photo: int, face: int) -> np.ndarray:
        return np.sort(_generator(seed, photo, face).choice(len(places), count, replace=False))

    return chosen


def _stratified(places: Float[np.ndarray, "p 3"], count: int, seed: int) -> Sampler:
    strata = strata_of(places, count)

    def chosen(photo: int, face: int) -> np.ndarray:
        at = _generator(seed, photo, face).random(count)
        return _at(strata, at)

    return chosen


def _low_discrepancy(places: Float[np.ndarray, "p 3"], count: int, seed: int) -> Sampler:
    strata = strata_of(places, count)
    starts = _generator(seed).random(count)

    def chosen(photo: int, face: int) -> np.ndarray:
        return _at(strata, (starts + photo * _GOLDEN + face * _SILVER) % 1.0)

    return chosen


def strata_of(places: Float[np.ndarray, "p 3"], count: int) -> list[Int[np.ndarray, "_"]]:
    """Cut points into compact groups by recursive halving across their longest side.

    This is the bisection of a k-d tree (J. L. Bentley, CACM 18(9), 1975). For an odd number of groups the halves hold
    points in the ratio of their groups. The result is deterministic.

    Args:
        places: ``(P, 3)`` places of the probes.
        count: number of groups, from 1 to P.

    Returns:
        ``count`` arrays of indices, each point in one; their lengths differ by at most one or two.

    Raises:
        OptionError: there are fewer points than groups.
    """
    if not 1 <= count <= len(places):
        raise OptionError(
            f"Probes are cut into 1 to {len(places)} strata, as many as there are; got {count}."
        )
    return _halved(places, np.arange(len(places)), count)


def _halved(places: np.ndarray, members: np.ndarray, count: int) -> list[Int[np.ndarray, "_"]]:
    if count == 1:
        return [members]
    sides = np.ptp(places[members], axis=0)
    order = members[np.argsort(places[members, int(sides.argmax())], kind="stable")]
    first = count // 2
    cut = min(max(round(len(order) * first / count), first), len(order) - (count - first))
    return _halved(places, order[:cut], first) + _halved(places, order[cut:], count - first)


def _generator(*key: int) -> np.random.Generator:
    return np.random.default_rng(list(key))


def _at(strata: list[Int[np.ndarray, "_"]], at: Float[np.ndarray, "k"]) -> np.ndarray:
    """Return the member of each stratum at a position from 0 to 1."""
    return np.sort([members[int(place * len(members))] for members, place in zip(strata, at, strict=True)])


DESIGNS: dict[str, Callable[[Float[np.ndarray, "p 3"], int, int], Sampler]] = {
    "random": _random,
    "stratified": _stratified,
    "low-discrepancy": _low_discrepancy,
}
"""Name -> sampler; ``full``, which probes everything, is not among them."""


@dataclass(frozen=True)
class Design:
    """Share of the probes for each face, and the rule that chooses them.

    A face's probes depend only on the design, the number of its photo and the number of the face in it: runs can be
    resumed, split and merged.

    - ``full``: every probe of every face.
    - ``random``: a simple random sample of each face's probes, without replacement.
    - ``stratified``: the probes are cut into compact strata, as many as a face has probes, and one probe of each
      stratum is drawn (W. G. Cochran, "Sampling Techniques", 1977, chapter 5): no face misses a place.
    - ``low-discrepancy``: also one probe per stratum, but successive faces step through the stratum by the golden
      ratio, from a random start (a Kronecker sequence under a Cranley-Patterson rotation: R. Cranley, T. Patterson,
      SIAM J. Numer. Anal. 13(6), 1976). Over faces, all probes are chosen equally often, and neighbouring faces have
      different probes.

    Attributes:
        name: name of the design.
        share: share of the probes for each face, above 0 and at most 1.
        seed: whole number, 0 or more; the same seed chooses the same probes.
    """

    name: str = "full"
    share: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.name == "adaptive":
            raise OptionError(
                "design='adaptive' chooses the probes of one face by its drops, which would bias the mean of many: "
                f"use it with explain; many faces take {', '.join(DESIGNS)}."
            )
        if self.name != "full" and self.name not in DESIGNS:
            known = ["full", *DESIGNS]
            raise OptionError(f"A design has a known name; got {self.name!r}: {near_names(self.name, known)}")
        if not 0 < self.share <= 1:
            raise OptionError(
                f"A share of probes is a number above 0 and at most 1; got {self.share!r}: 0.05 takes one of twenty."
            )
        if self.name == "full" and self.share != 1:
            raise OptionError(
                f"design='full' takes every probe; got share={self.share!r}: name another design, one of "
                f"{', '.join(DESIGNS)}."
            )
        whole = isinstance(self.seed, (int, np.integer)) and not isinstance(self.seed, bool)
        if not whole or self.seed < 0:
            raise OptionError(f"A seed is a whole number, 0 or more; got {self.seed!r}.")

    @property
    def is_full(self) -> bool:
        """True if every probe is chosen."""
        return self.name == "full" or self.share == 1

    def count(self, probes: int) -> int:
        """Return the number of probes for a face, out of this many: at least two."""
        return probes if self.is_full else max(min(_FEWEST, probes), round(self.share * probes))

    def sampler(self, places: Float[np.ndarray, "p 3"]) -> Sampler:
        """Return the sampler for probes at these places of the canonical mesh."""
        if self.is_full:
            everything = np.arange(len(places))
            return lambda _photo, _face: everything
        return DESIGNS[self.name](places, self.count(len(places)), self.seed)

    def probed(
        self, places: Float[np.ndarray, "p 3"], faces: list[tuple[int, int]]
    ) -> Bool[np.ndarray, "faces p"]:
        """Return the table of chosen probes; a face is given by the number of its photo and its own number in it."""
        sampler = self.sampler(places)
        table = np.zeros((len(faces), len(places)), dtype=bool)
        for row, (photo, face) in enumerate(faces):
            table[row, sampler(photo, face)] = True
        return table

    asked = deprecated_attribute("probed")

    def describe(self) -> dict[str, Any]:
        """Return the design as a manifest holds it."""
        return {"name": self.name, "share": self.share, "seed": self.seed}


def make_design(name: str | None = None, share: float | None = None, seed: int = 0) -> Design:
    """Return a design; a share without a name means ``low-discrepancy``, a name without a share means a share of 0.1.

    Raises:
        OptionError: there is no such design, or the share or the seed is invalid.
    """
    if name is None:
        name = "full" if share is None or share == 1 else "low-discrepancy"
    if share is None:
        share = 1.0 if name == "full" else USUAL_SHARE
    return Design(name, float(share), seed)
