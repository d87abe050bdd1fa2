"""Features on disk: what a backbone answered to a photo is asked once, however many heads are fitted to it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from canonface.fingerprint import sha256
from canonface.types import InputSpec, Pose


@dataclass(frozen=True)
class Memory:
    """A folder with one file a photo and question.

    Attributes:
        folder: made when something is put there.
        confidence_fn: digest of all that an answer hangs on but the photo.
    """

    folder: Path
    confidence_fn: str

    def path(self, photo: str) -> Path:
        """Where the answer to a photo lies, by the photo's SHA-256."""
        name = sha256(self.confidence_fn, photo).hex()
        return self.folder / name[:2] / f"{name}.npz"

    def get(self, photo: str) -> tuple[Float[np.ndarray, "s d"], Pose] | None:
        """What was answered to the photo, and to its mirror image, and the face's pose; None: nothing yet."""
        path = self.path(photo)
        if not path.is_file():
            return None
        with np.load(path, allow_pickle=False) as held:
            return held["answers"], Pose(*held["pose"].tolist())

    def put(self, photo: str, predictions: Float[np.ndarray, "s d"], pose: Pose) -> None:
        """Remember an answer; another process sees all of it or nothing."""
        path = self.path(photo)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".unfinished.npz")
        np.savez(unfinished, answers=predictions, pose=np.array(pose, dtype=np.float64))
        unfinished.replace(path)


def make_memory(
    folder: str | Path, digest: str, without: tuple[str, ...], spec: InputSpec, mesh: str
) -> Memory:
    """The memory of one backbone, shown faces in one way."""
    told = [digest, list(without), asdict(spec), mesh]
    return Memory(Path(folder), sha256(json.dumps(told, sort_keys=True)).hex())
