"""Colours of maps, and the drawing options that all pictures share.

Zero is the bare face, red is what the model relied on, blue is where confidence rose.

The scale is symmetric and in the unit of confidence, so that equal strength looks equal on both sides of zero.
Red and blue are distinguishable with every common kind of colour blindness, and both grow darker with strength.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, UInt8

from canonface._deprecated import deprecated_attribute, renamed_parameters
from canonface.errors import OptionError, near_names

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
else:  # matplotlib is loaded when a figure is drawn, not before
    Colormap = Any

ColourMap: TypeAlias = str | Colormap
"""A matplotlib colour map, or its name."""

_WARM = ((0.988, 0.722, 0.392), (0.953, 0.427, 0.231), (0.839, 0.165, 0.165), (0.588, 0.035, 0.137))
_COOL = ((0.545, 0.808, 0.933), (0.278, 0.604, 0.847), (0.137, 0.392, 0.729), (0.067, 0.196, 0.525))
_MOST_OPAQUE = 0.88
_FADED = 0.62  # share of the background in a part of the face that was not probed
_TONES = (0.30, 0.97)  # tones of black and white under a map: colours show even on black
RELIED, ROSE = "#b3161f", "#1d56a8"  # ink for the two ends of a scale
BACKGROUND = 1.0
LEAST_DPI, MOST_DPI = 20, 1200


@dataclass(frozen=True)
class Style:
    """Drawing options that every picture of a map takes, checked when they are set.

    Attributes:
        cmap: colour map of matplotlib, or its name; None: red and blue over the bare face.
        limit: value of the strongest colours, in the map's unit; None: the largest value shown.
        dpi: pixels per inch; None: 160.
        title: title of the picture; None: one that says what was measured.

    Raises:
        OptionError: the colour map is unknown, the limit is not above 0, or the dpi is out of range.
    """

    cmap: ColourMap | None = None
    limit: float | None = None
    dpi: float | None = None
    title: str | None = None

    def __post_init__(self) -> None:
        if self.cmap is not None:
            colour_map(self.cmap)
        if self.limit is not None:
            check_limit(self.limit)
        if self.dpi is not None:
            check_dpi(self.dpi)


def colour_map(cmap: ColourMap) -> Colormap:
    """Return a colour map of matplotlib.

    Raises:
        OptionError: there is none of that name.
    """
    import matplotlib
    from matplotlib.colors import Colormap

    if isinstance(cmap, Colormap):
        return cmap
    known = matplotlib.colormaps
    if cmap not in known:
        raise OptionError(
            f"A colour map is one of matplotlib's, e.g. RdBu_r, coolwarm, viridis; got {cmap!r}: "
            f"{near_names(cmap, known)}"
        )
    return known[cmap]


def check_limit(limit: float) -> None:
    """Raise OptionError unless a limit of a colour scale is above 0 and finite."""
    if not (limit > 0 and math.isfinite(limit)):
        raise OptionError(f"The limit of a colour scale is above 0 and finite; got {limit}.")


def check_dpi(dpi: float) -> None:
    """Raise OptionError unless a resolution is in the range that can be drawn."""
    if not LEAST_DPI <= dpi <= MOST_DPI:
        raise OptionError(f"dpi is the number of pixels per inch, {LEAST_DPI} to {MOST_DPI}; got {dpi}.")


@renamed_parameters(heat="attribution")
@dataclass(frozen=True)
class Scale:
    """Colour scale: the colour of each value.

    Attributes:
        limit: value of the strongest colours, at ``+limit`` and ``-limit``, in the unit of confidence.
        unit: unit of the values, e.g. ``probability of happy``.
        attribution: whether the values are another method's attributions and not drops; changes the bar's words.
        one_sided: whether no value is below 0, as in methods without negative attributions; the bar then starts at
            0, since a blue half would suggest that negative values are possible.
        cmap: colour map of matplotlib, or its name, that replaces red and blue; its middle is 0, or its start if the
            scale is one-sided.
    """

    limit: float
    unit: str = "confidence"
    attribution: bool = False
    one_sided: bool = False
    cmap: ColourMap | None = None

    heat = deprecated_attribute("attribution")

    def __post_init__(self) -> None:
        check_limit(self.limit)
        if self.cmap is not None:
            colour_map(self.cmap)

    @classmethod
    @renamed_parameters(heat="attribution")
    def around(
        cls,
        values: Iterable[np.ndarray],
        unit: str,
        limit: float | None = None,
        attribution: bool = False,
        cmap: ColourMap | None = None,
    ) -> Scale:
        """Return the scale that holds every value, or the one with the limit given.

        The largest absolute value is rounded up to two digits, so that the numbers at the ends of the bar are exact.
        Maps that are zero everywhere get the limit 1. Attributions that are nowhere below 0 get a one-sided bar.
        """
        parts = list(values)
        one_sided = attribution and all(float(part.min(initial=0)) >= 0 for part in parts)
        if limit is not None:
            return cls(float(limit), unit, attribution, one_sided, cmap)
        largest = max((float(np.abs(part).max(initial=0)) for part in parts), default=0.0)
        return cls(_rounded_up(largest) if largest > 0 else 1.0, unit, attribution, one_sided, cmap)

    def colours(self, values: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape 3"]:
        """Return the full colour of each value, RGB in 0..1; values beyond the limit take its colour."""
        if self.cmap is not None:
            share = values / self.limit
            place = share if self.one_sided else (share + 1) / 2
            return np.asarray(colour_map(self.cmap)(np.clip(place, 0, 1)), dtype=np.float64)[..., :3]
        strength = self._strength(values)
        warm, cool = (_ramp(stops, strength) for stops in (_WARM, _COOL))
        return np.asarray(np.where((values >= 0)[..., None], warm, cool))

    def opacity(self, values: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """Return the opacity of each value's colour: none at 0, most at the limit, so that the face shows through."""
        return np.asarray(_MOST_OPAQUE * self._strength(values) ** 0.75)

    def _strength(self, values: np.ndarray) -> np.ndarray:
        return np.asarray(np.clip(np.abs(values) / self.limit, 0, 1))

    def blend(
        self, tone: Float[np.ndarray, "*shape"], values: Float[np.ndarray, "*shape"]
    ) -> Float[np.ndarray, "*shape 3"]:
        """Return a grey picture (0..1) with the values on it; the colours keep its light and shade."""
        shade = 0.62 + 0.46 * tone
        opacity = self.opacity(values)[..., None]
        mixed = tone[..., None] * (1 - opacity) + self.colours(values) * shade[..., None] * opacity
        return np.asarray(np.clip(mixed, 0, 1))


