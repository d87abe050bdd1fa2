"""The kernels as functions of tensors: what they compute, and what they ask of their arguments.

Layout, the same for all of them:

- a *windows table* is a C-contiguous int32 array ``(p, 6)``, one window a probe: ``y, x, height, width, first,
  photo``. The window lies at ``(y, x)`` on the layer's map, wholly inside it, and may be empty; its cell ``(i, j)``
  is row ``first + i * width + j`` of ``rows``; ``photo`` says which photo's base maps the probe refers to;
- ``rows`` is a float32 tensor ``(r, c)``: how far each cell's activation is from the photo's; outside its window a
  probe changes nothing;
- a *base map* is a float32 tensor ``(photos * height * width, c)``: activations of the photos themselves.

Every function writes into ``out``, whose windows the caller chose (:mod:`canonface.engine` does that by interval
arithmetic), and raises ``ValueError`` rather than reading or writing out of bounds.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

from canonface.engine.native.arguments import (
    ONE,
    Epilogue,
    Pair,
    Windows,
    base_map,
    deltas,
    epilogue_argument,
    filter_argument,
    floats,
    in_out,
    pointer,
)
from canonface.engine.native.packed import (
    ALGORITHMS,
    PackedCells,
    PackedConv,
    PackedDepthwise,
    algorithm_number,
)
from canonface.functional import Tensor

_INTERFACE = 2
"""Version of the C interface below; the sources hold the same number."""


class Library:
    """One compiled variant of the kernels.

    Args:
        path: the shared library, from :func:`canonface.engine.native.build`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._native = ctypes.CDLL(str(path))
        self._native.canonface_instruction_set.restype = ctypes.c_char_p
        self._native.canonface_interface.restype = ctypes.c_int
        if (found := self._native.canonface_interface()) != _INTERFACE:
            raise OSError(
                f"{path} has interface {found}, this canonface needs {_INTERFACE}: delete the file."
            )
        self._native.canonface_use_large_pages.restype = None
        for name in _SIZES:
            getattr(self._native, name).restype = ctypes.c_int64
        for name in _KERNELS:
            getattr(self._native, name).restype = ctypes.c_char_p

    def __repr__(self) -> str:
        return f"Library({self.instruction_set})"

    @property
    def instruction_set(self) -> str:
        """What the kernels were compiled for: "avx512", "avx2" or "portable"."""
        return str(self._native.canonface_instruction_set().decode())

    def pack_conv(
        self, weight: Tensor, stride: Pair = ONE, dilation: Pair = ONE, algorithm: str = "auto"
    ) -> PackedConv:
        """Put the weights of a convolution in order, once a model.

        Args:
            weight: ``(out, in, kernel height, kernel width)``, of any float type; its groups are 1.
            stride: of rows and columns.
            dilation: of rows and columns.
            algorithm: "gathered" multiplies gathered cells; "toom-cook" multiplies values of polynomials, which
                needs fewer multiplications and rounds more (5e-6 of the typical value instead of 1e-6), for
                kernels 3x3, dilation 1 and stride 1 or 2; "strassen" and "strassen-twice" make seven products of
                halves instead of eight, once or twice over, for depths and outputs that can be cut so; "auto"
                chooses the fastest one.

        Returns:
            The weights, for this library only.
        """
        import torch

        weight = weight.detach().to("cpu", torch.float64).contiguous()
        outputs, inputs, kernel_y, kernel_x = weight.shape
        kernel = (kernel_y, kernel_x)
        chosen = algorithm_number(algorithm, inputs, outputs, kernel, stride, dilation)
        filter_ = filter_argument(kernel, stride, dilation)
        sizes = (ctypes.c_int64(inputs), ctypes.c_int64(outputs), ctypes.byref(filter_), ctypes.c_int(chosen))
        panels = self.memory(self._native.canonface_packed_conv_size(*sizes))
        self._call("canonface_pack_conv", pointer(weight), *sizes, pointer(panels))
        return PackedConv(panels, inputs, outputs, kernel, stride, dilation, chosen)

    def pack_depthwise(self, weight: Tensor) -> PackedDepthwise:
        """Put the weights of a depthwise convolution in order: ``(c, 1, kernel height, kernel width)``."""
        import torch

        channels, _, kernel_y, kernel_x = weight.shape
        taps = (
            weight.detach().to("cpu", torch.float32).reshape(channels, kernel_y * kernel_x).t().contiguous()
        )
        return PackedDepthwise(taps, channels, (kernel_y, kernel_x))

    def pack_cells(self, weight: Tensor, channels: int, map_hw: Pair) -> PackedCells:
        """Put the weights of the layer after a flattened map in order.

        Args:
            weight: ``(outputs, channels * height * width)`` in the order of ``torch.flatten`` of ``(c, h, w)``.
            channels: of the map.
            map_hw: height and width of the map.
        """
        import torch

        weight = weight.detach().to("cpu", torch.float32).contiguous()
        outputs = weight.shape[0]
        cells = map_hw[0] * map_hw[1]
        if weight.shape[1] != channels * cells:
            raise ValueError(f"A map of {channels} x {map_hw} does not flatten to {weight.shape[1]} values.")
        sizes = (ctypes.c_int64(outputs), ctypes.c_int64(channels), ctypes.c_int64(cells))
        panels = self.memory(self._native.canonface_packed_cells_size(*sizes))
        self._call("canonface_pack_cells", pointer(weight), *sizes, pointer(panels))
        return PackedCells(panels, channels, outputs, map_hw)

    def conv(
        self,
        packed: PackedConv,
        rows: Tensor,
        windows: Windows,
        out_windows: Windows,
        out: Tensor,
        padding: Pair = (0, 0),
        epilogue: Epilogue | None = None,
        threads: int = 1,
        residual: tuple[Tensor, Windows] | None = None,
    ) -> None:
        """Convolution, and what follows it: ``out`` becomes ``g(before + convolved + residual) - g(before)``.

        Args:
            packed: weights, from :meth:`pack_conv`.
            rows: changes of the input.
            windows: where they lie.
            out_windows: where the changes of the output lie.
            out: ``(r, out channels)``; written.
            padding: rows above and columns left of the input's map.
            epilogue: the activation that follows, if any.
            threads: how many to use.
            residual: ``(rows, windows)`` on the output's map, added before the activation.
        """
        filter_ = filter_argument(packed.kernel, packed.stride, packed.dilation, padding)
        self._call(
            "canonface_conv",
            pointer(packed.panels),
            ctypes.byref(filter_),
            ctypes.c_int(packed.algorithm),
            *in_out(rows, windows, packed.in_channels, out, out_windows, packed.out_channels),
            ctypes.byref(deltas(*residual, packed.out_channels, "residual")) if residual else None,
            ctypes.byref(epilogue_argument(epilogue, packed.out_channels)),
            ctypes.c_int(threads),
        )

    def depthwise(
        self,
        packed: PackedDepthwise,
        rows: Tensor,
        windows: Windows,
        out_windows: Windows,
        out: Tensor,
        stride: Pair = ONE,
        padding: Pair = (0, 0),
        dilation: Pair = ONE,
        epilogue: Epilogue | None = None,
        threads: int = 1,
        residual: tuple[Tensor, Windows] | None = None,
    ) -> None:
        """Convolution that keeps its channels apart (groups = in channels = out channels); as :meth:`conv`."""
        filter_ = filter_argument(packed.kernel, stride, dilation, padding)
        self._call(
            "canonface_depthwise",
            pointer(packed.taps),
            ctypes.byref(filter_),
            *in_out(rows, windows, packed.channels, out, out_windows, packed.channels),
            ctypes.byref(deltas(*residual, packed.channels, "residual")) if residual else None,
            ctypes.byref(epilogue_argument(epilogue, packed.channels)),
            ctypes.c_int(threads),
        )

    def separable(
        self,
        packed: PackedDepthwise,
        packed_conv: PackedConv,
        rows: Tensor,
        windows: Windows,
        out_windows: Windows,
        out: Tensor,
        stride: Pair = ONE,
        padding: Pair = (0, 0),
        dilation: Pair = ONE,
        between: Epilogue | None = None,
        epilogue: Epilogue | None = None,
        threads: int = 1,
        residual: tuple[Tensor, Windows] | None = None,
    ) -> None:
        """`depthwise` and a convolution 1x1 of what it makes: the rows between them are never written to memory.

        The multiplications by what is zero between them are left out.

        Args:
            packed: weights of the first.
            packed_conv: weights of the second, packed for the algorithm "gathered".
            rows: changes of the input.
            windows: where they lie.
            out_windows: where the changes of the output lie.
            out: ``(r, out channels)``; written.
            stride: of the first, as what follows.
            padding: rows above and columns left of the input's map.
            dilation: of rows and columns.
            between: the activation between the two.
            epilogue: the activation that follows.
            threads: how many to use.
            residual: ``(rows, windows)`` on the output's map, added before the activation.
        """
        plain = (packed_conv.kernel, packed_conv.stride, packed_conv.algorithm)
        if plain != (ONE, ONE, ALGORITHMS["gathered"]) or packed_conv.in_channels != packed.channels:
            raise ValueError(
                f"What follows a depthwise convolution of {packed.channels} channels must be 1x1 of as many, packed "
                f'for the algorithm "gathered"; got {packed_conv}.'
            )
        filter_ = filter_argument(packed.kernel, stride, dilation, padding)
        self._call(
            "canonface_separable",
            pointer(packed.taps),
            ctypes.byref(filter_),
            ctypes.byref(epilogue_argument(between, packed.channels)),
            pointer(packed_conv.panels),
            *in_out(rows, windows, packed.channels, out, out_windows, packed_conv.out_channels),
            ctypes.byref(deltas(*residual, packed_conv.out_channels, "residual")) if residual else None,
            ctypes.byref(epilogue_argument(epilogue, packed_conv.out_channels)),
            ctypes.c_int(threads),
        )

    def max_pool(
        self,
        rows: Tensor,
        windows: Windows,
        out_windows: Windows,
        out: Tensor,
        base_in: Tensor,
        base_out: Tensor,
        in_hw: Pair,
        out_hw: Pair,
        kernel: Pair,
        stride: Pair,
        padding: Pair = (0, 0),
        dilation: Pair = ONE,
        threads: int = 1,
    ) -> None:
        """Max pooling: the greatest of ``base_in`` + change under the kernel, less ``base_out``.

        Args:
            rows: changes of the input.
            windows: where they lie.
            out_windows: where the changes of the output lie.
            out: ``(r, c)``; written.
            base_in: base map of the input.
            base_out: base map of the output.
            in_hw: height and width of the input's map.
            out_hw: height and width of the output's map.
            kernel: height and width.
            stride: of rows and columns.
            padding: rows above and columns left of the input's map; what lies there is never the greatest.
            dilation: of rows and columns.
            threads: how many to use.
        """
        channels = int(out.shape[1])
        filter_ = filter_argument(kernel, stride, dilation, padding)
        self._call(
            "canonface_max_pool",
            ctypes.byref(filter_),
            *in_out(rows, windows, channels, out, out_windows, channels),
            ctypes.byref(base_map(base_in, in_hw, channels, "base_in")),
            ctypes.byref(base_map(base_out, out_hw, channels, "base_out")),
            ctypes.c_int(threads),
        )

    def avg_pool(
        self,
        rows: Tensor,
        windows: Windows,
        out_windows: Windows,
        out: Tensor,
        in_hw: Pair,
        kernel: Pair,
        stride: Pair,
        padding: Pair = (0, 0),
        divisor: float | None = None,
        threads: int = 1,
    ) -> None:
        """Average pooling: the sum of the changes under the kernel over ``divisor``.

        ``divisor`` None divides by the number of the kernel's cells inside the map (``count_include_pad=False``).
        The other arguments are those of :meth:`max_pool`.
        """
        channels = int(out.shape[1])
        filter_ = filter_argument(kernel, stride, ONE, padding)
        self._call(
            "canonface_avg_pool",
            ctypes.byref(filter_),
            *in_out(rows, windows, channels, out, out_windows, channels),
            ctypes.c_int64(in_hw[0]),
            ctypes.c_int64(in_hw[1]),
            ctypes.c_float(0.0 if divisor is None else divisor),
            ctypes.c_int(threads),
        )

    def add(
        self,
        rows_a: Tensor,
        windows_a: Windows,
        rows_b: Tensor,
        windows_b: Windows,
        out_windows: Windows,
        out: Tensor,
        sign: float = 1.0,
        epilogue: Epilogue | None = None,
        threads: int = 1,
    ) -> None:
        """``a + sign * b`` where each has its own windows and is zero outside them, then the activation."""
        channels = int(out.shape[1])
        self._call(
            "canonface_add",
            *in_out(rows_a, windows_a, channels, out, out_windows, channels),
            ctypes.byref(deltas(rows_b, windows_b, channels, "rows_b")),
            ctypes.c_float(sign),
            ctypes.byref(epilogue_argument(epilogue, channels)),
            ctypes.c_int(threads),
        )

    def place(
        self,
        rows: Tensor,
        windows: Windows,
        out_windows: Windows,
        out: Tensor,
        first_channel: int = 0,
        threads: int = 1,
    ) -> None:
        """Copy ``rows`` into the channels from ``first_channel`` of ``out``; zero where they have no cell."""
        self._call(
            "canonface_place",
            *in_out(rows, windows, int(rows.shape[1]), out, out_windows, int(out.shape[1])),
            ctypes.c_int64(first_channel),
            ctypes.c_int(threads),
        )

    def scale(self, rows: Tensor, factor: Tensor, out: Tensor, threads: int = 1) -> None:
        """``rows`` times a factor for each channel; ``out`` may be ``rows``."""
        if rows.shape != out.shape or factor.shape != rows.shape[1:]:
            raise ValueError(f"Shapes {rows.shape}, {factor.shape} and {out.shape} do not fit each other.")
        self._call(
            "canonface_scale",
            pointer(floats(rows, "rows")),
            pointer(floats(factor, "factor")),
            pointer(floats(out, "out")),
            ctypes.c_int64(rows.shape[0]),
            ctypes.c_int64(rows.shape[1]),
            ctypes.c_int(threads),
        )

    def activate(
        self, rows: Tensor, windows: Windows, epilogue: Epilogue, out: Tensor, threads: int = 1
    ) -> None:
        """An activation on its own; ``out`` has the windows of ``rows`` and may be ``rows``."""
        channels = int(rows.shape[1])
        self._call(
            "canonface_activate",
            *in_out(rows, windows, channels, out, windows, channels),
            ctypes.byref(epilogue_argument(epilogue, channels)),
            ctypes.c_int(threads),
        )

    def cells_linear(
        self, packed: PackedCells, rows: Tensor, windows: Windows, out: Tensor, threads: int = 1
    ) -> None:
        """A fully connected layer on a flattened map, by the cells that changed; added to ``out`` ``(p, outputs)``.

        The weights of a cell are read once a call: give it hundreds of probes.
        """
        if tuple(out.shape) != (len(windows), packed.outputs):
            raise ValueError(f"out must be {(len(windows), packed.outputs)}; got {tuple(out.shape)}.")
        self._call(
            "canonface_cells_linear",
            pointer(packed.panels),
            ctypes.c_int64(packed.map_hw[0]),
            ctypes.c_int64(packed.map_hw[1]),
            ctypes.byref(deltas(rows, windows, packed.channels, "rows")),
            pointer(floats(out, "out")),
            ctypes.c_int64(packed.outputs),
            ctypes.c_int(threads),
        )

    def pool_sum(self, rows: Tensor, windows: Windows, factor: float, out: Tensor, threads: int = 1) -> None:
        """Sums of each window's rows times ``factor``, into ``out`` ``(p, c)``: global average pooling."""
        channels = int(rows.shape[1])
        if tuple(out.shape) != (len(windows), channels):
            raise ValueError(f"out must be {(len(windows), channels)}; got {tuple(out.shape)}.")
        self._call(
            "canonface_pool_sum",
            ctypes.byref(deltas(rows, windows, channels, "rows")),
            ctypes.c_float(factor),
            pointer(floats(out, "out")),
            ctypes.c_int(threads),
        )

    def memory(self, count: int) -> Tensor:
        """An uninitialised tensor ``(count,)``, on large pages where the system has them.

        Fresh memory costs a kernel as much as its work does: keep such a tensor for the rows of many calls.
        """
        import torch

        page = 2**21 // 4 if count >= 2**20 else 16
        tensor = torch.empty(count + page)
        skipped = -tensor.data_ptr() // 4 % page
        tensor = tensor[skipped : skipped + count]
        if page > 16:
            self._native.canonface_use_large_pages(pointer(tensor), ctypes.c_int64(4 * count))
        return tensor

    def _call(self, name: str, *arguments: object) -> None:
        """Call a kernel; it answers with what is wrong with its arguments, or nothing."""
        if complaint := getattr(self._native, name)(*arguments):
            raise ValueError(f"{name.removeprefix('canonface_')}: {complaint.decode()}")


_SIZES = ("canonface_packed_conv_size", "canonface_packed_cells_size")
_KERNELS = (
    "canonface_pack_conv",
    "canonface_pack_cells",
    "canonface_conv",
    "canonface_depthwise",
    "canonface_separable",
    "canonface_max_pool",
    "canonface_avg_pool",
    "canonface_add",
    "canonface_place",
    "canonface_scale",
    "canonface_activate",
    "canonface_cells_linear",
    "canonface_pool_sum",
)
