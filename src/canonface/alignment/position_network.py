"""Position-map network of the user, from an ONNX or TorchScript file; neither can execute Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from canonface.errors import AlignmentError, MissingDependencyError, OptionError


class PositionNetwork:
    """Network that maps a crop ``(size, size, 3)`` in 0..1 to a position map of the same shape.

    The file is loaded at construction, so that a wrong file raises before the first photo. It is loaded again after
    unpickling, so that the object can be sent to another process.

    Args:
        path: ``.onnx``, ``.pt`` or ``.pth``.
        size: side of the crop in pixels.
    """

    def __init__(self, path: Path, size: int) -> None:
        if path.suffix.lower() not in (".onnx", ".pt", ".pth"):
            raise OptionError(f"A network is an .onnx file, or TorchScript as .pt or .pth; got {path}.")
        if not path.is_file():
            raise OptionError(f"A network is a file; there is no {path}. Check the path.")
        self._path, self._size = path, size
        self._run = _load(path)
        self._channels_first: bool | None = None

    def __call__(self, pixels: Float32[np.ndarray, "s s 3"]) -> Float32[np.ndarray, "s s 3"]:
        """Return the position map of a crop.

        Raises:
            AlignmentError: the network rejects the crop in either layout, or returns another shape.
        """
        layouts = (False, True) if self._channels_first is None else (self._channels_first,)
        refusals = []
        for first in layouts:
            batch = np.ascontiguousarray(pixels.transpose(2, 0, 1) if first else pixels)[None]
            try:
                prediction = np.asarray(self._run(batch), dtype=np.float32)
            except Exception as error:  # noqa: BLE001  runtimes raise what they like on another shape
                refusals.append(
                    str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
                )
                continue
            self._channels_first = first
            return self._as_map(prediction)
        raise AlignmentError(
            f"A position-map network takes one crop of {self._size} x {self._size} x 3, channels last or first; "
            f"{self._path} refused: {'; '.join(refusals)}."
        )

    def _as_map(self, prediction: np.ndarray) -> Float32[np.ndarray, "s s 3"]:
        square = (self._size, self._size)
        if prediction.shape == (1, *square, 3):
            return np.asarray(prediction[0])
        if prediction.shape == (1, 3, *square):
            return np.ascontiguousarray(prediction[0].transpose(1, 2, 0))
        raise AlignmentError(
            f"A position map is {self._size} x {self._size} x 3; {self._path} returned shape {prediction.shape}. Is "
            "it another network?"
        )

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self._path, "size": self._size}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["path"], state["size"])  # type: ignore[misc]


def _load(path: Path) -> Any:
    try:
        return _load_onnx(path) if path.suffix.lower() == ".onnx" else _load_torchscript(path)
    except (ImportError, OptionError) as error:
        if isinstance(error, OptionError):
            raise
        package = "onnxruntime" if path.suffix.lower() == ".onnx" else "torch"
        raise MissingDependencyError(f"{path.name} needs {package}: pip install {package}.") from error
    except Exception as error:  # runtimes raise what they like on damaged files
        raise OptionError(
            f"{path} is not a whole {'ONNX' if path.suffix.lower() == '.onnx' else 'TorchScript'} file: "
            f"{str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__}. Export it again."
        ) from error


def _load_onnx(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    # Loaded from memory, so that a file that refers to weights elsewhere on the disk is rejected.
    session = onnxruntime.InferenceSession(
        path.read_bytes(), sess_options=options, providers=["CPUExecutionProvider"]
    )
    inputs = session.get_inputs()
    if len(inputs) != 1:
        raise OptionError(f"A position-map network has one input; {path} has {len(inputs)}.")
    return lambda batch: session.run(None, {inputs[0].name: batch})[0]


def _load_torchscript(path: Path) -> Any:
    import warnings

    import torch

    with warnings.catch_warnings():
        # TorchScript is deprecated, but networks like PRNet's exist as TorchScript files.
        warnings.simplefilter("ignore", DeprecationWarning)
        module = torch.jit.load(str(path), map_location="cpu").eval()  # type: ignore[no-untyped-call]

    def run(batch: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return np.asarray(module(torch.from_numpy(batch)).numpy())

    return run
