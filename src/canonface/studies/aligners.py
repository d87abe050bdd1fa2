"""Photos with noise: several copies of each face, whose maps are averaged (smooth MPRT)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256

import numpy as np
from jaxtyping import UInt8

from canonface.alignment import Aligner, Photo
from canonface.errors import OptionError
from canonface.models import without_pixels
from canonface.types import Face, InputSpec


class NoisyCopies:
    """An aligner that gives several noisy copies of each photo's first face.

    The noise is drawn in pixels of the model's input and enlarged to the photo, so that a model that is shown a few
    pixels of a large photo sees it too. It depends on the photo's path, the copy's number and the seed alone.

    Args:
        aligner: finds the faces, before the noise.
        spec: of the model.
        copies: how many of each face.
        level: standard deviation of the noise as a share of the photo's range of values.
        seed: of the noise.
    """

    def __init__(
        self, aligner: Aligner, spec: InputSpec, copies: int, level: float = 0.1, seed: int = 0
    ) -> None:
        if copies < 1 or not 0 <= level <= 1:
            raise OptionError(
                f"Noisy copies are at least one, with noise between 0 and 1 of the photo's range; got {copies} and "
                f"{level}."
            )
        self.aligner, self.spec, self.copies, self.level, self.seed = aligner, spec, copies, level, seed
        self.name, self.mesh = aligner.name, aligner.mesh

    def describe(self) -> Mapping[str, str | float]:
        """The aligner's choices, and those of the noise."""
        noise = {"copies": self.copies, "noise_level": self.level, "noise_seed": self.seed}
        return dict(self.aligner.describe()) | noise

    def __call__(self, photo: Photo, path: str = "") -> list[Face]:
        """The copies: see ``Aligner``."""
        face = self.aligner(photo, path)[0]
        return [replace(face, image=self._noisy(face, number), index=number) for number in range(self.copies)]

    def _noisy(self, face: Face, number: int) -> UInt8[np.ndarray, "h w 3"]:
        import cv2

        words = f"{self.seed}:{number}:{face.path}"
        random = np.random.default_rng(int.from_bytes(sha256(words.encode()).digest()[:8], "big"))
        height, width = face.image.shape[:2]
        matrix = without_pixels(face, self.spec).matrix
        spread = self.level * float(np.ptp(face.image))
        cells = random.normal(scale=spread, size=(*self.spec.size_hw, 3))
        flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
        noise = cv2.warpAffine(cells, matrix, (width, height), flags=flags)
        return np.asarray(np.clip(np.rint(face.image + noise), 0, 255).astype(np.uint8))
