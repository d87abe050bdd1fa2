"""A TensorFlow Lite network on LiteRT: made when first asked, never pickled."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32

from canonface.errors import AssetError

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter


class Network:
    """A function from one array to the network's outputs, by name.

    The interpreter is made at the first call and dropped when the object is pickled, so that a network may
    be sent to another process. Calls from several threads take turns.

    Args:
        content: the ``.tflite`` file's bytes.
        threads: CPU threads.
    """

    def __init__(self, content: bytes, threads: int = 1) -> None:
        self._content = content
        self._threads = threads
        self._interpreter: Any = None
        self._lock = threading.Lock()

    def __call__(self, x: Float32[np.ndarray, "..."]) -> dict[str, Float32[np.ndarray, "..."]]:
        """Outputs for one input, each a new array."""
        with self._lock:
            if self._interpreter is None:
                self._interpreter = self._make_interpreter()
            interpreter = self._interpreter
            interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
            interpreter.invoke()
            return {o["name"]: interpreter.get_tensor(o["index"]) for o in interpreter.get_output_details()}

    def _make_interpreter(self) -> Interpreter:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        # LiteRT's default delegate announces itself on stderr, and nothing documented silences it. The
        # built-in kernels are quiet; they cost a few milliseconds a face.
        kernels = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        try:
            interpreter = Interpreter(
                model_content=self._content, num_threads=self._threads, experimental_op_resolver_type=kernels
            )
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise AssetError(
                f"A network is a whole TensorFlow Lite file; LiteRT refused one of {len(self._content):,} bytes: "
                f"{error}. Reinstall canonface."
            ) from error
        return interpreter

    def __getstate__(self) -> dict[str, Any]:
        return {"content": self._content, "threads": self._threads}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["content"], state["threads"])  # type: ignore[misc]
