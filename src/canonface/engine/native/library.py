"""Library of compiled kernels, as functions of tensors.

Layout, the same for all of them:

- a *windows table* is a C-contiguous int32 array ``(p, 6)``, one window per probe: ``y, x, height, width, first,
  photo``. The window lies at ``(y, x)`` on the layer's map, wholly inside it, and may be empty; its cell ``(i, j)``
  is row ``first + i * width + j`` of ``rows``; ``photo`` is the photo whose base maps the probe refers to;
- ``rows`` is a float32 tensor ``(r, c)``: the difference of each cell's activation from the photo's; outside its
  window a probe changes nothing;
- a *base map* is a float32 tensor ``(photos * height * width, c)``: activations of the photos themselves.

Every function writes into ``out``, whose windows the caller chose (:mod:`canonface.engine` does that by interval
arithmetic), and raises ``ValueError`` rather than reading or writing out of bounds.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

from canonface.engine.native.arguments import (
    ALGORITHMS,
    ONE,
    Epilogue,
    PackedCells,
    PackedConv,
    PackedDepthwise,
    Pair,
    Windows,
    algorithm_number,
    checked_floats,
    deltas_argument,
    epilogue_argument,
    filter_argument,
    in_out_arguments,
    map_argument,
    pointer,
)
from canonface.functional import Tensor

_INTERFACE = 2
"""Version of the C interface below; the C++ sources hold the same number."""


class Library:
    """Compiled variant of the kernels.

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
        """Return the instruction set that the kernels were compiled for: "avx512", "avx2" or "portable"."""
        return str(self._native.canonface_instruction_set().decode())

    def pack_conv(
        self, weight: Tensor, stride: Pair = ONE, dilation: Pair = ONE, algorithm: str = "auto"
    ) -> PackedConv:
        """Pack the weights of a convolution, once per model.

        Args:
            weight: ``(out, in, kernel height, kernel width)``, of any float type; its groups are 1.
            stride: stride of rows and columns.
            dilation: dilation of rows and columns.
            algorithm: "im2col" multiplies the cells under the kernel; "toom-cook" multiplies values of polynomials,
                which needs fewer multiplications and rounds more (5e-6 of the typical value instead of 1e-6), for
                kernels 3x3, dilation 1 and stride 1 or 2; "strassen" and "strassen-twice" make seven products of
                halves instead of eight, once or twice over, for depths and outputs that can be cut so; "auto"
                takes the fastest one.

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
        """Pack the weights of a depthwise convolution: ``(c, 1, kernel height, kernel width)``."""
        import torch

        channels, _, kernel_y, kernel_x = weight.shape
        taps = (
            weight.detach().to("cpu", torch.float32).reshape(channels, kernel_y * kernel_x).t().contiguous()
        )
        return PackedDepthwise(taps, channels, (kernel_y, kernel_x))

    def pack_cells(self, weight: Tensor, channels: int, map_hw: Pair) -> PackedCells:
        """Pack the weights of the layer after a flattened map.

        Args:
            weight: ``(outputs, channels * height * width)`` in the order of ``torch.flatten`` of ``(c, h, w)``.
            channels: channels of the map.
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
        """Compute a convolution and its activation: ``out`` becomes ``g(before + convolved + residual) - g(before)``.

        Args:
            packed: weights, from :meth:`pack_conv`.
            rows: deltas of the input.
            windows: windows of the input deltas.
            out_windows: windows of the output deltas.
            out: ``(r, out channels)``; written.
            padding: rows above and columns left of the input's map.
            epilogue: the activation that follows, if any.
            threads: number of threads.
            residual: ``(rows, windows)`` on the output's map, added before the activation.
        """
        filter_ = filter_argument(packed.kernel, packed.stride, packed.dilation, padding)
        self._call(
            "canonface_conv",
            pointer(packed.panels),
            ctypes.byref(filter_),
            ctypes.c_int(packed.algorithm),
            *in_out_arguments(rows, windows, packed.in_channels, out, out_windows, packed.out_channels),
            ctypes.byref(deltas_argument(*residual, packed.out_channels, "residual")) if residual else None,
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
        """Compute a depthwise convolution (groups = in and out channels) and its activation: see :meth:`conv`."""
        filter_ = filter_argument(packed.kernel, stride, dilation, padding)
        self._call(
            "canonface_depthwise",
            pointer(packed.taps),
            ctypes.byref(filter_),
            *in_out_arguments(rows, windows, packed.channels, out, out_windows, packed.channels),
            ctypes.byref(deltas_argument(*residual, packed.channels, "residual")) if residual else None,
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
        """Compute `depthwise` and a 1x1 convolution of its output; the rows in between are never written to memory.

        Multiplications by zeros in between are left out.

        Args:
            packed: weights of the depthwise convolution.
            packed_conv: weights of the 1x1 convolution, packed for the algorithm "im2col".
            rows: deltas of the input.
            windows: windows of the input deltas.
            out_windows: windows of the output deltas.
            out: ``(r, out channels)``; written.
            stride: stride of the depthwise convolution.
            padding: rows above and columns left of the input's map.
            dilation: dilation of rows and columns.
            between: the activation between the two.
            epilogue: the activation that follows.
            threads: number of threads.
            residual: ``(rows, windows)`` on the output's map, added before the activation.
        """
        plain = (packed_conv.kernel, packed_conv.stride, packed_conv.algorithm)
        if plain != (ONE, ONE, ALGORITHMS["im2col"]) or packed_conv.in_channels != packed.channels:
            raise ValueError(
                f"What follows a depthwise convolution of {packed.channels} channels must be 1x1 of as many, packed "
                f'for the algorithm "im2col"; got {packed_conv}.'
            )
        filter_ = filter_argument(packed.kernel, stride, dilation, padding)
        self._call(
            "canonface_separable",
            pointer(packed.taps),
            ctypes.byref(filter_),
            ctypes.byref(epilogue_argument(between, packed.channels)),
            pointer(packed_conv.panels),
            *in_out_arguments(rows, windows, packed.channels, out, out_windows, packed_conv.out_channels),
            ctypes.byref(deltas_argument(*residual, packed_conv.out_channels, "residual"))
            if residual
            else None,
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
        """Compute max pooling: the maximum of ``base_in`` + delta under the kernel, less ``base_out``.

        Args:
            rows: deltas of the input.
            windows: windows of the input deltas.
            out_windows: windows of the output deltas.
            out: ``(r, c)``; written.
            base_in: base map of the input.
            base_out: base map of the output.
            in_hw: height and width of the input's map.
            out_hw: height and width of the output's map.
            kernel: height and width.
            stride: stride of rows and columns.
            padding: rows above and columns left of the input's map, which are never the maximum.
            dilation: dilation of rows and columns.
            threads: number of threads.
        """
        channels = int(out.shape[1])
        filter_ = filter_argument(kernel, stride, dilation, padding)
        self._call(
            "canonface_max_pool",
            ctypes.byref(filter_),
            *in_out_arguments(rows, windows, channels, out, out_windows, channels),
            ctypes.byref(map_argument(base_in, in_hw, channels, "base_in")),
            ctypes.byref(map_argument(base_out, out_hw, channels, "base_out")),
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
        """Compute average pooling: the sum of the deltas under the kernel over ``divisor``.

        ``divisor`` None divides by the number of the kernel's cells inside the map (``count_include_pad=False``).
        The other arguments are those of :meth:`max_pool`.
        """
        channels = int(out.shape[1])
        filter_ = filter_argument(kernel, stride, ONE, padding)
        self._call(
            "canonface_avg_pool",
            ctypes.byref(filter_),
            *in_out_arguments(rows, windows, channels, out, out_windows, channels),
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
        """Compute ``a + sign * b``, each zero outside its own windows, and the activation."""
        channels = int(out.shape[1])
        self._call(
            "canonface_add",
            *in_out_arguments(rows_a, windows_a, channels, out, out_windows, channels),
            ctypes.byref(deltas_argument(rows_b, windows_b, channels, "rows_b")),
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
            *in_out_arguments(rows, windows, int(rows.shape[1]), out, out_windows, int(out.shape[1])),
            ctypes.c_int64(first_channel),
            ctypes.c_int(threads),
        )

    def scale(self, rows: Tensor, factor: Tensor, out: Tensor, threads: int = 1) -> None:
        """Multiply ``rows`` by a factor per channel; ``out`` may be ``rows``."""
        if rows.shape != out.shape or factor.shape != rows.shape[1:]:
            raise ValueError(f"Shapes {rows.shape}, {factor.shape} and {out.shape} do not fit each other.")
        self._call(
            "canonface_scale",
            pointer(checked_floats(rows, "rows")),
            pointer(checked_floats(factor, "factor")),
            pointer(checked_floats(out, "out")),
            ctypes.c_int64(rows.shape[0]),
            ctypes.c_int64(rows.shape[1]),
            ctypes.c_int(threads),
        )

    def activate(
        self, rows: Tensor, windows: Windows, epilogue: Epilogue, out: Tensor, threads: int = 1
    ) -> None:
        """Apply an activation; ``out`` has the windows of ``rows`` and may be ``rows``."""
        channels = int(rows.shape[1])
        self._call(
            "canonface_activate",
            *in_out_arguments(rows, windows, channels, out, windows, channels),
            ctypes.byref(epilogue_argument(epilogue, channels)),
            ctypes.c_int(threads),
        )

    def cells_linear(
        self, packed: PackedCells, rows: Tensor, windows: Windows, out: Tensor, threads: int = 1
    ) -> None:
        """Add a fully connected layer's outputs for the changed cells of a flattened map to ``out`` ``(p, outputs)``.

        The weights of a cell are read once per call: pass hundreds of probes.
        """
        if tuple(out.shape) != (len(windows), packed.outputs):
            raise ValueError(f"out must be {(len(windows), packed.outputs)}; got {tuple(out.shape)}.")
        self._call(
            "canonface_cells_linear",
            pointer(packed.panels),
            ctypes.c_int64(packed.map_hw[0]),
            ctypes.c_int64(packed.map_hw[1]),
            ctypes.byref(deltas_argument(rows, windows, packed.channels, "rows")),
            pointer(checked_floats(out, "out")),
            ctypes.c_int64(packed.outputs),
            ctypes.c_int(threads),
        )

    def pool_sum(self, rows: Tensor, windows: Windows, factor: float, out: Tensor, threads: int = 1) -> None:
        """Write the sums of each window's rows times ``factor`` to ``out`` ``(p, c)``: global average pooling."""
        channels = int(rows.shape[1])
        if tuple(out.shape) != (len(windows), channels):
            raise ValueError(f"out must be {(len(windows), channels)}; got {tuple(out.shape)}.")
        self._call(
            "canonface_pool_sum",
            ctypes.byref(deltas_argument(rows, windows, channels, "rows")),
            ctypes.c_float(factor),
            pointer(checked_floats(out, "out")),
            ctypes.c_int(threads),
        )

    def memory(self, count: int) -> Tensor:
        """Return an uninitialised tensor ``(count,)``, on large pages if the system has them.

        New memory costs a kernel as much as its work: keep such a tensor for the rows of many calls.
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
        """Call a kernel; raise ValueError with its complaint about an argument, if any."""
        if error := getattr(self._native, name)(*arguments):
            raise ValueError(f"{name.removeprefix('canonface_')}: {error.decode()}")


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
