"""Nine bins of a head's pose by yaw and pitch, and the confidence of a bin."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from canonface.confidence.base import BoundConfidence, CleanPrediction
from canonface.confidence.bins import Bins
from canonface.confidence.targets import (
    PREDICTED,
    label_column,
    make_plain,
    resolve,
    same_for_every_face,
    words,
)
from canonface.confidence.value import output_index
from canonface.errors import OptionError, TargetError, near_names
from canonface.types import Outputs

YAW_EDGES_DEG = (-15.0, 15.0)
PITCH_EDGES_DEG = (-10.0, 10.0)
_YAW_NAMES, _PITCH_NAMES = ("right", "front", "left"), ("down", "level", "up")
POSE_BINS = tuple(f"{yaw}-{pitch}" for yaw in _YAW_NAMES for pitch in _PITCH_NAMES)
"""Names of the nine bins, ``right-down`` to ``left-up``: left and right are the subject's."""


def pose_bin(
    yaw: float,
    pitch: float,
    yaw_edges: tuple[float, float] = YAW_EDGES_DEG,
    pitch_edges: tuple[float, float] = PITCH_EDGES_DEG,
) -> str:
    """Return the name of a head pose's bin (the paper's figure 19 has nine over yaw and pitch).

    The edges are ours. A bin includes its lower edge and excludes its upper one.

    >>> pose_bin(30.0, -2.0)
    'left-level'

    Args:
        yaw: degrees, positive towards the subject's left, as in `canonface.types.Pose`.
        pitch: degrees, positive when the face looks up.
        yaw_edges: inner edges between right, front and left, degrees.
        pitch_edges: inner edges between down, level and up, degrees.

    Returns:
        One of `POSE_BINS`.

    Raises:
        OptionError: an angle is not a finite number, or edges do not rise.
    """
    if not (math.isfinite(yaw) and math.isfinite(pitch)):
        raise OptionError(f"A pose is finite angles in degrees; got yaw {yaw}, pitch {pitch}.")
    yaws, pitches = _axis(yaw_edges, _YAW_NAMES), _axis(pitch_edges, _PITCH_NAMES)
    return f"{yaws.names[int(yaws.indices(yaw))]}-{pitches.names[int(pitches.indices(pitch))]}"


def pose_memberships(
    angles_deg: Float[np.ndarray, "n 2"],
    yaw_edges: tuple[float, float],
    pitch_edges: tuple[float, float],
    sigma: float,
) -> Float[np.ndarray, "n 9"]:
    r"""Return the soft membership of poses in the nine bins; each row sums to 1.

    $m = [\Phi((h_y - y)/\sigma) - \Phi((l_y - y)/\sigma)]\,[\Phi((h_p - p)/\sigma) - \Phi((l_p - p)/\sigma)]$: the
    probability that a pose with independent normal errors of standard deviation $\sigma$ lies in the bin.

    Args:
        angles_deg: ``(n, 2)`` yaw $y$ and pitch $p$ in degrees.
        yaw_edges: the inner edges of the yaw bins, degrees.
        pitch_edges: the inner edges of the pitch bins, degrees.
        sigma: degrees.
    """
    yaw = _interval_memberships(angles_deg[:, 0], yaw_edges, sigma)
    pitch = _interval_memberships(angles_deg[:, 1], pitch_edges, sigma)
    return np.asarray((yaw[:, :, None] * pitch[:, None, :]).reshape(len(angles_deg), len(POSE_BINS)))


