"""Perturbation methods for any model: a sliding window and RISE."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, Int

from canonface._deprecated import deprecated_attribute, renamed_parameters
from canonface.confidence import BoundConfidence
from canonface.engine import BatchSize, predict
from canonface.errors import OptionError
from canonface.methods.attribution import checked_attribution
from canonface.methods.autograd_context import require_package
from canonface.methods.base import number_within, whole_number
from canonface.models import Model, checked_outputs
from canonface.occluders.fills import check_plain_fill, plain_fill
from canonface.occluders.size import default_patch
from canonface.occlusions import Occlusions


@dataclass(frozen=True)
class SlidingOcclusion:
    """Mean drop of the confidence over the windows that hide a pixel, through captum.

    M. D. Zeiler, R. Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014. Works for any model.

    Attributes:
        size: side of the window in pixels of the input; None: the default patch of canonface's own occluders.
        stride: pixels between neighbouring windows; None: a third of the side.
        fill: ``mean``, canonface's own default, ``black`` or a colour; see `canonface.occluders.fills.plain_fill`.
        batch: windows in one forward pass.
    """

    size: int | None = None
    stride: int | None = None
    fill: str = "mean"
    batch: int = 32
    name: ClassVar[str] = "occlusion"

    heat = deprecated_attribute("attribute", question="confidence_fn")

    def __post_init__(self) -> None:
        for option in ("size", "stride"):
            if getattr(self, option) is not None:
                whole_number(option, getattr(self, option))
        whole_number("batch", self.batch)
        check_plain_fill("fill", self.fill)

    def describe(self) -> Mapping[str, Any]:
        """Return the options that decide the result."""
        return {"name": self.name, **asdict(self)}

    @renamed_parameters(question="confidence_fn")
    def check(self, model: Model, confidence_fn: BoundConfidence | None) -> None:  # noqa: ARG002
        """Raise if the window does not fit the input or captum is missing."""
        require_package(self.name, "captum")
        self._window(model.spec.size_hw)

    def attribute(
        self, model: Model, x: Float[np.ndarray, "c h w"], confidence_fn: BoundConfidence
    ) -> Float[np.ndarray, "h w"]:
        """Return the map; see `canonface.methods.Method.attribute`."""
        require_package(self.name, "captum")
        import torch
        from captum import attr

        def score(batch: Any) -> Any:
            outputs = checked_outputs(model, model.to_device(batch.numpy()))
            return torch.from_numpy(np.asarray(confidence_fn(outputs), dtype=np.float64))

        side, step = self._window((x.shape[1], x.shape[2]))
        with torch.no_grad():
            found = attr.Occlusion(score).attribute(
                torch.from_numpy(np.array(x, dtype=np.float32))[None],
                sliding_window_shapes=(len(x), side, side),
                strides=(len(x), step, step),
                baselines=torch.from_numpy(
                    np.array(np.broadcast_to(plain_fill(self.fill, x, model.spec), x.shape))
                )[None],
                perturbations_per_eval=self.batch,
            )
        # A window hides all channels at once: they hold the same number.
        return checked_attribution(self.name, found[0, 0].double().numpy(), x.shape[1:])

    def _window(self, size_hw: tuple[int, int]) -> tuple[int, int]:
        """Return side and step in pixels."""
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


@dataclass(frozen=True)
class Rise:
    r"""Mean confidence over random masks, weighted by the share of the pixel that each mask shows (eq. 6).

    $\frac{1}{p N} \sum_i f(I \odot M_i)\, M_i(\lambda)$. V. Petsiuk, A. Das, K. Saenko, "RISE: Randomized Input
    Sampling for Explanation of Black-box Models", BMVC 2018. Works for any model.

    Attributes:
        masks: N; the paper uses 4000 for VGG-16 and 8000 for ResNet-50.
        cells: side of the grid from which a mask is enlarged (h = w = 7).
        share: p, the share of the cells that are shown.
        fill: the masked parts: ``black``, as the paper multiplies pixels by 0, ``mean`` or a colour.
        centred: subtract the mean confidence over all masks from each confidence. This shifts the whole map by about
            the same number, so that 0 means "no more than elsewhere", and removes the noise of uneven masks; False
            is eq. 6.
        seed: seed of the masks; every photo gets the same masks.
        batch: masks in one forward pass.
    """

    masks: int = 4000
    cells: int = 7
    share: float = 0.5
    fill: str = "black"
    centred: bool = True
    seed: int = 0
    batch: int = 32
    name: ClassVar[str] = "rise"

    heat = deprecated_attribute("attribute", question="confidence_fn")

    def __post_init__(self) -> None:
        whole_number("masks", self.masks)
        whole_number("cells", self.cells)
        whole_number("batch", self.batch)
        whole_number("seed", self.seed, 0)
        number_within("share", self.share, 0, 1)
        check_plain_fill("fill", self.fill)
        if not isinstance(self.centred, bool):
            raise OptionError(f"centred is True or False; got {self.centred!r}.")

    def describe(self) -> Mapping[str, Any]:
        """Return the options that decide the result."""
        return {"name": self.name, **asdict(self)}

    @renamed_parameters(question="confidence_fn")
    def check(self, model: Model, confidence_fn: BoundConfidence | None) -> None:  # noqa: ARG002
        """Raise if a mask has more cells than the input has pixels."""
        if self.cells > min(model.spec.size_hw):
            raise OptionError(
                f"A mask has no more cells than the input has pixels; got cells={self.cells} for "
                f"{model.spec.size_hw[0]} x {model.spec.size_hw[1]}."
            )

    def attribute(
        self, model: Model, x: Float[np.ndarray, "c h w"], confidence_fn: BoundConfidence
    ) -> Float[np.ndarray, "h w"]:
        """Return the map; see `canonface.methods.Method.attribute`."""
        self.check(model, confidence_fn)
        height, width = x.shape[1:]
        drawn = RandomMasks.drawn(self.masks, self.cells, self.share, (height, width), self.seed)
        hidden = plain_fill(self.fill, x, model.spec)
        given, size = model.to_device(x), BatchSize(self.batch)
        weighted, shown, total = np.zeros((height, width)), np.zeros((height, width)), 0.0
        for start in range(0, self.masks, self.batch):
            masks = drawn.part(start, start + self.batch)
            boxes = np.tile([0, 0, width, height], (len(masks), 1))
            pictures = [x * mask + hidden * (1 - mask) for mask in masks]
            outputs = predict(
                lambda batch: checked_outputs(model, batch), given, Occlusions(boxes, pictures), size
            )
            confidences = confidence_fn(outputs)
            weighted += np.tensordot(confidences, masks, axes=1)
            shown += masks.sum(axis=0)
            total += float(confidences.sum())
        centre = total / self.masks if self.centred else 0.0
        return checked_attribution(
            self.name, (weighted - centre * shown) / (self.share * self.masks), (height, width)
        )


@dataclass(frozen=True, eq=False)
class RandomMasks:
    """Random grids, enlarged bilinearly to a little more than the input and cropped at random (section 3.2).

    Attributes:
        grids: ``(n, s, s)`` 1 where a cell is shown.
        shifts: ``(n, 2)`` first row and column of the crop.
        cell_hw: height and width of a cell in pixels.
        size_hw: height and width of the masks.
    """

    grids: Float[np.ndarray, "n s s"]
    shifts: Int[np.ndarray, "n 2"]
    cell_hw: tuple[int, int]
    size_hw: tuple[int, int]

    @classmethod
    def drawn(cls, count: int, cells: int, share: float, size_hw: tuple[int, int], seed: int) -> RandomMasks:
        """Return ``count`` masks drawn by NumPy's PCG64 from a seed."""
        rng = np.random.default_rng(seed)
        grids = (rng.random((count, cells, cells)) < share).astype(np.float64)
        cell_hw = (-(-size_hw[0] // cells), -(-size_hw[1] // cells))
        return cls(grids, rng.integers(0, cell_hw, (count, 2)), cell_hw, size_hw)

    def part(self, start: int, end: int) -> Float[np.ndarray, "m h w"]:
        """Return the masks from ``start`` to ``end``, 0..1, ``float32``."""
        import cv2

        height, width = self.size_hw
        cells = self.grids.shape[1]
        large_wh = ((cells + 1) * self.cell_hw[1], (cells + 1) * self.cell_hw[0])
        masks = []
        for grid, (top, left) in zip(self.grids[start:end], self.shifts[start:end].tolist(), strict=True):
            large = cv2.resize(grid, large_wh, interpolation=cv2.INTER_LINEAR)
            masks.append(large[top : top + height, left : left + width])
        return np.asarray(masks, dtype=np.float32)
