"""State of a run that may stop early: the order of its photos, its interim looks, its budget."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from canonface._deprecated import deprecated_attribute, renamed_parameters
from canonface.errors import OptionError, RunError
from canonface.files import atomic_write
from canonface.sampling import look_confidence_level, taking_order

STATE_FILE = "reached.json"
CONFIDENCE_LEVEL = 0.95
"""Of the bands at all looks together."""


@dataclass(frozen=True)
class Order:
    """Random order of the photos; part of a run's configuration.

    Attributes:
        seed: seed of the order.
        clusters: number of people (or photos) in the list.
        looks: largest number of planned interim looks; 0: one look when the run ends.
    """

    seed: int
    clusters: int
    looks: int

    level = deprecated_attribute("confidence_level", level="overall")

    def sorted(self, named: Mapping[int, str]) -> list[int]:
        """Return the numbers of the photos, given with their clusters, in this order."""
        return taking_order(named, self.seed)

    def confidence_level(self, look: InterimLook, overall: float = CONFIDENCE_LEVEL) -> float:
        """Return the confidence level of the band at one look, for which all looks together hold at ``overall``."""
        return look_confidence_level(overall, self.looks, look.extra)


@renamed_parameters(questions="forward_passes")
@dataclass(frozen=True)
class InterimLook:
    """Estimate of a run at one interim look.

    Attributes:
        photos: photos taken so far.
        clusters: people (or photos) behind the map.
        faces: faces explained so far.
        forward_passes: images that the model was shown.
        half_width: largest half-width of the simultaneous band; None where it is unknown.
        effective: effective number of clusters that carry the map; with too few, no precision counts as reached.
        extra: 0 for a planned look; else the number of this unplanned look, counted from 1.
    """

    photos: int
    clusters: int = 0
    faces: int = 0
    forward_passes: int = 0
    half_width: float | None = None
    effective: float = 0.0
    extra: int = 0

    questions = deprecated_attribute("forward_passes")


@renamed_parameters(max_questions="max_forward_passes", level="confidence_level")
@dataclass(frozen=True)
class StoppingState:
    """State of a run that may stop early; the file ``reached.json`` in its folder.

    Attributes:
        precision: wanted half-width of the band, in the unit of the drop.
        precision_of: ``map`` or ``regions``.
        max_forward_passes: budget of images that the model is shown.
        confidence_level: confidence level of the bands at all looks together.
        stopped: ``precision``, ``max-forward-passes``, ``all-photos``, or empty while the run continues.
        looks: interim looks, in order.
        unplanned: photos taken at each unplanned look, in order, those of earlier starts with smaller budgets
            included, since each look widens the band.
    """

    precision: float | None = None
    precision_of: str = "map"
    max_forward_passes: int | None = None
    confidence_level: float = CONFIDENCE_LEVEL
    stopped: str = ""
    looks: tuple[InterimLook, ...] = ()
    unplanned: tuple[int, ...] = ()

    max_questions = deprecated_attribute("max_forward_passes")
    level = deprecated_attribute("confidence_level")

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
        try:
            atomic_write(folder / STATE_FILE, json.dumps(content, indent=2) + "\n")
        except OSError as error:
            raise RunError(f"A run writes its stopping state to {folder}, and cannot: {error}.") from error


_NAMES = {
    "max_questions": "max_forward_passes",
    "questions": "forward_passes",
    "level": "confidence_level",
}
"""Key in the file, as version 0.1.0 spelled it -> field."""
_STOPS = {"max-questions": "max-forward-passes"}


def _renamed(content: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in content.items()}


@renamed_parameters(max_questions="max_forward_passes")
def check_stopping(precision: float | None, precision_of: str, max_forward_passes: int | None) -> None:
    """Raise OptionError if a value of the early stop cannot be used."""
    if precision is not None and not 0 < precision < float("inf"):
        raise OptionError(
            f"A precision is a half-width above 0, in the unit of the drop; got {precision!r}: 0.05 is five "
            "percentage points of a probability."
        )
    if precision is None and precision_of != "map":
        raise OptionError(
            f"precision_of names the band that a precision is for; got precision_of={precision_of!r} without one: "
            "give both, or neither."
        )
    if precision_of not in ("map", "regions"):
        raise OptionError(f"A precision is of the 'map' or of its 'regions'; got {precision_of!r}.")
    whole = isinstance(max_forward_passes, int) and not isinstance(max_forward_passes, bool)
    if max_forward_passes is not None and not (whole and max_forward_passes >= 1):
        raise OptionError(
            f"A budget of forward passes is a whole number, at least 1; got {max_forward_passes!r}."
        )
