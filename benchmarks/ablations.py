"""Gain of single shortcuts of the native engine: networks with and without each; writes docs/performance.md.

    python benchmarks/ablations.py --write docs/performance.md

Every variant has its own copy of the network and packs its weights in the warm-up round. Variants take turns within a
round; a gain is the median over the rounds of the time without the shortcut by the time with it. ``--cpu-time`` reads
the CPU time of the process on one thread, for a loaded machine.
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from networks import SEEDED, centres, network
from pages import insert, machine_words

LIBRARY = import_module("canonface.engine.native.library")
PATCH = 15
SHORTCUTS = {
    "strassen": "Strassen products of large 1x1 convolutions",
    "stride-2": "Toom-Cook polynomials at stride 2",
}


def main() -> None:
    """Measure, print, and write."""
    options = _options()
    if options.cpu_time:
        import torch

        torch.set_num_threads(1)
    found: list[dict[str, Any]] = []
    for name in options.models:
        print(f"{name} ...", file=sys.stderr, flush=True)
        found += measured(name, options)
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=2))
    text = page(found, options)
    print(text)
    if options.write is not None:
        insert(options.write, "benchmarks/ablations.py", text)


def measured(name: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return milliseconds per forward pass with and without each shortcut, and the gain."""
    from canonface.engine import drops

    module, x = network(name)
    points, fill = centres(*x.shape[1:], options.probes), float(x.min())
    clock = time.process_time if options.cpu_time else time.perf_counter

    def variant(without: str) -> Callable[[], None]:
        own = copy.deepcopy(module)

        def run() -> None:
            with _without(without):
                drops(own, x, points, PATCH, fill, 0, "native")

        return run

    variants = {without: variant(without) for without in ("", *SHORTCUTS)}
    seconds: dict[str, list[float]] = {without: [] for without in variants}
    for number in range(options.rounds + 1):
        for without, run in variants.items():
            start = clock()
            run()
            if number:
                seconds[without].append((clock() - start) / len(points))
    result = []
    for shortcut in SHORTCUTS:
        gains = np.array(seconds[shortcut]) / np.array(seconds[""])
        result.append(
            {
                "network": name,
                "shortcut": shortcut,
                "with_ms": statistics.median(seconds[""]) * 1e3,
                "without_ms": statistics.median(seconds[shortcut]) * 1e3,
                "gain": float(np.median(gains)),
                "least": float(gains.min()),
                "most": float(gains.max()),
            }
        )
    return result


@contextmanager
def _without(shortcut: str) -> Iterator[None]:
    """Pack weights without a shortcut; "" keeps all."""
    choose, numbers = LIBRARY.algorithm_number, LIBRARY.ALGORITHMS

    def chosen(requested: str, inputs: int, outputs: int, kernel: Any, stride: Any, dilation: Any) -> int:
        number: int = choose(requested, inputs, outputs, kernel, stride, dilation)
        excluded = {
            "strassen": number in (numbers["strassen"], numbers["strassen-twice"]),
            "stride-2": number == numbers["toom-cook"] and stride == (2, 2),
        }
        return numbers["im2col"] if requested == "auto" and excluded.get(shortcut, False) else number

    with mock.patch.object(LIBRARY, "algorithm_number", chosen):
        yield


def page(found: list[dict[str, Any]], options: argparse.Namespace) -> str:
    """Return the table as Markdown."""
    unit = "milliseconds of CPU time" if options.cpu_time else "milliseconds"
    lines = [
        f"{machine_words()} Native engine, up to {options.probes} forward passes of one photo, patches of {PATCH} "
        f"pixels. Medians over {options.rounds} interleaved rounds, {unit} per forward pass; least and most gain in "
        "brackets.",
        "",
        "| shortcut | network | with | without | gain |",
        "|---|---|---|---|---|",
    ]
    for of in found:
        lines.append(
            f"| {SHORTCUTS[of['shortcut']]} | {of['network']} | {of['with_ms']:.2f} | {of['without_ms']:.2f} | "
            f"{of['gain']:.2f}x ({of['least']:.2f}-{of['most']:.2f}) |"
        )
    return "\n".join(lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=list(SEEDED))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--probes", type=int, default=512)
    parser.add_argument("--cpu-time", action="store_true")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--write", type=Path, help="put the table into this page")
    return parser.parse_args()


if __name__ == "__main__":
    main()
