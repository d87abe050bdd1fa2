"""A run that stops when it is precise: in which order it takes photos, when it is looked at, what it reached."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from canonface._deprecated import renamed_names
from canonface.errors import OptionError, RunError
from canonface.sampling import look_confidence_level, taking_order

STATE_FILE = "reached.json"
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

    def level(self, look: InterimLook, level: float = LEVEL) -> float:
        """Level of the band at a look, so that those of all looks hold together with another level."""
        return look_confidence_level(level, self.looks, look.extra)


@dataclass(frozen=True)
class InterimLook:
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
class StoppingState:
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
    looks: tuple[InterimLook, ...] = ()
    unplanned: tuple[int, ...] = ()

    @classmethod
    def read(cls, folder: Path) -> StoppingState | None:
        """Return the state in a run's folder; None if no look was taken.

        Raises:
            RunError: the file cannot be read.
        """
        path = folder / STATE_FILE
        try:
            content: dict[str, Any] = _renamed(json.loads(path.read_text(encoding="utf-8")), _NAMES)
            looks = tuple(InterimLook(**_renamed(look, _NAMES)) for look in content.pop("looks"))
            content["stopped"] = _STOPS.get(content["stopped"], content["stopped"])
            return cls(**content | {"looks": looks, "unplanned": tuple(content["unplanned"])})
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise RunError(
                f"{path} holds the state of a run that may stop early, and cannot be read ({error}). Delete it and "
                "start the run again: it is computed again from the rows."
            ) from error

    def write(self, folder: Path) -> None:
        """Write the state into a run's folder, whole or not at all."""
        stored = {new: old for old, new in _NAMES.items()}
        content = _renamed(asdict(self), stored)
        content["looks"] = [_renamed(look, stored) for look in content["looks"]]
        content["stopped"] = {new: old for old, new in _STOPS.items()}.get(self.stopped, self.stopped)
        temporary = folder / f".{STATE_FILE}.tmp"
        try:
            temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
            temporary.replace(folder / STATE_FILE)
        except OSError as error:
            raise RunError(f"A run writes its stopping state to {folder}, and cannot: {error}.") from error


_NAMES = {"max_questions": "max_forward_passes", "questions": "forward_passes"}
"""Key in the file, as version 0.1.0 spelled it -> field."""
_STOPS = {"max-questions": "max-forward-passes"}


def _renamed(content: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in content.items()}


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


__getattr__ = renamed_names(__name__)
