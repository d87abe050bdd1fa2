"""TorchScript files and ``torch.export`` programs as PyTorch modules.

Both are programs, and run when they are loaded already: a script's ``__setstate__`` in PyTorch's own interpreter,
whose operators write files too; the expressions of an exported program's shapes as Python. ``load_model`` asks for
the user's trust before anything here is called.
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


class Program(nn.Module):
    """A file's program, asked in pieces where its batch is frozen; travels to other processes as its path.

    Args:
        path: the file.
        device: where it computes.
        frozen: size of the batches that it takes; 0: any.

    Raises:
        ModelError: the file is not what its name says, is damaged or holds code.
    """

    def __init__(self, path: Path, device: str, frozen: int | None = None) -> None:
        super().__init__()
        self.path = path.resolve()
        self.device = device
        self.is_exported = checked_kind(path) == "export"
        self.program, shape = (_exported if self.is_exported else _scripted)(path, device)
        self.input_shape: tuple[int | None, ...] = shape
        self.frozen = frozen if frozen is not None else (shape[0] or 0) if shape else 0

    def forward(self, x: Float[Tensor, "n c h w"]) -> Any:
        """The program's answer."""
        if not self.frozen:
            return self.program(x)
        pieces = [self._piece(x[start : start + self.frozen]) for start in range(0, len(x), self.frozen)]
        return joined(pieces, len(x))

    def _piece(self, x: Float[Tensor, "n c h w"]) -> Any:
        """Answer to a piece, filled up to the frozen size with copies of its last input."""
        return self.program(torch.cat([x, *[x[-1:]] * (self.frozen - len(x))]))

    def train(self, mode: bool = True) -> Program:
        """The mode of a script; an exported program has none: it stays as it was exported."""
        if not self.is_exported:
            super().train(mode)
        return self

    def fingerprint(self) -> str:
        """SHA-256 of the file."""
        return sha256_file(self.path)

    def __reduce__(self) -> Any:
        return Program, (self.path, self.device, self.frozen)


def joined(pieces: list[Any], n: int) -> Any:
    """Answers to pieces as one answer to ``n`` inputs, each tensor of a dict or a tuple for itself."""
    first = pieces[0]
    if isinstance(first, Tensor):
        return torch.cat(pieces)[:n]
    if isinstance(first, dict):
        return {key: joined([piece[key] for piece in pieces], n) for key in first}
    if isinstance(first, tuple | list):
        return tuple(joined(list(parts), n) for parts in zip(*pieces, strict=True))
    return first


def load_program(path: Path, device: str, spec: InputSpec | None) -> tuple[Program, InputSpec]:
    """A file's program on a device, in evaluation mode, its frozen batch found out, and how it is shown a face.

    Args:
        path: a TorchScript file or a ``torch.export`` program.
        device: as PyTorch writes it.
        spec: how it wants to be shown a face; None: in the size and channels that the file says, if it says them.
    """
    program = Program(path, device).eval()
    spec = spec or _spec_of(path, program.input_shape)
    if not program.is_exported and not _takes_batches(program, spec):
        program.frozen = 1
    if program.frozen:
        rule = "%s is frozen at batches of %d: it is asked piece by piece, which is slow."
        log.warning(rule, path.name, program.frozen)
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


def _takes_batches(program: Program, spec: InputSpec) -> bool:
    """False if two inputs are not answered as each alone is, though one alone is answered."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(2, spec.channels, *spec.size_hw, generator=generator).to(program.device)
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            alone = joined([program(x[:1].clone()), program(x[1:].clone())], 2)
        # A program may raise anything; what is wrong is said when it is asked in earnest.
        except Exception:  # noqa: BLE001
            return True
        try:
            return _alike(program(x.clone()), alone)
        except Exception:  # noqa: BLE001
            return False


def _alike(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor):
        return a.shape == b.shape and torch.allclose(a, b, rtol=1e-3, atol=1e-4)
    values_a, values_b = (list(v.values()) if isinstance(v, dict) else list(v) for v in (a, b))
    return all(_alike(one, other) for one, other in zip(values_a, values_b, strict=True))


def _scripted(path: Path, device: str) -> tuple[Any, tuple[int | None, ...]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return torch.jit.load(str(path), map_location=device), ()  # type: ignore[no-untyped-call]
        except (RuntimeError, ValueError) as error:
            raise _damaged(path, "a TorchScript file", error) from error


def _exported(path: Path, device: str) -> tuple[Any, tuple[int | None, ...]]:
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
        # Graphs of other versions of PyTorch fail in many ways.
        except Exception as error:
            raise _damaged(path, "a torch.export program", error) from error


def _input_shape(program: Any) -> tuple[int | None, ...]:
    """Shape of the first input, None where a dimension is free."""
    first = program.graph_signature.user_inputs[0]
    node = next(node for node in program.graph.nodes if node.name == first)
    return tuple(size if isinstance(size, int) else None for size in node.meta["val"].shape)


def _damaged(path: Path, what: str, error: BaseException) -> ModelError:
    return ModelError(
        f"{path.name} ({path.stat().st_size:,} bytes) is {what} that this version of PyTorch ({torch.__version__}) "
        f"cannot read: {one_line(error)[:200]}. Fetch or export it again."
    )
