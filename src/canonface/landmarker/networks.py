"""Networks of the face landmarker: reading, running, and decoding of the face mesh.

Kartynnik et al., "Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs", arXiv 1907.06724; with
Grishchenko et al., "Attention Mesh", arXiv 2006.10962.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32

from canonface.errors import AssetError

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter
import zipfile
from collections.abc import Callable
from pathlib import Path

from jaxtyping import Float


class LiteRTNetwork:
    """TensorFlow Lite network: maps one array to its outputs by name.

    The interpreter is made at the first call and dropped when the object is pickled, so that a network can be sent to
    another process. Calls from several threads are serialised.

    Args:
        content: the bytes of the ``.tflite`` file.
        threads: CPU threads.
    """

    def __init__(self, content: bytes, threads: int = 1) -> None:
        self._content = content
        self._threads = threads
        self._interpreter: Any = None
        self._lock = threading.Lock()

    def __call__(self, x: Float32[np.ndarray, "..."]) -> dict[str, Float32[np.ndarray, "..."]]:
        """Return the outputs for one input, each as a new array."""
        with self._lock:
            if self._interpreter is None:
                self._interpreter = self._make_interpreter()
            interpreter = self._interpreter
            interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
            interpreter.invoke()
            return {o["name"]: interpreter.get_tensor(o["index"]) for o in interpreter.get_output_details()}

    def _make_interpreter(self) -> Interpreter:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        # LiteRT's default delegate prints to stderr, and no documented option silences it. The
        # built-in kernels are silent, but slower by a few milliseconds per face.
        kernels = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        try:
            interpreter = Interpreter(
                model_content=self._content, num_threads=self._threads, experimental_op_resolver_type=kernels
            )
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise AssetError(
                f"A network is a complete TensorFlow Lite file; LiteRT rejected one of {len(self._content):,} bytes: "
                f"{error}. Reinstall canonface."
            ) from error
        return interpreter

    def __getstate__(self) -> dict[str, Any]:
        return {"content": self._content, "threads": self._threads}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["content"], state["threads"])  # type: ignore[misc]


DETECTOR, LANDMARKS = "face_detector.tflite", "face_landmarks_detector.tflite"


def read_networks(path: Path) -> dict[str, bytes]:
    """Read the ``.tflite`` files of detector and landmark network from a ``.task`` file, by name.

    Raises:
        AssetError: the file is missing or not a ``.task`` file.
    """
    try:
        with zipfile.ZipFile(path) as task:
            return {name: task.read(name) for name in (DETECTOR, LANDMARKS)}
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise AssetError(
            f"The landmarker's weights are a .task file, a zip archive of .tflite networks; {path} is not one: "
            f"{error}. Reinstall canonface, or give the right file."
        ) from error


INPUT_SIZE = 256
POINTS = 478
"""468 points of the canonical mesh, then 5 of each iris."""

FaceMeshNetwork = Callable[[Float32[np.ndarray, "1 256 256 3"]], dict[str, Float32[np.ndarray, "..."]]]
"""Function from pixels in 0..1 to 478 x 3 values in input pixels and a presence logit, by name."""

_POINTS_OUTPUT, _PRESENCE_OUTPUT = "Identity", "Identity_1"


def face_points(
    network: FaceMeshNetwork, pixels: Float32[np.ndarray, "256 256 3"]
) -> tuple[Float[np.ndarray, "478 3"], float]:
    """Return the points of the one face in a square, and the probability that there is one.

    Args:
        network: the face mesh network.
        pixels: the square, RGB in 0..1.

    Returns:
        ``(478, 3)`` x, y and depth as shares of the square's side; x and y start at its left and top edge; a larger
        depth is farther away, zero is near the centre of the head. And the presence, 0 to 1.
    """
    outputs = network(pixels[None])
    # The network measures from the square's edge: 0 is the left edge, 256 the right one.
    points = outputs[_POINTS_OUTPUT].reshape(POINTS, 3).astype(np.float64) / INPUT_SIZE
    logit = float(np.clip(outputs[_PRESENCE_OUTPUT].item(), -100, 100))
    return points, float(1 / (1 + np.exp(-logit)))
