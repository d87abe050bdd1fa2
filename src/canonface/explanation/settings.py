"""Settings: the choices that define a map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from canonface._deprecated import deprecated_attribute
from canonface.confidence import Confidence, OwnFunction, describe_confidence, make_confidence
from canonface.errors import OptionError, near_names
from canonface.functional import Unseen
from canonface.maps import CanonicalPatch
from canonface.methods import AttributionFiles, Method, OwnMethod, attribution_unit, make_method
from canonface.occluders import Occluder, make_occluder


@dataclass(frozen=True)
class Settings:
    """Choices that define a map; a run stores them.

    Attributes:
        target: a class by name or index, ``label:COLUMN``, or ``predicted``; None: the default of the confidence.
        confidence: a name of `canonface.confidence.CONFIDENCES`, a `Confidence` that holds its own target, or a
            function of the original and the occluded outputs.
        occluder: a name of `canonface.occluders.OCCLUDERS`, or an `Occluder` that holds its own size and fill.
        patch: size of the occluder; a number is pixels of the model's input; None: the occluder's default.
        fill: content of the patch: ``mean`` (the default), ``black``, ``blur``, ... or a colour ``#rrggbb``.
        stride: every stride-th vertex of the mesh is a probe.
        spacing: least distance of probes on the canonical face in centimetres, instead of a stride. Without both, a
            quarter of the patch's side.
        normalise: divide by the density of probes (eq. 5).
        unseen: treatment of pixels that a face hides in a model map: ``omit`` or ``zero``.
        canonical_patch: size of the patch on the canonical picture: ``measured`` covers the same part of the
            canonical face as the patch covers of the face in the model's input; ``equation`` is eq. 3, which is
            the same where the input shows the same margin as the canonical picture.
        method: None: occlusion, the method of this package. Else another saliency method, whose map is read at the
            probes: a name of `canonface.methods.METHODS`, ``files:FOLDER``, a function of (model, x, confidence_fn)
            or an object; see `canonface.methods.make_method`. ``patch`` is then the side of the square that each
            value is spread over; ``occluder`` and ``fill`` are refused.
        method_options: options of a method given by name, e.g. ``{"layer": "features.28"}``.
    """

    target: str | int | None = None
    confidence: str | Confidence | OwnFunction = "probability"
    occluder: str | Occluder = "square"
    patch: float | str | None = None
    fill: str | None = None
    stride: int | None = None
    spacing: float | None = None
    normalise: bool = True
    unseen: Unseen = "omit"
    canonical_patch: CanonicalPatch = "measured"
    method: str | Method | AttributionFiles | OwnMethod | None = None
    method_options: Mapping[str, Any] = field(default_factory=dict)

    question = deprecated_attribute("confidence_fn")
    hiding = deprecated_attribute("occluder_fn")
    heating = deprecated_attribute("attribution_method")

    def __post_init__(self) -> None:
        for name in ("target", "patch", "stride", "spacing"):
            value = getattr(self, name)
            if isinstance(value, np.generic):
                object.__setattr__(self, name, value.item())
        if isinstance(self.patch, str) and _is_number(self.patch):
            object.__setattr__(self, "patch", float(self.patch))
        # Each part checks its own options.
        self.confidence_fn()
        self.occluder_fn()
        self._check_method()
        if self.unseen not in ("omit", "zero"):
            raise OptionError(f"unseen is 'omit' or 'zero'; got {self.unseen!r}.")
        if self.canonical_patch not in ("measured", "equation"):
            raise OptionError(f"canonical_patch is 'measured' or 'equation'; got {self.canonical_patch!r}.")
        whole = isinstance(self.stride, int) and not isinstance(self.stride, bool)
        if self.stride is not None and not (whole and self.stride >= 1):
            raise OptionError(f"stride is a whole number, at least 1; got {self.stride!r}.")
        if self.spacing is not None and not 0 <= self.spacing < np.inf:
            raise OptionError(f"spacing is a length in centimetres, 0 or more; got {self.spacing!r}.")
        if self.stride is not None and self.spacing is not None:
            raise OptionError(
                f"Probes are chosen by stride or by spacing; got stride={self.stride} and spacing={self.spacing}."
            )

    def confidence_fn(self) -> Confidence:
        """Return the confidence whose drop is measured."""
        return make_confidence(self.confidence, self.target)

    def occluder_fn(self) -> Occluder:
        """Return the occluder that covers the probes."""
        return make_occluder(self.occluder, self.patch, self.fill)

    def attribution_method(self) -> Method | AttributionFiles | None:
        """Return the other saliency method; None: occlusion."""
        return self.method  # type: ignore[return-value]  # made of a name or a function when the settings were

    @property
    def unit(self) -> str:
        """Unit of the map in words, for faces with different targets."""
        method = self.attribution_method()
        return self.confidence_fn().unit if method is None else attribution_unit(method.name)

    def _check_method(self) -> None:
        if self.method is None:
            if self.method_options:
                raise OptionError(
                    f"method_options are those of a method; got {dict(self.method_options)!r} and no method."
                )
            return
        made = make_method(self.method, **self.method_options)
        object.__setattr__(self, "method", made)
        object.__setattr__(self, "method_options", {})
        for name, usual in (("occluder", "square"), ("fill", None)):
            value = getattr(self, name)
            if value != usual:
                raise OptionError(
                    f"{name} is an option of occlusion, and another method occludes no probes; got "
                    f"{name}={value!r} and method={made.name!r}: leave one out. A method that occludes something "
                    "itself takes that in method_options."
                )

    def describe(self) -> Mapping[str, Any]:
        """Return the settings for a manifest; confidence, occluder and method describe themselves."""
        method = self.attribution_method()
        return {
            "confidence": dict(describe_confidence(self.confidence_fn())),
            "occluder": dict(self.occluder_fn().describe()),
            "stride": self.stride,
            "spacing": self.spacing,
            "normalise": self.normalise,
            "unseen": self.unseen,
            "canonical_patch": self.canonical_patch,
        } | ({} if method is None else {"method": dict(method.describe())})


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


PRESETS: dict[str, Settings] = {
    "default": Settings(),
    "paper": Settings(fill="black", stride=1, unseen="zero", canonical_patch="equation"),
}
"""``paper`` follows eq. 1-6 to the letter: occluded pixels are 0, unseen pixels count as 0, eq. 3 is used as it is,
and every vertex is a probe."""


def make_settings(preset: str = "default", base: Settings | None = None, /, **options: Any) -> Settings:
    """Return the settings of a preset with some fields replaced; an option that is None keeps the preset's value.

    Args:
        preset: a name of `PRESETS`.
        base: settings to start from instead of the preset's.
        **options: fields of `Settings`.

    Raises:
        OptionError: the preset or an option does not exist, or a value cannot be used.
    """
    if preset not in PRESETS:
        raise OptionError(f"A preset has a known name; got {preset!r}: {near_names(preset, PRESETS)}")
    known = Settings.__dataclass_fields__
    for name in options:
        if name not in known:
            raise OptionError(f"An option has a known name; got {name!r}: {near_names(name, known)}")
    given = {name: value for name, value in options.items() if value is not None}
    if base is None and ("method" in given or not isinstance(given.get("occluder", ""), str)):
        # An occluder object has its own fill, and a method occludes nothing: the preset's fill gives way.
        given.setdefault("fill", None)
    # One of the two chooses the probes: a keyword takes the place of the other field.
    for name, other in (("spacing", "stride"), ("stride", "spacing")):
        if name in given:
            given.setdefault(other, None)
    return replace(PRESETS[preset] if base is None else base, **given)
