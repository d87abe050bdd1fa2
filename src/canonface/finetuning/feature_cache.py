"""Cache of a backbone's features on disk, so that each photo is shown to the backbone once."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from canonface.files import atomic_write
from canonface.fingerprint import sha256
from canonface.types import InputSpec, Pose


@dataclass(frozen=True)
class FeatureCache:
    """Folder with one file per photo and backbone.

    Attributes:
        folder: made when the first features are stored.
        key: digest of everything that decides the features except the photo.
    """

    folder: Path
    key: str

    def path(self, photo: str) -> Path:
        """Return the file of a photo's features, by the photo's SHA-256."""
        name = sha256(self.key, photo).hex()
        return self.folder / name[:2] / f"{name}.npz"

    def get(self, photo: str) -> tuple[Float[np.ndarray, "s d"], Pose] | None:
        """Return the features of a photo, and of its mirror image if stored, with the pose; None if not stored."""
        path = self.path(photo)
        if not path.is_file():
            return None
        with np.load(path, allow_pickle=False) as stored:
            return stored["answers"], Pose(*stored["pose"].tolist())

    def put(self, photo: str, features: Float[np.ndarray, "s d"], pose: Pose) -> None:
        """Store features in one step: another process sees the whole file or none."""
        path = self.path(photo)
        path.parent.mkdir(parents=True, exist_ok=True)
        # The array's name is that of version 0.1.0, so that its caches stay readable.
        arrays = {"answers": features, "pose": np.array(pose, dtype=np.float64)}
        atomic_write(path, lambda file: np.savez(file, allow_pickle=False, **arrays))


def make_feature_cache(
    folder: str | Path, digest: str, without: tuple[str, ...], spec: InputSpec, mesh: str
) -> FeatureCache:
    """Return the cache of one backbone with one kind of input.

    Args:
        folder: folder of the cache.
        digest: digest of the backbone's tensors.
        without: layers of the backbone that are left out.
        spec: input of the backbone.
        mesh: name of the aligner's mesh.
    """
    parts = [digest, list(without), asdict(spec), mesh]
    return FeatureCache(Path(folder), sha256(json.dumps(parts, sort_keys=True)).hex())
