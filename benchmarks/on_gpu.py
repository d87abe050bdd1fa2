"""Speed of the engines on a GPU; writes a part of docs/performance.md.

    python benchmarks/on_gpu.py --write docs/performance.md

By default PyTorch lets cuDNN round inputs of convolutions to ten bits (TF32): both settings are timed. The error is
that of a drop; where the outputs of the two engines differed too much, that of the outputs.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from interleaved import Way, timed
from networks import SEEDED, centres, network
from pages import insert

from canonface.engine import Plan

PATCH, MAX_PASSES = 15, 1024


def main() -> None:
    """Measure, print, and write."""
    import torch

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=SEEDED)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", type=Path, help="put the table into this page")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("There is no CUDA device here: nothing was measured.")
    text = "\n".join(_lines(options.models, options.rounds))
    print(text)
    if options.write is not None:
        insert(options.write, "benchmarks/on_gpu.py", text)


def _lines(names: list[str], rounds: int) -> Iterator[str]:
    import torch

    import canonface

    yield (
        f"{torch.cuda.get_device_name()}, torch {torch.__version__}, canonface {canonface.__version__}. Patches of "
        f"{PATCH} pixels, up to {MAX_PASSES:,} forward passes of one photo. Medians over {rounds} interleaved "
        "rounds, milliseconds per forward pass, least and most in brackets."
    )
    yield from (
        "",
        "| network | cuDNN | dense, batches of 64 | of 256 | incremental | error | `auto` takes |",
    )
    yield "|---|---|---|---|---|---|---|"
    for name in names:
        for tf32 in (False, True):
            torch.backends.cudnn.allow_tf32 = tf32
            yield f"| {name} | {'TF32' if tf32 else 'single precision'} | {_row(name, rounds)} |"


def _row(name: str, rounds: int) -> str:
    from canonface.engine import drops

    module, x = network(name)
    module, x = module.cuda(), x.cuda()
    points = centres(x.shape[1], x.shape[2], MAX_PASSES)
    chosen, found = _plan(name, points, "auto"), _plan(name, points, "incremental")
    engines = [
        ("dense", 64),
        ("dense", 256),
        *([("incremental", 64)] if found.engine == "incremental" else []),
    ]
    ways = {
        f"{engine} {batch}": Way(
            lambda n, e=engine, b=batch: drops(module, x, points[:n], PATCH, 0.0, None, e, b), len(points)
        )
        for engine, batch in engines
    }
    cells = [
        f"{t.median * 1e3:.3f} ({t.least * 1e3:.3f}-{t.most * 1e3:.3f})" for t in timed(ways, rounds).values()
    ]
    if found.engine != "incremental":
        return " | ".join([*cells, "refused: see the error", f"{found.error:.1e}", chosen.engine])
    few = points[:64]
    dense, windows = (drops(module, x, few, PATCH, 0.0, None, e) for e in ("dense", "incremental"))
    return " | ".join([*cells, f"{np.abs(dense - windows).max():.1e}", chosen.engine])


def _plan(name: str, points: np.ndarray, engine: str) -> Plan:
    """Return the plan of a new model for a requested engine."""
    from canonface.engine import ModelRunner
    from canonface.functional import occlusion_boxes
    from canonface.models import TorchModel
    from canonface.occlusions import Occlusions
    from canonface.types import InputSpec

    module, x = network(name)
    size = (x.shape[1], x.shape[2])
    runner = ModelRunner(TorchModel(module.cuda(), name, InputSpec(size_hw=size), device="cuda"), engine)
    runner.both(x.cuda(), Occlusions(occlusion_boxes(points, PATCH, size), np.array(0.0)))
    return runner.plan


if __name__ == "__main__":
    main()