@dataclass(frozen=True)
class PoseBinConfidence:
    """Confidence of a bin of the head's pose, for a model that measures yaw and pitch.

    The confidence is the bin's membership of `pose_memberships`: it is near 1 inside the bin, one half on an
    edge and near 0 outside. For a classifier whose classes are the bins use ``probability``.

    Attributes:
        target: one of `POSE_BINS`; ``label:COLUMN``, the bin in each face's label; or ``predicted``, the bin of the
            pose that the model predicts without occlusion.
        yaw_edges: inner edges of the yaw bins, degrees.
        pitch_edges: inner edges of the pitch bins, degrees.
        sigma: softness of the edges, degrees.
        yaw: name or index of the model's yaw output.
        pitch: name or index of the model's pitch output.
    """

    target: str = PREDICTED
    yaw_edges: tuple[float, float] = YAW_EDGES_DEG
    pitch_edges: tuple[float, float] = PITCH_EDGES_DEG
    sigma: float = 5.0
    yaw: str | int = "yaw"
    pitch: str | int = "pitch"

    def __post_init__(self) -> None:
        make_plain(self, "target", "yaw_edges", "pitch_edges", "sigma", "yaw", "pitch")
        if not (math.isfinite(self.sigma) and self.sigma > 0):
            raise OptionError(f"sigma is a number of degrees above 0; got {self.sigma}.")
        _axis(self.yaw_edges, _YAW_NAMES), _axis(self.pitch_edges, _PITCH_NAMES)
        if self.target != PREDICTED and self.label_column is None:
            _pose_index(self.target)

    @property
    def unit(self) -> str:
        """Text for a colour bar over faces with different targets."""
        return f"membership of {words(self.target, 'pose bin')}"

    @property
    def label_column(self) -> str | None:
        """Column of the labels that holds each face's bin; None if the target is no label."""
        return label_column(self.target)

    def describe(self) -> Mapping[str, Any]:
        """Return the options that decide the result."""
        return {
            "name": "pose-bin",
            "target": self.target,
            "yaw_edges": list(self.yaw_edges),
            "pitch_edges": list(self.pitch_edges),
            "sigma": self.sigma,
            "outputs": [self.yaw, self.pitch],
        }

    def check(self, kind: Outputs, names: tuple[str, ...]) -> None:
        """Raise if the bin fits no face of a model with such outputs.

        Raises:
            OptionError: the model does not measure values.
            TargetError: it has no output with the name of yaw or pitch.
        """
        if kind != "values":
            raise OptionError(
                f"confidence='pose-bin' is about a measured yaw and pitch in degrees, and this model returns {kind}: "
                "use another confidence ('probability' if its classes are the bins), or load the model with "
                "outputs='values'."
            )
        if names:
            self._outputs(names, len(names))

    def bind(self, original: CleanPrediction) -> BoundConfidence:
        """Return the confidence with the bin of one face; see `canonface.confidence.Confidence.bind`."""
        self.check(original.kind, original.names)
        with same_for_every_face():
            outputs = self._outputs(original.names, original.outputs.shape[1])
        yaw, pitch = original.outputs[0, outputs].tolist()
        predicted = pose_bin(yaw, pitch, self.yaw_edges, self.pitch_edges)
        chosen = resolve(
            self.target, original.labels, lambda: POSE_BINS.index(predicted), _pose_index, "name a bin"
        )
        edges = (self.yaw_edges, self.pitch_edges)
        sigma, name = self.sigma, POSE_BINS[chosen]

        def confidence_fn(values: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n"]:
            return pose_memberships(values[:, outputs].astype(np.float64), *edges, sigma)[:, chosen]

        return BoundConfidence(target=name, unit=f"membership of {name}", fn=confidence_fn)

    def _outputs(self, names: tuple[str, ...], count: int) -> list[int]:
        return [output_index(output, names, count) for output in (self.yaw, self.pitch)]


def _pose_index(name: str) -> int:
    if name.casefold() not in POSE_BINS:
        raise TargetError(f"There is no pose bin {name!r}: {near_names(name, POSE_BINS)}")
    return POSE_BINS.index(name.casefold())


def _axis(edges: tuple[float, float], names: tuple[str, ...]) -> Bins:
    return Bins((-math.inf, *edges, math.inf), names)


def _interval_memberships(
    angles: Float[np.ndarray, "n"], edges: tuple[float, float], sigma: float
) -> Float[np.ndarray, "n 3"]:
    from scipy.special import ndtr

    below = ndtr((np.asarray(edges) - angles[:, None]) / sigma)
    zeros, ones = np.zeros((len(angles), 1)), np.ones((len(angles), 1))
    return np.diff(np.concatenate([zeros, below, ones], axis=1), axis=1)
