"""Colours of a map: zero is the bare face, warm was relied on, cool is where confidence rose.

The scale is symmetric, so that equal strength looks equal on both sides of zero, and in the unit of confidence.
Red against blue is told apart with every common kind of colour blindness, and both grow darker with strength.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8

from canonface.errors import OptionError

_WARM = ((0.988, 0.722, 0.392), (0.953, 0.427, 0.231), (0.839, 0.165, 0.165), (0.588, 0.035, 0.137))
_COOL = ((0.545, 0.808, 0.933), (0.278, 0.604, 0.847), (0.137, 0.392, 0.729), (0.067, 0.196, 0.525))
_MOST_OPAQUE = 0.88
_FADED = 0.62  # of a part of the face that was not asked, towards the background
_TONES = (0.30, 0.97)  # black and white of a picture under a map: its darkest part still shows the colours
RELIED, ROSE = "#b3161f", "#1d56a8"  # ink for the two ends of a scale
BACKGROUND = 1.0


@dataclass(frozen=True)
class Scale:
    """What a colour stands for.

    Attributes:
        limit: value of the strongest colours, at ``+limit`` and ``-limit``, in the unit of confidence.
        unit: of the values, e.g. ``probability of happy``.
        attribution: whether the values are a saliency method's own and no drops: the words beside a bar are others.
        one_sided: whether nothing lies below 0, as in maps of methods that do not tell for from against: a bar that
            went on into blue would say that blue was possible.
    """

    limit: float
    unit: str = "confidence"
    attribution: bool = False
    one_sided: bool = False

    def __post_init__(self) -> None:
        if not (self.limit > 0 and math.isfinite(self.limit)):
            raise OptionError(f"The limit of a colour scale is above 0 and finite; got {self.limit}.")

    @classmethod
    def around(
        cls, values: Iterable[np.ndarray], unit: str, limit: float | None = None, attribution: bool = False
    ) -> Scale:
        """The scale that holds every value, or the one with the limit given.

        The largest absolute value is rounded up to two digits, so that the ends of the colour bar are true.
        Maps that are zero everywhere get the limit 1. Heat that is nowhere below 0 gets a bar of one side.
        """
        parts = list(values)
        one_sided = attribution and all(float(part.min(initial=0)) >= 0 for part in parts)
        if limit is not None:
            return cls(float(limit), unit, attribution, one_sided)
        largest = max((float(np.abs(part).max(initial=0)) for part in parts), default=0.0)
        return cls(_rounded_up(largest) if largest > 0 else 1.0, unit, attribution, one_sided)

    def colours(self, values: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape 3"]:
        """Full colour of each value, RGB in 0..1; values beyond the limit take its colour."""
        strength = self._strength(values)
        warm, cool = (_ramp(stops, strength) for stops in (_WARM, _COOL))
        return np.asarray(np.where((values >= 0)[..., None], warm, cool))

    def opacity(self, values: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """How much of the colour is seen: none at 0, most at the limit, so that the face shows through."""
        return np.asarray(_MOST_OPAQUE * self._strength(values) ** 0.75)

    def _strength(self, values: np.ndarray) -> np.ndarray:
        return np.asarray(np.clip(np.abs(values) / self.limit, 0, 1))

    def blend(
        self, tone: Float[np.ndarray, "*shape"], values: Float[np.ndarray, "*shape"]
    ) -> Float[np.ndarray, "*shape 3"]:
        """A grey picture (0..1) with the values on it; the colour keeps the picture's light and shade."""
        shade = 0.62 + 0.46 * tone
        opacity = self.opacity(values)[..., None]
        mixed = tone[..., None] * (1 - opacity) + self.colours(values) * shade[..., None] * opacity
        return np.asarray(np.clip(mixed, 0, 1))


def under_map(picture: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w"]:
    """Tone of a picture that a map is drawn on: grey, so that all colour is the map's; deep shadows lifted."""
    grey = picture @ np.array([0.299, 0.587, 0.114]) / 255
    return np.asarray(_TONES[0] + (_TONES[1] - _TONES[0]) * grey)


def draw_map(
    tone: Float[np.ndarray, "h w"],
    values: Float[np.ndarray, "h w"],
    seen: Bool[np.ndarray, "h w"],
    face: Float[np.ndarray, "h w"],
    scale: Scale,
) -> UInt8[np.ndarray, "h w 3"]:
    """A map on a grey picture: coloured where it was asked, faded where the face was not, else as it is.

    Args:
        tone: the picture, 0..1.
        values: the map.
        seen: where the map says something.
        face: 0..1, where the face is; nothing is coloured or faded beside it.
        scale: the colours.
    """
    asked = (face * seen)[..., None]
    faded = _FADED * face * ~seen
    pale = (tone * (1 - faded) + BACKGROUND * faded)[..., None]
    drawn = pale * (1 - asked) + scale.blend(tone, np.where(seen, values, 0.0)) * asked
    return np.asarray(np.rint(drawn * 255).astype(np.uint8))


def _ramp(
    stops: tuple[tuple[float, ...], ...], strength: Float[np.ndarray, "*shape"]
) -> Float[np.ndarray, "*shape 3"]:
    positions = np.linspace(0, 1, len(stops))
    channels = [np.interp(strength, positions, channel) for channel in zip(*stops, strict=True)]
    return np.stack(channels, axis=-1)


def _rounded_up(value: float) -> float:
    """The next number of two digits: 0.2134 gives 0.22."""
    digit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.ceil(value / digit - 1e-9) * digit:.2g}")
