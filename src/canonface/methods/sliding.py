"""A window that slides over the input, through captum: occlusion without a mesh."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from canonface.confidence import BoundConfidence
from canonface.errors import OptionError
from canonface.methods.base import checked_attribution, whole_number
from canonface.methods.borrowing import require_package
from canonface.methods.plain import check_plain, plain
from canonface.models import Model, checked_outputs
from canonface.occluders import default_patch


@dataclass(frozen=True)
class SlidingOcclusion:
    """Drop of the confidence when a window hides the pixel, the mean over the windows that do.

    M. D. Zeiler, R. Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014. Works for any model.

    Attributes:
        size: side of the window in pixels of the input; None: the default patch of canonface's own occluders.
        stride: pixels from one window to the next; None: a third of the side.
        fill: what hides: ``mean``, as canonface's own default, ``black`` or a colour; see `canonface.methods.plain`.
        batch: windows at once.
    """

    size: int | None = None
    stride: int | None = None
    fill: str = "mean"
    batch: int = 32
    name: ClassVar[str] = "occlusion"

    def __post_init__(self) -> None:
        for option in ("size", "stride"):
            if getattr(self, option) is not None:
                whole_number(option, getattr(self, option))
        whole_number("batch", self.batch)
        check_plain("fill", self.fill)

    def describe(self) -> Mapping[str, Any]:
        """The choices that decide the result."""
        return {"name": self.name, **asdict(self)}

    def check(self, model: Model, confidence_fn: BoundConfidence | None) -> None:  # noqa: ARG002
        """See `canonface.methods.Method.check`."""
        require_package(self.name, "captum")
        self._window(model.spec.size_hw)

    def attribute(
        self, model: Model, x: Float[np.ndarray, "c h w"], confidence_fn: BoundConfidence
    ) -> Float[np.ndarray, "h w"]:
        """See `canonface.methods.Method.heat`."""
        require_package(self.name, "captum")
        import torch
        from captum import attr

        def score(batch: Any) -> Any:
            predictions = checked_outputs(model, model.to_device(batch.numpy()))
            return torch.from_numpy(np.asarray(confidence_fn(predictions), dtype=np.float64))

        side, step = self._window((x.shape[1], x.shape[2]))
        with torch.no_grad():
            found = attr.Occlusion(score).attribute(
                torch.from_numpy(np.array(x, dtype=np.float32))[None],
                sliding_window_shapes=(len(x), side, side),
                strides=(len(x), step, step),
                baselines=torch.from_numpy(
                    np.array(np.broadcast_to(plain(self.fill, x, model.spec), x.shape))
                )[None],
                perturbations_per_eval=self.batch,
            )
        # A window hides all channels at once: they hold the same number.
        return checked_attribution(self.name, found[0, 0].double().numpy(), x.shape[1:])

    def _window(self, size_hw: tuple[int, int]) -> tuple[int, int]:
        """Side and step in pixels."""
        side = self.size or min(round(default_patch(size_hw[0])), *size_hw)
        step = self.stride or max(1, side // 3)
        if side > min(size_hw):
            raise OptionError(
                f"A window lies within the input of {size_hw[0]} x {size_hw[1]} pixels; got a side of {side}."
            )
        if step > side:
            raise OptionError(
                f"Windows leave no pixel out: stride is at most the side; got stride={step} for a side of {side}."
            )
        return side, step
