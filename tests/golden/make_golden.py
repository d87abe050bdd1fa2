"""Make the golden runs of canonface 0.1.0: ``data/CASE/finished``, ``data/CASE/unfinished`` and ``data/CASE.npz``.

Run it with a checkout of 0.1.0, and with nothing newer, which would prove nothing:

    PYTHONPATH=CHECKOUT_OF_0.1.0/src python tests/golden/make_golden.py

An unfinished run was broken off after two photos. The arrays are the drops and maps that 0.1.0 makes of the finished
run. The folder of the photos, which 0.1.0 writes into ``run.json`` as an absolute path, is made ``/photos``.
"""

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch
from golden_cases import CASES, DATA, WEIGHTS, results
from golden_models import by_formula
from safetensors.torch import save_file

import canonface
from canonface.models.architectures.table import ENTRIES


def write_weights():
    """Small weights files of the package's own architectures, filled by a formula."""
    for entry in ENTRIES:
        if (path := WEIGHTS.get(entry.name)) is None:
            continue
        state = {}
        for number, (name, tensor) in enumerate(entry.network(**entry.small).state_dict().items()):
            if not tensor.is_floating_point():
                state[name] = torch.zeros_like(tensor)
                continue
            numbers, is_norm = by_formula(tuple(tensor.shape), number), tensor.ndim == 1
            scales = is_norm and name.endswith(("weight", "running_var"))
            state[name] = scales + (0.1 if is_norm else 2 / tensor[0].numel() ** 0.5) * numbers
        save_file(state, path)


def stop_after_two(progress):
    if progress.done == 2:
        raise KeyboardInterrupt


def keep(run, case, state):
    """Copy a run's folder into the data."""
    target = DATA / case / state
    shutil.copytree(run, target)
    manifest = json.loads((target / "run.json").read_text(encoding="utf-8"))
    manifest["photo_root"] = "/photos"
    (target / "run.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def main():
    assert canonface.__version__ == "0.1.0", canonface.__version__
    write_weights()
    for name, case in CASES.items():
        shutil.rmtree(DATA / name, ignore_errors=True)
        with tempfile.TemporaryDirectory() as folder:
            finished, unfinished = Path(folder, "finished"), Path(folder, "unfinished")
            run = case(finished)
            assert not run.failures.num_rows, run.failures.to_pylist()
            try:
                case(unfinished, progress=stop_after_two)
            except KeyboardInterrupt:
                pass
            else:
                raise AssertionError(f"{name} ends with its second photo")
            keep(finished, name, "finished")
            keep(unfinished, name, "unfinished")
            arrays = {key: np.asarray(value, dtype=np.float32) for key, value in results(run)}
            np.savez_compressed(DATA / f"{name}.npz", **arrays)
            print(name, run.drops().shape, f"{np.nanmin(run.drops()):.4f}..{np.nanmax(run.drops()):.4f}")


if __name__ == "__main__":
    main()
