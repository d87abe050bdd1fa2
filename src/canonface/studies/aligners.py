"""Aligners of studies: one that caches its faces, and one that returns noisy copies of a face."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from canonface._deprecated import deprecated_attribute, renamed_parameters
from canonface.alignment import Aligner, Photo
from canonface.errors import CanonfaceError, OptionError
from canonface.models import without_pixels
from canonface.types import Face, InputSpec

CACHE_BYTES = 512 * 1024**2


@renamed_parameters(most_bytes="max_bytes")
class CachedAligner:
    """An aligner that caches the faces of each photo, and each failure, up to a limit of memory.

    Args:
        aligner: finds the faces.
        max_bytes: size of the cached photos; later photos are aligned anew each time.
    """

    most_bytes = deprecated_attribute("max_bytes")

    def __init__(self, aligner: Aligner, max_bytes: int = CACHE_BYTES) -> None:
        self.aligner, self.max_bytes = aligner, max_bytes
        self.name, self.mesh = aligner.name, aligner.mesh
        self._found: dict[str, list[Face] | CanonfaceError] = {}
        self._bytes = 0

    def describe(self) -> Mapping[str, str | float]:
        """Return the description of the wrapped aligner: the faces are the same."""
        return self.aligner.describe()

    def __call__(self, photo: Photo, path: str = "") -> list[Face]:
        """Return the faces of a photo, the largest first; see ``Aligner``. A photo in memory is not cached."""
        if not isinstance(photo, str | Path):
            return self.aligner(photo, path)
        key = f"{photo}\n{path}"
        if key not in self._found:
            try:
                found: list[Face] | CanonfaceError = self.aligner(photo, path)
            except CanonfaceError as error:
                found = error
            size = 0 if isinstance(found, CanonfaceError) else sum(face.image.nbytes for face in found)
            if self._bytes + size > self.max_bytes:
                return _faces(found)
            self._bytes += size
            self._found[key] = found
        return _faces(self._found[key])


def _faces(found: list[Face] | CanonfaceError) -> list[Face]:
    """Return a new list of the faces, or raise the cached error."""
    if isinstance(found, CanonfaceError):
        # Without the traceback of the first time, which would grow with each.
        raise found.with_traceback(None)
    return list(found)


@renamed_parameters(level="noise")
class NoisyCopies:
    """An aligner that returns several noisy copies of each photo's first face (smooth MPRT).

    The noise is drawn in pixels of the model's input and enlarged to the photo, so that shrinking a large photo to a
    small input keeps it. It depends only on the photo's path, the copy's number and the seed.

    Args:
        aligner: finds the faces, before the noise.
        spec: input of the model.
        copies: copies of each face.
        noise: standard deviation, as a share of the photo's range of values.
        seed: seed of the noise.
    """

    level = deprecated_attribute("noise")

    def __init__(
        self, aligner: Aligner, spec: InputSpec, copies: int, noise: float = 0.1, seed: int = 0
    ) -> None:
        if copies < 1 or not 0 <= noise <= 1:
            raise OptionError(
                f"Noisy copies are at least one, with noise between 0 and 1 of the photo's range; got {copies} and "
                f"{noise}."
            )
        self.aligner, self.spec, self.copies, self.noise, self.seed = aligner, spec, copies, noise, seed
        self.name, self.mesh = aligner.name, aligner.mesh

    def describe(self) -> Mapping[str, str | float]:
        """Return the choices of the aligner and of the noise."""
        noise = {"copies": self.copies, "noise_level": self.noise, "noise_seed": self.seed}
        return dict(self.aligner.describe()) | noise

    def __call__(self, photo: Photo, path: str = "") -> list[Face]:
        """Return the copies; see ``Aligner``."""
        face = self.aligner(photo, path)[0]
        return [replace(face, image=self._noisy(face, number), index=number) for number in range(self.copies)]

    def _noisy(self, face: Face, number: int) -> UInt8[np.ndarray, "h w 3"]:
        import cv2

        words = f"{self.seed}:{number}:{face.path}"
        random = np.random.default_rng(int.from_bytes(sha256(words.encode()).digest()[:8], "big"))
        height, width = face.image.shape[:2]
        matrix = without_pixels(face, self.spec).matrix
        spread = self.noise * float(np.ptp(face.image))
        cells = random.normal(scale=spread, size=(*self.spec.size_hw, 3))
        flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
        noise = cv2.warpAffine(cells, matrix, (width, height), flags=flags)
        return np.asarray(np.clip(np.rint(face.image + noise), 0, 255).astype(np.uint8))
