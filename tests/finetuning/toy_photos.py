"""Small pictures whose class is a colour, and a backbone in whose features it is linear."""

import csv

import numpy as np
import torch
from PIL import Image

from canonface.alignment import make_aligner
from canonface.mesh import pixel_mesh
from canonface.types import InputSpec

SPEC = InputSpec(size_hw=(8, 8), crop="image")


class Colours(torch.nn.Module):
    """Means of the four quarters of each channel, an identity batch norm, and learnable scales."""

    spec = SPEC
    outputs = "embedding"

    def __init__(self):
        super().__init__()
        self.pool = torch.nn.AdaptiveAvgPool2d(2)
        self.norm = torch.nn.BatchNorm2d(3, eps=0.0)
        self.scale = torch.nn.Parameter(torch.ones(12))

    def forward(self, x):
        return self.pool(self.norm(x)).flatten(1) * self.scale


def aligner():
    """Return the aligner that does not change a picture."""
    return make_aligner("none", pixel_mesh())


def write_photos(folder, n=60, people=None, noise=40.0, seed=0):
    """Write pictures redder or bluer than grey, with labels.csv: path, identity, colour, hand.

    Args:
        people: name of the person on each picture; None: a column identity is not written.
    """
    draw = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        red = bool(draw.integers(2)) if i > 1 else bool(i)
        picture = draw.normal(128, noise, (8, 8, 3))
        picture[:, :, 0 if red else 2] += 60
        name = f"{i:03d}.png"
        large = np.kron(np.clip(picture, 0, 255).astype(np.uint8), np.ones((4, 4, 1), np.uint8))
        Image.fromarray(large).save(folder / name)
        row = {
            "path": name,
            "colour": "red" if red else "blue",
            "hand": "left" if i % 3 else "right",
            "one": "x",
        }
        if people is not None:
            row["identity"] = people[i]
        rows.append(row)
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder
