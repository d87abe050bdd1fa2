"""Heads on FaceNet for the tasks of the paper's figure 1, fitted by ``benchmarks/fit_heads.py``.

Each entry's card is read from the card that was written when the head was fitted.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from canonface.assets import asset_path
from canonface.models.base import ModelCard
from canonface.models.finetuned import assemble_model, read_description
from canonface.models.zoo import facenet
from canonface.models.zoo.entry import ZooEntry

NAMES = ("facenet-gender", "facenet-age", "facenet-pose", "facenet-expression")
TASKS = {
    "gender": "apparent gender, two classes; a head on facenet",
    "age": "apparent age, nine ranges; a head on facenet",
    "pose": "head pose, nine bins of yaw and pitch; a head on facenet",
    "expression": "facial expression, seven classes; a head on facenet",
}


def build(folder: Path) -> Any:
    """Build FaceNet with the head of a folder on it; it returns logits."""
    return assemble_model(folder, read_description(folder), facenet.ENTRY.load())


def make_entry(name: str) -> ZooEntry:
    """Return the entry of a head, by its name."""
    said = read_description(asset_path(name))
    card = said.card
    return ZooEntry(
        card=ModelCard(
            name=name,
            task=TASKS[said.task],
            source=f"fitted by this project to {card['data']} ({card['data_licence']}); ships with canonface",
            licence_code="Apache-2.0 (this package)",
            licence_weights=f"Apache-2.0 (head), {card['backbone_licence']} (facenet)",
            spec=said.spec,
            labels=said.labels,
            outputs="logits",
            accuracy=accuracy(card),
            citation=facenet.ENTRY.card.citation,
        ),
        asset=name,
        build=build,
    )


def accuracy(card: Mapping[str, Any]) -> str:
    """Return a card's accuracies in a sentence."""
    scores = card["scores"]
    own = scores["accuracy"]
    sets = [f"{_percent(own['value'])} on people of these photos that were held out (n={own['photos']})"]
    sets += [
        f"{_percent(held['accuracy']['value'])} on {name} (n={held['accuracy']['photos']}; commonest class "
        f"{_percent(held['baseline'])})"
        for name, held in card.get("held_out", {}).items()
    ]
    return f"{', '.join(sets)}; by group: docs/finetuning.md"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"


ENTRIES = tuple(make_entry(name) for name in NAMES)
