"""The card of a fitted model: which photos, which parts, how often right and for whom, whose licence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int

from canonface.finetuning.gathering import Gathered
from canonface.finetuning.scores import Scores
from canonface.finetuning.tasks import Task
from canonface.models.finetuned import read_description, write_description

if TYPE_CHECKING:
    from canonface.finetuning.backbones import Backbone
    from canonface.finetuning.training import History, Schedule

CARD = "card.md"
NOT_STATED = "not stated"


def make_card(
    name: str,
    task: Task,
    base: Backbone,
    whole: bool,
    examples: Gathered,
    parts: Int[np.ndarray, "n"],
    names: Sequence[str],
    scores: Scores,
    history: History,
    schedule: Schedule,
    *,
    balance: bool,
    data: str,
    licence: str,
    command: str,
) -> dict[str, Any]:
    """The card as JSON holds it; no date and nothing else that a second making would change."""
    folds = int(parts.max()) + 1
    return {
        "name": name,
        "task": task.name,
        "classes_from": f"column {task.column}" if task.column else "the pose of the mesh",
        "backbone": base.text or base.model.name,
        "backbone_licence": base.licence,
        "without": list(base.left_out),
        "fitted": "the whole network" if whole else "a linear head",
        "data": data,
        "data_licence": licence or NOT_STATED,
        "data_sha256": examples.digest,
        "photos": len(examples.names),
        "people": len(set(examples.people)),
        "left_out": dict(examples.left_out),
        "counts": {label: Counter(examples.values)[label] for label in names},
        "split": _split(whole, folds),
        "parts": np.bincount(parts).tolist(),
        "settings": {
            "epochs": schedule.epochs,
            "patience": schedule.patience,
            "batch": schedule.batch,
            "rate": schedule.rate,
            "decay": schedule.decay,
            "mirror": schedule.mirror,
            "balance": balance,
            "folds": folds,
            "seed": schedule.seed,
        },
        "best_epoch": history.best + 1,
        "epochs": len(history.losses),
        "scores": scores.content(),
        "command": command,
    }


def _split(whole: bool, folds: int) -> str:
    dealt = f"people dealt into {folds} parts, all photos of one in the same"
    if whole:
        return f"{dealt}; part 0 judges, part 1 said when to stop, the others were fitted to"
    return (
        f"{dealt}; each part judged by a head fitted to {folds - 2} others and stopped by one; the head that is kept "
        f"was fitted to parts 1 to {folds - 1} and stopped by part 0"
    )


def write_card(folder: Path, card: Mapping[str, Any]) -> None:
    """The card as a page to read, beside the model."""
    (folder / CARD).write_text(card_page(card), encoding="utf-8")


def add_to_card(folder: Path, title: str, scores: Scores) -> None:
    """Write scores on other photos (`canonface.finetuning.assess`) into the card of a stored model.

    Raises:
        ModelError: the directory holds no model.
        OSError: it cannot be written.
    """
    said = read_description(folder)
    card = {**said.card, "held_out": {**said.card.get("held_out", {}), title: scores.content()}}
    write_description(folder, replace(said, card=card))
    write_card(folder, card)


def card_page(card: Mapping[str, Any]) -> str:
    """The card as Markdown."""
    scores = card["scores"]
    accuracy = scores["accuracy"]
    lines = [
        f"# {card['name']}",
        "",
        f"{card['fitted'].capitalize()} on `{card['backbone']}` for {card['task']} ({card['classes_from']}): "
        f"{', '.join(card['counts'])}.",
        "",
        f"- Accuracy on people whom it has not seen: {_percent(accuracy)}, {accuracy['photos']} photos of "
        f"{accuracy['people']} people.",
        f"- Photos: {card['data']}, {card['photos']} of {card['people']} people; licence: {card['data_licence']}.",
        f"- Left out: {_counted(card['left_out'])}.",
        f"- Backbone: `{card['backbone']}`, licence of its weights: {card['backbone_licence']}"
        + (f"; without its layers {', '.join(card['without'])}." if card["without"] else "."),
        f"- Split: {card['split']}. Photos in the parts: {', '.join(map(str, card['parts']))}.",
        f"- Fit: {', '.join(f'{key} {value}' for key, value in card['settings'].items())}; best after pass "
        f"{card['best_epoch']} of {card['epochs']}.",
        "",
        "Made by:",
        "",
        f"    {card['command']}",
        "",
        "Intervals are of 95% (Wilson's, for as many independent photos as those of so many people are worth).",
        "",
        *_table(scores),
    ]
    lines += ["", *_confusion(scores)]
    for title, held in card.get("held_out", {}).items():
        lines += [
            "",
            f"## {title}",
            "",
            "No photo of these was fitted to.",
            "",
            *_table(held),
            "",
            *_confusion(held),
        ]
    return "\n".join(lines) + "\n"


def _table(scores: Mapping[str, Any]) -> list[str]:
    lines = [
        "| photos | n | people | accuracy % (95%) |",
        "|---|---|---|---|",
        _row("all", scores["accuracy"]),
    ]
    lines += [_row(f"class {label}", share) for label, share in scores["by_class"].items()]
    for column, groups in scores["by_group"].items():
        lines += [_row(f"{column} {value}", share) for value, share in groups.items()]
    return [
        *lines,
        "",
        f"Always answering {scores['commonest']!r}: {100 * scores['baseline']:.1f}%; mean over the classes: "
        f"{100 * scores['balanced']:.1f}%.",
    ]


def _confusion(scores: Mapping[str, Any]) -> list[str]:
    labels = scores["labels"]
    lines = [f"| is \\ was answered | {' | '.join(labels)} |", f"|---{'|---' * len(labels)}|"]
    for label, row in zip(labels, scores["confusion"], strict=True):
        lines.append(f"| {label} | {' | '.join(map(str, row))} |")
    return lines


def _row(title: str, share: Mapping[str, Any]) -> str:
    return f"| {title} | {share['photos']} | {share['people']} | {_percent(share, '')} |"


def _percent(share: Mapping[str, Any], unit: str = "%") -> str:
    return f"{100 * share['value']:.1f}{unit} ({100 * share['low']:.1f}-{100 * share['high']:.1f})"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in counts.items()) or "none"
