"""Gain of each shortcut of the engines: networks with and without it, side by side; writes docs/performance.md.

    python benchmarks/ablations.py --write docs/performance.md

Every variant has its own copy of the network, whose weights it packs in the round that does not count. Variants take
turns within a round, and a gain is the median over the rounds of the ratio within a round.
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
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from networks import SEEDED, centres, network
from pages import insert, machine_words

from canonface.engine.native import library as library_module

PATCH = 15
SHORTCUTS = {
    "strassen": ("native", "Strassen products of large 1x1 convolutions"),
    "stride-2": ("native", "Toom-Cook polynomials at stride 2"),
    "toom-cook": ("native", "Toom-Cook polynomials at any stride"),
    "bfloat16": ("incremental", "bfloat16 instead of single precision"),
}
"""Shortcut -> the engine that it belongs to, and what it is."""


def main() -> None:
    """Measure, print, and write."""
    options = _options()
    found = []
    for name in options.models:
        print(f"{name} ...", file=sys.stderr, flush=True)
        found += measured(name, options.shortcuts, options.rounds, options.probes)
        if options.json is not None:
            options.json.write_text(json.dumps(found, indent=2))
    text = page(found, options.rounds)
    print(text)
    if options.write is not None:
        insert(options.write, "benchmarks/ablations.py", text)


def measured(name: str, shortcuts: list[str], rounds: int, probes: int) -> list[dict[str, Any]]:
    """Return milliseconds per forward pass with and without each shortcut, and the gain."""
    from canonface.engine import drops

    module, x = network(name)
    points = centres(*x.shape[1:], probes)
    fill = float(x.min())

    def way(engine: str, without: str = "") -> Callable[[], np.ndarray]:
        own = copy.deepcopy(module)

        def run() -> np.ndarray:
            with _without(without):
                return drops(own, x, points, PATCH, fill, 0, engine)

        return run

    plain = {engine: way(engine) for engine in dict.fromkeys(SHORTCUTS[each][0] for each in shortcuts)}
    ways = dict(plain)
    for each in shortcuts:
        ways[each] = way("bfloat16") if each == "bfloat16" else way("native", each)
    seconds: dict[str, list[float]] = {each: [] for each in ways}
    for number in range(rounds + 1):
        for each, run in ways.items():
            start = time.perf_counter()
            run()
            if number:
                seconds[each].append((time.perf_counter() - start) / len(points))
    result = []
    for each in shortcuts:
        base = seconds[SHORTCUTS[each][0]]
        # bfloat16 is the variant with the shortcut; all others are variants without it.
        pairs = (seconds[each], base) if each == "bfloat16" else (base, seconds[each])
        gains = [without / with_ for with_, without in zip(*pairs, strict=True)]
        result.append(
            {
                "network": name,
                "shortcut": each,
                "with_ms": statistics.median(pairs[0]) * 1e3,
                "without_ms": statistics.median(pairs[1]) * 1e3,
                "gain": statistics.median(gains),
                "least": min(gains),
                "most": max(gains),
            }
        )
        print(json.dumps(result[-1]), file=sys.stderr, flush=True)
    return result


@contextmanager
def _without(shortcut: str) -> Iterator[None]:
    """Let weights be packed for other algorithms than that of a shortcut."""
    choose = library_module.algorithm_number

    def chosen(requested: str, inputs: int, outputs: int, kernel: Any, stride: Any, dilation: Any) -> int:
        number = choose(requested, inputs, outputs, kernel, stride, dilation)
        name = {value: key for key, value in library_module.ALGORITHMS.items()}[number]
        is_excluded = (
            (shortcut == "strassen" and name.startswith("strassen"))
            or (shortcut == "toom-cook" and name == "toom-cook")
            or (shortcut == "stride-2" and name == "toom-cook" and stride == (2, 2))
        )
        return library_module.ALGORITHMS["im2col"] if is_excluded and requested == "auto" else number

    with mock.patch.object(library_module, "algorithm_number", chosen):
        yield


def page(found: list[dict[str, Any]], rounds: int) -> str:
    """Return the table as Markdown."""
    lines = [
        f"{machine_words()} Patches of {PATCH} pixels. Medians over {rounds} interleaved rounds, milliseconds per "
        "forward pass; gain: time without by time with, least and most in brackets.",
        "",
        "| shortcut | network | with | without | gain |",
        "|---|---|---|---|---|",
    ]
    for of in found:
        lines.append(
            f"| {SHORTCUTS[of['shortcut']][1]} | {of['network']} | {of['with_ms']:.2f} | {of['without_ms']:.2f} | "
            f"{of['gain']:.2f}x ({of['least']:.2f}-{of['most']:.2f}) |"
        )
    return "\n".join(lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=list(SEEDED))
    parser.add_argument("--shortcuts", nargs="+", default=list(SHORTCUTS), choices=SHORTCUTS)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--probes", type=int, default=512)
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--write", type=Path, help="put the table into this page")
    return parser.parse_args()


if __name__ == "__main__":
    main()
