"""A run that stops when it is precise: in which order it takes photos, when it is looked at, what it reached."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from canonface.errors import OptionError, RunError
from canonface.sampling import MapEstimate, level_of_a_look, looks_at, positions_of, taking_order

REACHED_FILE = "reached.json"
LEVEL = 0.95
"""Of the bands at all looks together."""
PrecisionOf = Literal["map", "regions"]


@dataclass(frozen=True)
class Order:
    """The random order in which photos are taken; part of a run's configuration.

    Attributes:
        seed: of the order.
        clusters: number of people (or photos) in the list.
        looks: how often it is planned to look at the run, at most; 0: only where it ends.
    """

    seed: int
    clusters: int
    looks: int

    def sorted(self, named: Mapping[int, str]) -> list[int]:
        """Photos, given with their clusters, in the order in which they are taken."""
        return taking_order(named, self.seed)

    def level(self, look: Look, level: float = LEVEL) -> float:
        """Level of the band at a look, so that those of all looks hold together with another level."""
        return level_of_a_look(level, self.looks, look.extra)


@dataclass(frozen=True)
class Look:
    """What a look saw.

    Attributes:
        photos: taken so far.
        clusters: people (or photos) behind the map.
        faces: explained.
        forward_passes: images that the model was shown.
        half_width: of the simultaneous band, the largest; None where it is unknown.
        effective: clusters that carry the map; too few, and no precision counts as reached.
        extra: 0 for a look that was planned; else which one it is of the others, counted from 1.
    """

    photos: int
    clusters: int = 0
    faces: int = 0
    forward_passes: int = 0
    half_width: float | None = None
    effective: float = 0.0
    extra: int = 0


@dataclass(frozen=True)
class Reached:
    """What a run that may stop early has reached; the file ``reached.json`` of its folder.

    Attributes:
        precision: half-width that was asked for, in the unit of the drop.
        precision_of: ``map`` or ``regions``.
        max_forward_passes: budget.
        level: of the bands at all looks together.
        stopped: ``precision``, ``max-forward-passes``, ``all-photos``, or empty while it goes on.
        looks: in their order.
        unplanned: photos taken at each look that was not planned, in the order in which they happened; those of
            earlier starts with smaller budgets too, since each has its price.
    """

    precision: float | None = None
    precision_of: str = "map"
    max_forward_passes: int | None = None
    level: float = LEVEL
    stopped: str = ""
    looks: tuple[Look, ...] = ()
    unplanned: tuple[int, ...] = ()

    @classmethod
    def read(cls, folder: Path) -> Reached | None:
        """What stands in a run's folder; None if it never looked.

        Raises:
            RunError: the file cannot be read.
        """
        path = folder / REACHED_FILE
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            looks = tuple(Look(**look) for look in content.pop("looks"))
            return cls(**content | {"looks": looks, "unplanned": tuple(content["unplanned"])})
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise RunError(
                f"{path} says what a run reached, and cannot be read ({error}). Delete it and start the run again: "
                "it is made anew from the rows."
            ) from error

    def write(self, folder: Path) -> None:
        """Write it, whole or not at all."""
        temporary = folder / f".{REACHED_FILE}.tmp"
        try:
            temporary.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
            temporary.replace(folder / REACHED_FILE)
        except OSError as error:
            raise RunError(f"A run writes what it reached to {folder}, and cannot: {error}.") from error


def check_stopping(precision: float | None, precision_of: str, max_forward_passes: int | None) -> None:
    """Refuse what cannot be reached.

    Raises:
        OptionError: a value cannot be used.
    """
    if precision is not None and not 0 < precision < float("inf"):
        raise OptionError(
            f"A precision is a half-width above 0, in the unit of the drop; got {precision!r}: 0.05 are five points "
            "of a hundred of a probability."
        )
    if precision is None and precision_of != "map":
        raise OptionError(
            f"precision_of says what a precision is asked of; got precision_of={precision_of!r} and no precision: "
            "give both, or neither."
        )
    if precision_of not in ("map", "regions"):
        raise OptionError(f"A precision is of the 'map' or of its 'regions'; got {precision_of!r}.")
    whole = isinstance(max_forward_passes, int) and not isinstance(max_forward_passes, bool)
    if max_forward_passes is not None and not (whole and max_forward_passes >= 1):
        raise OptionError(f"A budget of questions is a whole number, at least 1; got {max_forward_passes!r}.")


def make_order(named: Mapping[int, str], seed: int, precision: float | None) -> Order:
    """The order for photos of these clusters; without a precision the run is looked at when it ends."""
    count = len(set(named.values()))
    return Order(seed, count, len(looks_at(count)) if precision is not None else 0)


@dataclass
class Until:
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
    reached: Reached
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
        seen = Look(photos, forward_passes=forward_passes, extra=extra)
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
