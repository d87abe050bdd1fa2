"""Speed of the engines compared with other implementations of occlusion; writes docs/performance.md.

    python benchmarks/performance.py --write docs/performance.md

All methods evaluate the same occlusions in one process, in interleaved rounds. Needs captum (pip install captum).
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from interleaved import Timing, Way, timed
from networks import SEEDED, centres, network
from pages import insert, machine_words
from ways import captum_occlusion, frozen, matrix_product, paper_loop

ZOO = ("expression", "gender", "age", "facenet")
BATCH = 16
MALLOC = {
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TRIM_THRESHOLD_": str(2**33),
    "MALLOC_TOP_PAD_": str(2**26),
}
"""Let glibc keep freed memory: new pages for every batch cost dense methods more than batches gain."""
PEAK_SIZE = 2048
CAPTUM_BATCHES = (1, 16, 64)
MAX_PASSES = 1024
"""Forward passes per photo at most, about its number of probes, so that work per photo has its usual share."""
NAMES = {
    "captum 1": "captum Occlusion, perturbations_per_eval=1",
    "captum 16": "captum Occlusion, perturbations_per_eval=16",
    "captum 64": "captum Occlusion, perturbations_per_eval=64",
    "paper": "loop of the paper's code: clones and a forward in batches of 16",
    "dense": "canonface, dense engine, batches of 16",
    "frozen": "traced, frozen, optimised for inference, batches of 16",
    "incremental": "canonface, incremental engine (PyTorch operators)",
    "native": "canonface, native engine (compiled kernels)",
}
WINDOWED = ("incremental", "native")
"""Methods that compute windows only; all others evaluate whole copies."""


def main() -> None:
    """Measure, print, and write."""
    options = _options()
    if options.one is not None:
        print(json.dumps(measured(options.one, options.rounds)))
        return
    if options.memory is not None:
        print(json.dumps(memory(*options.memory)))
        return
    result: dict[str, Any] = {"machine": machine_words(), "rounds": options.rounds, "models": {}}
    for name in options.models:
        print(f"{name} ...", file=sys.stderr, flush=True)
        result["models"][name] = _child("--one", name, "--rounds", str(options.rounds))
        result["models"][name]["memory_mib"] = {
            engine: _child("--memory", name, engine)["peak_mib"]
            for engine in ("load", "dense", "native", "incremental")
        }
    result["start"] = start_times()
    if options.json is not None:
        options.json.write_text(json.dumps(result, indent=2))
    text = page(result)
    print(text)
    if options.write is not None:
        insert(options.write, "benchmarks/performance.py", text)


def measured(name: str, rounds: int) -> dict[str, Any]:
    """Return all measurements of one network."""
    import torch

    from canonface.confidence.classification import class_confidence
    from canonface.engine import drops
    from canonface.functional import occlusion_boxes

    warnings.filterwarnings("ignore")
    module, x = network(name)
    height, width = x.shape[1:]
    patch = 15 if height >= 90 else 11
    fill = float(x.min())
    with torch.inference_mode():
        start = time.perf_counter()
        logits = module(x[None])
        seconds = time.perf_counter() - start
    target = int(logits.argmax())
    points = centres(height, width, MAX_PASSES)
    boxes = occlusion_boxes(points, patch, (height, width))
    plain = module_of_probability(module, target)
    few = 16 if seconds > 0.05 else 64
    ways = {
        **{f"captum {n}": Way(captum_occlusion(plain, x, patch, fill, n), max(n, few)) for n in CAPTUM_BATCHES},
        "paper": Way(paper_loop(plain, x, boxes, fill, BATCH), few),
        "dense": Way(lambda n: drops(module, x, points[:n], patch, fill, target, "dense", BATCH), few),
        "frozen": Way(frozen(module, x, boxes, fill, target, BATCH), few),
        "incremental": Way(lambda n: drops(module, x, points[:n], patch, fill, target, "incremental"), len(points)),
        "native": Way(lambda n: drops(module, x, points[:n], patch, fill, target, "native"), len(points)),
        "peak": Way(matrix_product(PEAK_SIZE), 8),
    }  # fmt: skip
    timings = timed(ways, rounds)
    exact = _exact(module, x, boxes[:32], fill)
    found = {e: drops(module, x, points, patch, fill, target, e) for e in ("incremental", "native")}
    dense = drops(module, x, points[:32], patch, fill, target, "dense")
    errors = {engine: float(np.abs(values[:32] - dense).max()) for engine, values in found.items()}
    double = class_confidence(exact, target, "probability", "logits")
    return {
        "patch": patch,
        "forward_passes": len(points),
        "input": list(x.shape),
        "seconds": {way: timing._asdict() for way, timing in timings.items()},
        "error": errors,
        "error_of_pytorch": float(np.abs(dense - (double[0] - double[1:])).max()),
        "largest_drop": float(np.abs(found["native"]).max()),
        "multiply_adds": _multiply_adds(module, x, points, patch, fill),
        "peak_flops": 2 * PEAK_SIZE**3 / timings["peak"].median,
    }


def module_of_probability(module: Any, target: int) -> Callable[[Any], Any]:
    """Return the probability of a class as a function of a batch."""
    import torch

    return lambda batch: torch.softmax(module(batch), 1)[:, target]


def _exact(module: Any, x: Any, boxes: np.ndarray, fill: float) -> np.ndarray:
    """Return outputs in double precision: for the clean input, then for each copy."""
    import torch

    from canonface.functional import occlude

    double, wide = copy.deepcopy(module).double(), x.double()
    with torch.inference_mode():
        rows = [double(wide[None])] + [
            double(occlude(wide, boxes[i : i + 1], fill)) for i in range(len(boxes))
        ]
    return torch.cat(rows).numpy()


def _multiply_adds(module: Any, x: Any, points: np.ndarray, patch: int, fill: float) -> dict[str, float]:
    from canonface.engine.incremental.costs import costs
    from canonface.engine.incremental.deltas import windows_of
    from canonface.engine.incremental.traced_network import traced_network
    from canonface.functional import occlusion_boxes
    from canonface.occlusions import Occlusions

    occlusions = Occlusions(occlusion_boxes(points, patch, x.shape[1:]), np.array(fill))
    found = costs(traced_network(module, x[None]).program, windows_of(tuple(x.shape), [occlusions]))
    return {"dense": found.dense, "needed": found.needed}


def memory(name: str, engine: str) -> dict[str, float]:
    """Return the peak memory in MiB of a process for one photo; ``load`` runs one forward pass only."""
    import torch

    from canonface.engine import drops

    module, x = network(name)
    height, width = x.shape[1:]
    if engine == "load":
        with torch.inference_mode():
            module(x[None])
    else:
        drops(
            module, x, centres(height, width, 64 if engine == "dense" else 512), 15, 0.0, None, engine, BATCH
        )
    return {"peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def start_times() -> dict[str, float]:
    """Return the seconds until the package is imported, and until a first map is drawn; the least of three."""
    photo = Path(__file__).parents[1] / "src/canonface/demo/photos/op_P001_emo_happy.jpg"
    explain = [sys.executable, "-m", "canonface", "explain", str(photo), "--model", "expression", "-o"]
    tries = {
        "import canonface": [sys.executable, "-c", "import canonface"],
        "import torch": [sys.executable, "-c", "import torch"],
        "canonface explain, first map": [*explain, os.devnull + "-canonface"],
    }
    folder = Path(os.environ.get("TMPDIR", "/tmp")) / "canonface-first-map"
    tries["canonface explain, first map"][-1] = str(folder)
    return {name: min(_seconds(command) for _ in range(3)) for name, command in tries.items()}


def _seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def page(result: dict[str, Any]) -> str:
    """Return the tables as Markdown."""
    return "\n".join(_lines(result))


def _lines(result: dict[str, Any]) -> Iterator[str]:
    yield (
        f"{result['machine']} Medians over {result['rounds']} interleaved rounds, milliseconds per forward "
        "pass, least and most in brackets."
    )
    for name, found in result["models"].items():
        yield from ("", f"### {name}, input {'x'.join(map(str, found['input']))}, patch {found['patch']}", "")
        yield "| method | ms per pass | to captum 1 | to best dense |"
        yield "|---|---|---|---|"
        timings = {way: Timing(**values) for way, values in found["seconds"].items()}
        best_dense = min(timings[way].median for way in NAMES if way not in WINDOWED)
        for way, label in NAMES.items():
            t = timings[way]
            yield (
                f"| {label} | {t.median * 1e3:.2f} ({t.least * 1e3:.2f}-{t.most * 1e3:.2f}) | "
                f"{timings['captum 1'].median / t.median:.1f}x | {best_dense / t.median:.1f}x |"
            )
        adds, peak = found["multiply_adds"], found["peak_flops"]
        done = 2 * adds["needed"] / timings["native"].median
        yield from (
            "",
            f"Multiply-adds per pass: {adds['dense'] / 1e9:.3f} G whole, {adds['needed'] / 1e9:.3f} G needed "
            f"({adds['needed'] / adds['dense']:.1%}). The native engine does {done / 1e9:.0f} GFLOP/s of them, "
            f"{done / peak:.0%} of the {peak / 1e9:.0f} GFLOP/s that a matrix product of {PEAK_SIZE} reaches in the "
            "same run.",
            _errors(found),
            "Peak memory of a process: "
            + ", ".join(f"{engine} {mib:.0f} MiB" for engine, mib in found["memory_mib"].items())
            + " (load: the network alone, one forward pass).",
        )
    if "start" in result:
        yield from ("", "### To start", "", "| what | seconds |", "|---|---|")
        yield from (f"| {name} | {seconds:.2f} |" for name, seconds in result["start"].items())


def _errors(found: dict[str, Any]) -> str:
    if found["largest_drop"] < 0.005:
        return "An embedding: its numbers are no logits, and there are no drops to compare here."
    return (
        f"Largest error of a drop against the dense engine: incremental {found['error']['incremental']:.1e}, "
        f"native {found['error']['native']:.1e}; PyTorch's own single precision against double "
        f"{found['error_of_pytorch']:.1e}; largest drop {found['largest_drop']:.2f}."
    )


def _child(*arguments: str) -> dict[str, Any]:
    """Run this script in a separate process, with an allocator that keeps its pages."""
    done = subprocess.run([sys.executable, __file__, *arguments], check=True, capture_output=True, text=True,
                          env=os.environ | MALLOC)  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=[*SEEDED, *ZOO])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--write", type=Path, help="put the tables into this page")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--memory", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
