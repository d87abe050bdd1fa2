"""RISE: what confidence remains when random parts of the input are seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, Int

from canonface.confidence import BoundConfidence
from canonface.engine import BatchSize, predict
from canonface.errors import OptionError
from canonface.methods.base import checked_attribution, number_within, whole_number
from canonface.methods.plain import check_plain, plain
from canonface.models import Model, checked_outputs
from canonface.occlusions import Occlusions


@dataclass(frozen=True)
class Rise:
    r"""Mean confidence over random masks, weighted by how much of the pixel each shows (eq. 6).

    $\frac{1}{p N} \sum_i f(I \odot M_i)\, M_i(\lambda)$. V. Petsiuk, A. Das, K. Saenko, "RISE: Randomized Input
    Sampling for Explanation of Black-box Models", BMVC 2018. Works for any model.

    Attributes:
        masks: N; the paper takes 4000 for VGG-16 and 8000 for ResNet-50.
        cells: side of the grid that a mask is enlarged from (h = w = 7).
        share: p, of the cells that are seen.
        fill: what stands where nothing is seen: ``black``, as the paper multiplies pixels by 0, ``mean`` or a colour.
        centred: take the mean confidence over all masks off each one first. It moves the whole map by about the same
            number, so that 0 means "no more than elsewhere", and takes out the noise of uneven masks; False is eq. 6.
        seed: of the masks; the same masks for every photo.
        batch: masks at once.
    """

    masks: int = 4000
    cells: int = 7
    share: float = 0.5
    fill: str = "black"
    centred: bool = True
    seed: int = 0
    batch: int = 32
    name: ClassVar[str] = "rise"

    def __post_init__(self) -> None:
        whole_number("masks", self.masks)
        whole_number("cells", self.cells)
        whole_number("batch", self.batch)
        whole_number("seed", self.seed, 0)
        number_within("share", self.share, 0, 1)
        check_plain("fill", self.fill)
        if not isinstance(self.centred, bool):
            raise OptionError(f"centred is True or False; got {self.centred!r}.")

    def describe(self) -> Mapping[str, Any]:
        """The choices that decide the result."""
        return {"name": self.name, **asdict(self)}

    def check(self, model: Model, confidence_fn: BoundConfidence | None) -> None:  # noqa: ARG002
        """See `canonface.methods.Method.check`."""
        if self.cells > min(model.spec.size_hw):
            raise OptionError(
                f"A mask has no more cells than the input has pixels; got cells={self.cells} for "
                f"{model.spec.size_hw[0]} x {model.spec.size_hw[1]}."
            )

    def attribute(
        self, model: Model, x: Float[np.ndarray, "c h w"], confidence_fn: BoundConfidence
    ) -> Float[np.ndarray, "h w"]:
        """See `canonface.methods.Method.heat`."""
        self.check(model, confidence_fn)
        height, width = x.shape[1:]
        seen = RandomMasks.drawn(self.masks, self.cells, self.share, (height, width), self.seed)
        hidden = plain(self.fill, x, model.spec)
        given, size = model.to_device(x), BatchSize(self.batch)
        weighted, shown, total = np.zeros((height, width)), np.zeros((height, width)), 0.0
        for start in range(0, self.masks, self.batch):
            masks = seen.part(start, start + self.batch)
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
    """Random grids, enlarged bilinearly to a little more than the input and cut out at random (section 3.2).

    Attributes:
        grids: ``(n, s, s)`` 1 where a cell is seen.
        shifts: ``(n, 2)`` first row and column of what is cut out.
        cell_hw: height and width of a cell in pixels.
        size_hw: of the masks.
    """

    grids: Float[np.ndarray, "n s s"]
    shifts: Int[np.ndarray, "n 2"]
    cell_hw: tuple[int, int]
    size_hw: tuple[int, int]

    @classmethod
    def drawn(cls, count: int, cells: int, share: float, size_hw: tuple[int, int], seed: int) -> RandomMasks:
        """So many masks by NumPy's PCG64 of a seed."""
        rng = np.random.default_rng(seed)
        grids = (rng.random((count, cells, cells)) < share).astype(np.float64)
        cell_hw = (-(-size_hw[0] // cells), -(-size_hw[1] // cells))
        return cls(grids, rng.integers(0, cell_hw, (count, 2)), cell_hw, size_hw)

    def part(self, start: int, end: int) -> Float[np.ndarray, "m h w"]:
        """Some of the masks, 0..1, ``float32``."""
        import cv2

        height, width = self.size_hw
        cells = self.grids.shape[1]
        large_wh = ((cells + 1) * self.cell_hw[1], (cells + 1) * self.cell_hw[0])
        masks = []
        for grid, (top, left) in zip(self.grids[start:end], self.shifts[start:end].tolist(), strict=True):
            large = cv2.resize(grid, large_wh, interpolation=cv2.INTER_LINEAR)
            masks.append(large[top : top + height, left : left + width])
        return np.asarray(masks, dtype=np.float32)
