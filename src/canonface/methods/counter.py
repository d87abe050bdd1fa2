"""Counts of the images that a method shows a model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from canonface.models import Model, TorchModel


@dataclass(eq=False)
class Counted:
    """A model and the number of images it was shown.

    Attributes:
        model: use it in place of the original.
        images: number of images so far.
    """

    model: Model
    images: int = 0


@contextmanager
def counted(model: Model) -> Iterator[Counted]:
    """Count the images that a model is shown inside the context.

    A PyTorch module is counted by a hook, which is removed at the end; any other model by a wrapper.
    """
    count = Counted(model)
    if not isinstance(model, TorchModel):
        count.model = _Counting(model, count)
        yield count
        return

    def note(_module: Any, given: tuple[Any, ...]) -> None:
        count.images += len(given[0])

    handle = model.module.register_forward_pre_hook(note)
    try:
        yield count
    finally:
        handle.remove()


class _Counting:
    """Wrapper of any model that counts its inputs."""

    def __init__(self, model: Model, count: Counted) -> None:
        self._model, self._count = model, count

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def __call__(self, batch: Any) -> Any:
        self._count.images += len(batch)
        return self._model(batch)
