"""TorchScript files and ``torch.export`` programs as PyTorch modules.

Both are programs that run code as soon as they are loaded: a script runs ``__setstate__`` in PyTorch's own
interpreter, whose operators can write files; an exported program has its shape expressions evaluated as Python.
``load_model`` requires ``trust=True`` before anything here is called.
"""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from canonface.errors import ModelError
from canonface.files import sha256_file
from canonface.models.base import one_line
from canonface.models.export_archive import check_archive
from canonface.models.file_kinds import checked_kind
from canonface.types import InputSpec

log = logging.getLogger(__name__)


class TorchProgram(nn.Module):
    """Program of a file; run in pieces if its batch size is fixed, and pickled as its path.

    Args:
        path: the file.
        device: device to compute on.
        batch_size: fixed batch size; 0 for any.

    Raises:
        ModelError: the content contradicts the file's name, is damaged or holds code.
    """

    def __init__(self, path: Path, device: str, batch_size: int | None = None) -> None:
        super().__init__()
        self.path = path.resolve()
        self.device = device
        self.is_exported = checked_kind(path) == "export"
        self.program, shape = (_load_export if self.is_exported else _load_script)(path, device)
        self.input_shape: tuple[int | None, ...] = shape
        self.batch_size = batch_size if batch_size is not None else (shape[0] or 0) if shape else 0

    def forward(self, x: Float[Tensor, "n c h w"]) -> Any:
        """Return the program's output."""
        if not self.batch_size:
            return self.program(x)
        pieces = [
            self._run_piece(x[start : start + self.batch_size]) for start in range(0, len(x), self.batch_size)
        ]
        return concatenate_outputs(pieces, len(x))

    def _run_piece(self, x: Float[Tensor, "n c h w"]) -> Any:
        """Run a piece, padded to the fixed batch size with copies of its last input."""
        return self.program(torch.cat([x, *[x[-1:]] * (self.batch_size - len(x))]))

    def train(self, mode: bool = True) -> TorchProgram:
        """Set the mode of a TorchScript program; do nothing for an exported program, which has no modes."""
        if not self.is_exported:
            super().train(mode)
        return self

    def fingerprint(self) -> str:
        """Return the SHA-256 of the file."""
        return sha256_file(self.path)

    def __reduce__(self) -> Any:
        return TorchProgram, (self.path, self.device, self.batch_size)


def concatenate_outputs(pieces: list[Any], n: int) -> Any:
    """Concatenate the outputs of pieces to those of ``n`` inputs, tensor by tensor of a dict or tuple."""
    first = pieces[0]
    if isinstance(first, Tensor):
        return torch.cat(pieces)[:n]
    if isinstance(first, dict):
        return {key: concatenate_outputs([piece[key] for piece in pieces], n) for key in first}
    if isinstance(first, tuple | list):
        return tuple(concatenate_outputs(list(parts), n) for parts in zip(*pieces, strict=True))
    return first


def load_program(path: Path, device: str, spec: InputSpec | None) -> tuple[TorchProgram, InputSpec]:
    """Load a program on a device in evaluation mode, find its fixed batch size, and return it with its input spec.

    Args:
        path: a TorchScript file or a ``torch.export`` program.
        device: as PyTorch writes it.
        spec: input specification; None takes the size and channels stated in the file, if any.
    """
    program = TorchProgram(path, device).eval()
    spec = spec or _spec_of(path, program.input_shape)
    if not program.is_exported and not _takes_batches(program, spec):
        program.batch_size = 1
    if program.batch_size:
        rule = "%s has a fixed batch size of %d: it is run piece by piece, which is slow."
        log.warning(rule, path.name, program.batch_size)
    return program, spec


def _spec_of(path: Path, shape: tuple[int | None, ...]) -> InputSpec:
    if not shape:
        return InputSpec()
    if len(shape) != 4 or shape[1] not in (1, 3, None):
        raise ModelError(
            f"A model has one input, a batch of images (n, c, h, w) of 1 or 3 channels; {path.name} wants "
            f"{shape}: wrap it in a callable."
        )
    height, width = (size or default for size, default in zip(shape[2:], InputSpec().size_hw, strict=True))
    return InputSpec(size_hw=(height, width), colour="grey" if shape[1] == 1 else "rgb")


def _takes_batches(program: TorchProgram, spec: InputSpec) -> bool:
    """Return False if single inputs run, but two together fail or give other outputs than each alone."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(2, spec.channels, *spec.size_hw, generator=generator).to(program.device)
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            alone = concatenate_outputs([program(x[:1].clone()), program(x[1:].clone())], 2)
        # A program may raise anything; the failure is reported at the first real forward pass.
        except Exception:  # noqa: BLE001
            return True
        try:
            return _all_close(program(x.clone()), alone)
        except Exception:  # noqa: BLE001
            return False


def _all_close(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor):
        return a.shape == b.shape and torch.allclose(a, b, rtol=1e-3, atol=1e-4)
    values_a, values_b = (list(v.values()) if isinstance(v, dict) else list(v) for v in (a, b))
    return all(_all_close(one, other) for one, other in zip(values_a, values_b, strict=True))


def _load_script(path: Path, device: str) -> tuple[Any, tuple[int | None, ...]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return torch.jit.load(str(path), map_location=device), ()  # type: ignore[no-untyped-call]
        except (RuntimeError, ValueError) as error:
            raise _damaged(path, "a TorchScript file", error) from error


def _load_export(path: Path, device: str) -> tuple[Any, tuple[int | None, ...]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            check_archive(path)
            program = torch.export.load(str(path))
            if device != "cpu":
                from torch.export.passes import move_to_device_pass

                program = move_to_device_pass(program, device)
            return program.module(), _input_shape(program)
        except ModelError:
            raise
        # Graphs of other PyTorch versions fail in many ways.
        except Exception as error:
            raise _damaged(path, "a torch.export program", error) from error


def _input_shape(program: Any) -> tuple[int | None, ...]:
    """Return the shape of the first input, with None for each free dimension."""
    first = program.graph_signature.user_inputs[0]
    node = next(node for node in program.graph.nodes if node.name == first)
    return tuple(size if isinstance(size, int) else None for size in node.meta["val"].shape)


def _damaged(path: Path, what: str, error: BaseException) -> ModelError:
    return ModelError(
        f"{path.name} ({path.stat().st_size:,} bytes) is {what} that this version of PyTorch ({torch.__version__}) "
        f"cannot read: {one_line(error)[:200]}. Fetch or export it again."
    )
