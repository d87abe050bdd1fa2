"""Speed of the native kernels: time per call, and rate relative to a matrix product.

    python benchmarks/native_kernels.py [--kernels WORD ...] [--threads 2] [--rounds 9] [--probes 64]
                                        [--simd avx512] [--algorithm im2col] [--against im2col] [--cpu-time]

Each line is a layer as it occurs in VGG-16, ResNet-50, IResNet-50 or MobileNetV2 with patches of 15 pixels. Rounds
are interleaved: every kernel once per round, and a matrix product (``torch.matmul``) as the yardstick. The rate of
a convolution counts the multiplications of the direct algorithm, whatever another one saves; so it may exceed the
yardstick. ``--against`` also times another algorithm and prints the gain: the median of its time over the first one's
in the same round. ``--cpu-time`` reads the CPU time of the process, for a loaded machine and one thread.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from canonface.engine.native import ActivationCode, Epilogue, Library, build

CONVOLUTIONS = (
    # name, map, window, in, out, kernel, stride
    ("vgg conv1_1", 224, 15, 3, 64, 3, 1),
    ("vgg conv1_2", 224, 17, 64, 64, 3, 1),
    ("vgg conv2_1", 112, 9, 64, 128, 3, 1),
    ("vgg conv2_2", 112, 11, 128, 128, 3, 1),
    ("vgg conv3_1", 56, 7, 128, 256, 3, 1),
    ("vgg conv3_2", 56, 9, 256, 256, 3, 1),
    ("vgg conv4_1", 28, 6, 256, 512, 3, 1),
    ("vgg conv4_2", 28, 8, 512, 512, 3, 1),
    ("vgg conv5_1", 14, 6, 512, 512, 3, 1),
    ("vgg conv5_2", 14, 8, 512, 512, 3, 1),
    ("resnet conv1 7x7/2", 224, 15, 3, 64, 7, 2),
    ("resnet 1x1 64-256", 56, 9, 64, 256, 1, 1),
    ("resnet 1x1 256-64", 56, 9, 256, 64, 1, 1),
    ("resnet 3x3/2 128", 56, 11, 128, 128, 3, 2),
    ("resnet 3x3 128", 28, 11, 128, 128, 3, 1),
    ("resnet 1x1 128-512", 28, 13, 128, 512, 1, 1),
    ("resnet 1x1 512-128", 28, 13, 512, 128, 1, 1),
    ("resnet 1x1/2 512-1024", 28, 15, 512, 1024, 1, 2),
    ("resnet 3x3 256", 14, 14, 256, 256, 3, 1),
    ("resnet 1x1 256-1024", 14, 14, 256, 1024, 1, 1),
    ("resnet 1x1 1024-256", 14, 14, 1024, 256, 1, 1),
    ("resnet 3x3/2 512", 14, 14, 512, 512, 3, 2),
    ("resnet 3x3 512", 7, 7, 512, 512, 3, 1),
    ("resnet 1x1 512-2048", 7, 7, 512, 2048, 1, 1),
    ("resnet 1x1 2048-512", 7, 7, 2048, 512, 1, 1),
    ("iresnet 3x3/2 64", 112, 19, 64, 64, 3, 2),
    ("iresnet 3x3 64", 56, 17, 64, 64, 3, 1),
    ("iresnet 3x3/2 128", 56, 25, 128, 128, 3, 2),
    ("iresnet 3x3 128", 28, 21, 128, 128, 3, 1),
    ("iresnet 3x3/2 256", 28, 28, 256, 256, 3, 2),
    ("mobilenet 1x1 16-96", 112, 10, 16, 96, 1, 1),
    ("mobilenet 1x1 144-24", 56, 8, 144, 24, 1, 1),
    ("mobilenet 1x1 384-64", 14, 11, 384, 64, 1, 1),
    ("mobilenet 1x1 96-576", 14, 13, 96, 576, 1, 1),
    ("mobilenet 1x1 960-160", 7, 7, 960, 160, 1, 1),
)

DEPTHWISE = (
    # name, map, window, channels, stride
    ("depthwise 96/2", 112, 10, 96, 2),
    ("depthwise 144", 56, 6, 144, 1),
    ("depthwise 384", 14, 9, 384, 1),
    ("depthwise 576", 14, 13, 576, 1),
    ("depthwise 960", 7, 7, 960, 1),
)


@dataclass
class Case:
    """Call of a kernel, with the multiplications and additions of the direct algorithm."""

    name: str
    call: Callable[[], object]
    operations: float
    algorithm: int = -1


def table(probes: int, side: int, map_side: int, seed: int) -> np.ndarray:
    """Return windows of one size at random places."""
    side = min(side, map_side)
    corner = np.random.default_rng(seed).integers(0, map_side - side + 1, (probes, 2))
    windows = np.zeros((probes, 6), np.int32)
    windows[:, :2] = corner
    windows[:, 2:4] = side
    windows[:, 4] = np.arange(probes) * side * side
    return windows


def reached(windows: np.ndarray, kernel: int, stride: int, padding: int, map_side: int) -> np.ndarray:
    """Return the output windows of a convolution."""
    first = np.maximum(-((kernel - 1 - padding - windows[:, :2]) // stride), 0)
    last = np.minimum((windows[:, :2] + windows[:, 2:4] - 1 + padding) // stride, map_side - 1)
    out = windows.copy()
    out[:, :2] = first
    out[:, 2:4] = last - first + 1
    cells = out[:, 2] * out[:, 3]
    out[:, 4] = np.cumsum(cells) - cells
    return out


def rows_of(windows: np.ndarray, channels: int) -> torch.Tensor:
    """Return random deltas of the windows' cells."""
    return torch.randn(int((windows[:, 2] * windows[:, 3]).sum()), channels)


def relu(map_side: int, channels: int) -> Epilogue:
    """Return the usual activation, on a random photo."""
    return Epilogue(ActivationCode.CLAMP, torch.randn(map_side * map_side, channels), (map_side, map_side))


def convolution_case(library: Library, line: tuple, probes: int, threads: int, algorithm: str) -> Case:
    """Return a convolution with its activation."""
    name, side, window, inputs, outputs, kernel, stride = line
    windows = table(probes, window, side, 0)
    out_side = -(-side // stride)
    out_windows = reached(windows, kernel, stride, kernel // 2, out_side)
    rows, out = rows_of(windows, inputs), rows_of(out_windows, outputs)
    packed = library.pack_conv(
        torch.randn(outputs, inputs, kernel, kernel), (stride,) * 2, algorithm=algorithm
    )
    epilogue = relu(out_side, outputs)
    padding = (kernel // 2, kernel // 2)
    return Case(
        name,
        lambda: library.conv(packed, rows, windows, out_windows, out, padding, epilogue, threads),
        2.0 * len(out) * outputs * inputs * kernel * kernel,
        packed.algorithm,
    )


def depthwise_case(library: Library, line: tuple, probes: int, threads: int) -> Case:
    """Return a depthwise convolution with its activation."""
    name, side, window, channels, stride = line
    windows = table(probes, window, side, 0)
    out_side = -(-side // stride)
    out_windows = reached(windows, 3, stride, 1, out_side)
    rows, out = rows_of(windows, channels), rows_of(out_windows, channels)
    packed = library.pack_depthwise(torch.randn(channels, 1, 3, 3))
    epilogue = relu(out_side, channels)

    def call() -> None:
        library.depthwise(
            packed, rows, windows, out_windows, out, (stride,) * 2, (1, 1), epilogue=epilogue, threads=threads
        )

    return Case(name, call, 18.0 * out.numel())


def other_cases(library: Library, probes: int, threads: int) -> list[Case]:
    """Return kernels that mostly move numbers, and the fully connected layer."""
    windows = table(probes, 17, 224, 0)
    rows, base, base_out = rows_of(windows, 64), torch.randn(224 * 224, 64), torch.randn(112 * 112, 64)
    pooled = reached(windows, 2, 2, 0, 112)
    out = rows_of(pooled, 64)
    small = table(probes, 13, 28, 0)
    a, b, total = rows_of(small, 512), rows_of(small, 512), rows_of(small, 512)
    epilogue = relu(28, 512)
    many = table(4 * probes, 5, 7, 0)
    changes, predictions = rows_of(many, 512), torch.zeros(4 * probes, 4096)
    cells = library.pack_cells(torch.randn(4096, 512 * 49), 512, (7, 7))
    sums = torch.zeros(probes, 512)
    hw, out_hw = (224, 224), (112, 112)
    return [
        Case(
            "max pool 2x2 64",
            lambda: library.max_pool(
                rows, windows, pooled, out, base, base_out, hw, out_hw, (2, 2), (2, 2), threads=threads
            ),
            4.0 * out.numel(),
        ),
        Case(
            "add 512",
            lambda: library.add(a, small, b, small, small, total, epilogue=epilogue, threads=threads),
            4.0 * total.numel(),
        ),
        Case("pool sum 512", lambda: library.pool_sum(a, small, 1.0, sums, threads), 1.0 * a.numel()),
        Case(
            "vgg fc6, 4 x probes",
            lambda: library.cells_linear(cells, changes, many, predictions, threads),
            2.0 * len(changes) * 512 * 4096,
        ),
    ]


def yardstick(size: int = 1536) -> Case:
    """Return a matrix product by PyTorch."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    return Case("torch.matmul", lambda: torch.matmul(a, b), 2.0 * size**3)


def measure(cases: list[Case], rounds: int, clock: Callable[[], float]) -> list[list[float]]:
    """Return the seconds of each case's calls, in interleaved rounds after one to warm up."""
    seconds: list[list[float]] = [[] for _ in cases]
    for round_ in range(rounds + 1):
        for case, times in zip(cases, seconds, strict=True):
            start = clock()
            case.call()
            if round_:
                times.append(clock() - start)
    return seconds


def main() -> None:
    """Measure and print."""
    options = _options()
    torch.set_num_threads(options.threads)
    library = Library(build(options.simd))
    cases, others = _cases(library, options), _cases(library, options, options.against)
    standard = yardstick()
    clock = time.process_time if options.cpu_time else time.perf_counter
    [reference, *seconds] = measure([standard, *cases, *others], options.rounds, clock)
    peak = standard.operations / statistics.median(reference)
    print(f"{library}, {options.threads} threads, {options.probes} probes, {options.rounds} rounds")
    print(f"torch.matmul: {peak / 1e9:.0f} GFLOP/s")
    end = " gain |" if options.against else ""
    print(
        f"| kernel | ms | spread | GFLOP/s | of matmul |{end}\n|---|---|---|---|---|{'---|' if end else ''}"
    )
    theirs = {case.name: (case, times) for case, times in zip(others, seconds[len(cases) :], strict=True)}
    for case, times in zip(cases, seconds, strict=False):
        middle = statistics.median(times)
        rate = case.operations / middle
        spread = f"{min(times) * 1e3:.2f}-{max(times) * 1e3:.2f}"
        line = f"| {case.name} | {middle * 1e3:.2f} | {spread} | {rate / 1e9:.0f} | {rate / peak:.2f} |"
        if case.name in theirs and theirs[case.name][0].algorithm != case.algorithm:
            gain = statistics.median(b / a for a, b in zip(times, theirs[case.name][1], strict=True))
            line += f" {gain:.2f}x |"
        print(line)


def _cases(library: Library, options: argparse.Namespace, algorithm: str | None = "") -> list[Case]:
    """Return the chosen cases; with ``algorithm`` only convolutions, by it where it is possible, none for None."""
    if algorithm is None:
        return []

    def wanted(name: str) -> bool:
        return not options.kernels or any(word in name for word in options.kernels)

    given = (options.probes, options.threads)
    chosen = algorithm or options.algorithm
    cases = [convolution_case(library, line, *given, chosen) for line in CONVOLUTIONS if wanted(line[0])]
    if algorithm:
        return cases
    cases += [depthwise_case(library, line, *given) for line in DEPTHWISE if wanted(line[0])]
    return cases + [case for case in other_cases(library, *given) if wanted(case.name)]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--kernels", nargs="*", default=[], metavar="WORD", help="only those with a word in the name"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--probes", type=int, default=64)
    parser.add_argument("--simd", help="avx512, avx2 or portable")
    parser.add_argument("--algorithm", default="auto", help="of convolutions: auto, im2col, ...")
    parser.add_argument("--against", help="another algorithm of convolutions to compare with")
    parser.add_argument("--cpu-time", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