def under_map(picture: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w"]:
    """Return the grey tone of a picture under a map, so that all colour is the map's; deep shadows are lifted."""
    grey = picture @ np.array([0.299, 0.587, 0.114]) / 255
    return np.asarray(_TONES[0] + (_TONES[1] - _TONES[0]) * grey)


def draw_map(
    tone: Float[np.ndarray, "h w"],
    values: Float[np.ndarray, "h w"],
    seen: Bool[np.ndarray, "h w"],
    face: Float[np.ndarray, "h w"],
    scale: Scale,
) -> UInt8[np.ndarray, "h w 3"]:
    """Draw a map on a grey picture: coloured where it has values, faded on the rest of the face.

    Args:
        tone: the picture, 0..1.
        values: the map; any value, also NaN, where it is not seen.
        seen: mask of the pixels where the map has a value.
        face: mask of the face, 0..1; nothing is coloured or faded off the face.
        scale: the colours.
    """
    probed = (face * seen)[..., None]
    faded = _FADED * face * ~seen
    pale = (tone * (1 - faded) + BACKGROUND * faded)[..., None]
    drawn = pale * (1 - probed) + scale.blend(tone, np.where(seen, values, 0.0)) * probed
    return np.asarray(np.rint(drawn * 255).astype(np.uint8))


def _ramp(
    stops: tuple[tuple[float, ...], ...], strength: Float[np.ndarray, "*shape"]
) -> Float[np.ndarray, "*shape 3"]:
    positions = np.linspace(0, 1, len(stops))
    channels = [np.interp(strength, positions, channel) for channel in zip(*stops, strict=True)]
    return np.stack(channels, axis=-1)


def _rounded_up(value: float) -> float:
    """Round up to two significant digits: 0.2134 gives 0.22."""
    digit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.ceil(value / digit - 1e-9) * digit:.2g}")
