"""Rule that stops a run once it is precise enough or has spent its budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from canonface.run.estimate import cluster_of, estimate_rows, rows_of_photos
from canonface.run.manifest import Manifest
from canonface.run.run import Run
from canonface.run.stopping import InterimLook, Order, StoppingState
from canonface.sampling import MapEstimate, looks_at, positions_of


def make_order(named: Mapping[int, str], seed: int, precision: float | None) -> Order:
    """The order for photos of these clusters; without a precision the run is looked at when it ends."""
    count = len(set(named.values()))
    return Order(seed, count, len(looks_at(count)) if precision is not None else 0)


@dataclass
class StoppingRule:
    """Looks at a run while it is written, and says when it is enough.

    What a look sees is a function of the rows of the photos up to it and of nothing else: an interrupted run, or one
    whose rows were made elsewhere, decides alike.

    Attributes:
        order: of the photos.
        ordered: cluster of each photo, in that order.
        estimate: the map of the first so many photos, read from disk, with a band of such a level; None if none was
            explained.
        folder: of the run.
        reached: so far.
    """

    order: Order
    ordered: Sequence[str]
    estimate: Callable[[int, float], MapEstimate | None]
    folder: Path
    reached: StoppingState
    _planned: Mapping[int, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        looks = looks_at(self.order.clusters) if self.order.looks else ()
        self._planned = positions_of(self.ordered, looks)

    def due(self, photos: int, forward_passes: int, known: bool) -> bool:
        """Whether the run is to be looked at after so many photos.

        Args:
            photos: taken so far.
            forward_passes: images that the model was shown for them.
            known: the next photo was asked about in an earlier start: that spends nothing.
        """
        return photos in self._planned or (self._spent(forward_passes) and not known)

    def look(self, photos: int, forward_passes: int) -> bool:
        """Look, write down what was reached, and say whether it is enough."""
        unplanned = self.reached.unplanned
        if photos not in self._planned and photos not in unplanned:
            unplanned = (*unplanned, photos)
        extra = 0 if photos in self._planned else 1 + unplanned.index(photos)
        seen = InterimLook(photos, forward_passes=forward_passes, extra=extra)
        precise = False
        if (estimate := self.estimate(photos, self.order.level(seen))) is not None:
            band = estimate.map if self.reached.precision_of == "map" else estimate.regions
            seen = replace(
                seen,
                clusters=estimate.clusters,
                faces=estimate.faces,
                half_width=band.widest if band.widest < float("inf") else None,
                effective=round(band.effective, 2),
            )
            wanted = self.reached.precision
            precise = wanted is not None and band.trusted and band.widest <= wanted
        stopped = ""
        if precise:
            stopped = "precision"
        elif self._spent(forward_passes):
            stopped = "max-forward-passes"
        elif photos == len(self.ordered):
            stopped = "all-photos"
        earlier = (look for look in self.reached.looks if look.photos < photos)
        self.reached = replace(self.reached, stopped=stopped, looks=(*earlier, seen), unplanned=unplanned)
        self.reached.write(self.folder)
        return bool(stopped)

    def _spent(self, forward_passes: int) -> bool:
        return (
            self.reached.max_forward_passes is not None and forward_passes >= self.reached.max_forward_passes
        )


def stopping_rule(
    folder: Path,
    manifest: Manifest,
    order: Order,
    people: Mapping[int, str],
    reached: StoppingState,
) -> StoppingRule:
    """What looks at the run in a folder as its photos are taken.

    Args:
        folder: of the run.
        manifest: of the run.
        order: in which photos are taken.
        people: cluster of each photo, by its number.
        reached: what is asked for.
    """
    numbers = order.sorted(people)

    def estimate(photos: int, level: float) -> MapEstimate | None:
        run = Run(folder, manifest)
        chosen = rows_of_photos(run, numbers[:photos])
        return estimate_rows(run, chosen, cluster_of(run), "people", level) if chosen.any() else None

    if (earlier := StoppingState.read(folder)) is not None:
        reached = replace(reached, unplanned=earlier.unplanned)
    return StoppingRule(order, [people[number] for number in numbers], estimate, folder, reached)
