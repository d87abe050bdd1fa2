"""Sampling and engine of a call, and the keywords that `audit`, `verify` and `explain` gather into them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from canonface._deprecated import warn_renamed
from canonface.engine import check_engine
from canonface.errors import OptionError, near_names
from canonface.explanation.settings import PRESETS, Settings, make_settings

PrecisionOf = Literal["map", "regions"]
RENAMED_OPTIONS = {"max_questions": "max_forward_passes", "level": "subdivision"}
"""Keyword of version 0.1.0 -> keyword now."""


@dataclass(frozen=True)
class Sampling:
    """The probes that are evaluated on each face, and the point at which a run stops early.

    Attributes:
        design: ``full`` (the default), ``random``, ``stratified`` or ``low-discrepancy``
            (`canonface.sampling.Design`); for one face ``full`` or ``adaptive``.
        share: share of the probes that are evaluated on each face; given alone, the design is ``low-discrepancy``.
        precision: stop as soon as the 95% band of the map is nowhere wider than this on either side, in the unit of
            the drop. A run then takes its photos in random order and estimates the map after 32, 48, 72, ... people.
            For one face: the root mean square error of the interpolated drops at which ``adaptive`` stops.
        precision_of: ``map`` or ``regions``: the band that ``precision`` applies to.
        max_forward_passes: stop with the photo at which the model has been shown this many images.
        cluster: column of the labels that names the person. Photos of one person are taken together, and the band
            accounts for their similarity. None: the column ``identity`` if there is one; else each photo is a
            cluster of its own.
        seed: seed of the design and of the order of photos.
    """

    design: str | None = None
    share: float | None = None
    precision: float | None = None
    precision_of: PrecisionOf = "map"
    max_forward_passes: int | None = None
    cluster: str | None = None
    seed: int = 0

    @property
    def stops_early(self) -> bool:
        """Whether a run may stop before its last photo."""
        return self.precision is not None or self.max_forward_passes is not None


@dataclass(frozen=True)
class Engine:
    """The engine that runs the model on occluded inputs.

    Attributes:
        name: one of `canonface.engine.ENGINES`; the exact ones agree to float tolerance.
        batch: number of occluded copies in one forward pass, where whole copies are shown.
    """

    name: str = "auto"
    batch: int = 64

    def __post_init__(self) -> None:
        check_engine(self.name)
        whole = isinstance(self.batch, int) and not isinstance(self.batch, bool)
        if not (whole and self.batch >= 1):
            raise OptionError(f"A batch is a whole number, at least 1; got {self.batch!r}.")


@dataclass(frozen=True)
class Choices:
    """Everything that a call was given, in its parts.

    Attributes:
        settings: the choices that define a map.
        sampling: the probes of each face.
        engine: what runs the model.
        paper: whether the preset is ``paper``.
        own: the call's own keywords, with their defaults where they were not given.
    """

    settings: Settings
    sampling: Sampling
    engine: Engine
    paper: bool
    own: Mapping[str, Any]


def gather(
    options: Mapping[str, Any],
    *,
    settings: Settings | None = None,
    sampling: Sampling | None = None,
    engine: str | Engine = "auto",
    own: Mapping[str, Any] | None = None,
    sampled: tuple[str, ...] = (),
) -> Choices:
    """Return the parts of a call from its objects and its keywords.

    A keyword replaces the field of the object; a setting that is None keeps the preset's value.

    Args:
        options: keywords: fields of `Settings`, ``preset``, ``batch``, and those named below.
        settings: an object instead of keywords; keywords replace its fields.
        sampling: likewise.
        engine: likewise, or its name.
        own: the call's own keywords -> their defaults.
        sampled: fields of `Sampling` that the call takes as keywords.

    Raises:
        OptionError: a keyword is unknown, a value cannot be used, or a preset is given together with settings.
    """
    given = _with_new_names(options, {*(own or {}), *sampled})
    kept = {name: given.pop(name, default) for name, default in (own or {}).items()}
    batch = given.pop("batch", None)
    chosen = {name: given.pop(name) for name in sampled if name in given}
    preset = given.pop("preset", None)
    known = [field.name for field in fields(Settings)]
    for name in given:
        if name not in known:
            everything = ["preset", "batch", "settings", "engine", *known, *(own or {}), *sampled]
            raise OptionError(f"An option has a known name; got {name!r}: {near_names(name, everything)}")
    if settings is not None and preset is not None:
        raise OptionError(
            f"A preset is the start of settings; got preset={preset!r} and settings=...: leave one out."
        )
    made = make_settings(preset or "default", settings, **given)
    runner = engine if isinstance(engine, Engine) else Engine(engine)
    if batch is not None:
        runner = replace(runner, batch=batch)
    return Choices(made, replace(sampling or Sampling(), **chosen), runner, preset == "paper", kept)


def _with_new_names(options: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    given = dict(options)
    for old, new in RENAMED_OPTIONS.items():
        if old in given and new in known:
            if new in given:
                raise OptionError(f"{old} is the old name of {new}; got both: leave {old} out.")
            warn_renamed(f"{old}=...", f"{new}=...")
            given[new] = given.pop(old)
    return given


__all__ = ["PRESETS", "Choices", "Engine", "PrecisionOf", "Sampling", "gather"]
