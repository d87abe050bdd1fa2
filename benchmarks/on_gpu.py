"""The engines on a GPU, side by side; writes a part of docs/performance.md.

    python benchmarks/on_gpu.py --write docs/performance.md

Convolutions of cuDNN round what they read to ten bits (TF32) as PyTorch comes: both ways of setting them are timed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from interleaved import Way, timed
from networks import SEEDED, centres, network
from pages import insert

PATCH, QUESTIONS = 15, 1024


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

    yield (
        f"{torch.cuda.get_device_name()}, torch {torch.__version__}. Medians over {rounds} interleaved rounds, "
        "milliseconds a question, least and most in brackets."
    )
    yield from ("", "| network | cuDNN | dense, 64 | dense, 256 | incremental | error of a drop | chosen |")
    yield "|---|---|---|---|---|---|---|"
    for name in names:
        for tf32 in (False, True):
            torch.backends.cudnn.allow_tf32 = tf32
            yield f"| {name} | {'TF32' if tf32 else 'single precision'} | {_row(name, rounds)} |"


def _row(name: str, rounds: int) -> str:
    from canonface.engine import Asker, drops
    from canonface.functional import occlusion_boxes
    from canonface.models import TorchModel
    from canonface.occlusions import Occlusions
    from canonface.types import InputSpec

    module, x = network(name)
    module, x = module.cuda(), x.cuda()
    size = (x.shape[1], x.shape[2])
    points = centres(*size, QUESTIONS)
    few = points[:64]
    ways = {
        label: Way(lambda n, e=engine, b=batch: drops(module, x, points[:n], PATCH, 0.0, None, e, b), len(points))
        for label, engine, batch in (
            ("dense, 64", "dense", 64),
            ("dense, 256", "dense", 256),
            ("incremental", "incremental", 64),
        )
    }  # fmt: skip
    occlusions = Occlusions(occlusion_boxes(points, PATCH, size), np.array(0.0))
    model = TorchModel(module, name, InputSpec(size_hw=size), device="cuda")
    asked = Asker(model, "incremental")
    asked.both(x, occlusions)
    chosen = Asker(model, "auto")
    chosen.both(x, occlusions)
    dense, found = (drops(module, x, few, PATCH, 0.0, None, engine) for engine in ("dense", "incremental"))
    timings = timed(ways, rounds)
    cells = [f"{t.median * 1e3:.3f} ({t.least * 1e3:.3f}-{t.most * 1e3:.3f})" for t in timings.values()]
    if asked.plan.engine == "dense":
        cells[-1] = "asked densely: TF32 is off by more than rounding"
    return " | ".join([*cells, f"{np.abs(dense - found).max():.1e}", chosen.plan.engine])


if __name__ == "__main__":
    main()
