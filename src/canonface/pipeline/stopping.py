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
    """Return the order of photos of these clusters; without a precision it has one look, at the end of the run."""
    count = len(set(named.values()))
    return Order(seed, count, len(looks_at(count)) if precision is not None else 0)


@dataclass
class StoppingRule:
    """Rule that estimates the map of a growing run at interim looks, and decides whether the run stops.

    A look depends only on the rows of the photos up to it: an interrupted run, or one whose rows were made elsewhere,
    stops at the same photo.

    Attributes:
        order: order of the photos.
        ordered: cluster of each photo, in that order.
        estimate: number of photos and confidence level of the band -> map of the first photos, read from disk; None
            if none was explained.
        folder: folder of the run.
        state: state so far.
    """

    order: Order
    ordered: Sequence[str]
    estimate: Callable[[int, float], MapEstimate | None]
    folder: Path
    state: StoppingState
    _planned: Mapping[int, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        looks = looks_at(self.order.clusters) if self.order.looks else ()
        self._planned = positions_of(self.ordered, looks)

    def due(self, photos: int, forward_passes: int, known: bool) -> bool:
        """Return whether a look is due.

        Args:
            photos: photos taken so far.
            forward_passes: images that the model was shown for them.
            known: whether the next photo was explained in an earlier start, at no further cost.
        """
        return photos in self._planned or (self._spent(forward_passes) and not known)

    def look(self, photos: int, forward_passes: int) -> bool:
        """Estimate the map, write the state, and return whether the run stops."""
        unplanned = self.state.unplanned
        if photos not in self._planned and photos not in unplanned:
            unplanned = (*unplanned, photos)
        extra = 0 if photos in self._planned else 1 + unplanned.index(photos)
        seen = InterimLook(photos, forward_passes=forward_passes, extra=extra)
        precise = False
        if (estimate := self.estimate(photos, self.order.confidence_level(seen))) is not None:
            band = estimate.map if self.state.precision_of == "map" else estimate.regions
            seen = replace(
                seen,
                clusters=estimate.clusters,
                faces=estimate.faces,
                half_width=band.widest if band.widest < float("inf") else None,
                effective=round(band.effective, 2),
            )
            wanted = self.state.precision
            precise = wanted is not None and band.trusted and band.widest <= wanted
        stopped = ""
        if precise:
            stopped = "precision"
        elif self._spent(forward_passes):
            stopped = "max-forward-passes"
        elif photos == len(self.ordered):
            stopped = "all-photos"
        earlier = (look for look in self.state.looks if look.photos < photos)
        self.state = replace(self.state, stopped=stopped, looks=(*earlier, seen), unplanned=unplanned)
        self.state.write(self.folder)
        return bool(stopped)

    def _spent(self, forward_passes: int) -> bool:
        return self.state.max_forward_passes is not None and forward_passes >= self.state.max_forward_passes


def stopping_rule(
    folder: Path,
    manifest: Manifest,
    order: Order,
    people: Mapping[int, str],
    wanted: StoppingState,
) -> StoppingRule:
    """Return the stopping rule of the run in a folder.

    Args:
        folder: folder of the run.
        manifest: manifest of the run.
        order: order of the photos.
        people: cluster of each photo, by its number.
        wanted: precision and budget.
    """
    numbers = order.sorted(people)

    def estimate(photos: int, confidence_level: float) -> MapEstimate | None:
        run = Run(folder, manifest)
        chosen = rows_of_photos(run, numbers[:photos])
        return (
            estimate_rows(run, chosen, cluster_of(run), "people", confidence_level) if chosen.any() else None
        )

    if (earlier := StoppingState.read(folder)) is not None:
        wanted = replace(wanted, unplanned=earlier.unplanned)
    return StoppingRule(order, [people[number] for number in numbers], estimate, folder, wanted)
