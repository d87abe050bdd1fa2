"""Card of a fitted model: data, parts, accuracy by class and group, licences, and the command that made it."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int

from canonface._version import __version__
from canonface.data.photos import Photos
from canonface.finetuning.examples import ExampleSet
from canonface.finetuning.options import FinetuneOptions
from canonface.finetuning.scores import ClassifierScores
from canonface.finetuning.tasks import Task
from canonface.models.finetuned import read_description, write_description

if TYPE_CHECKING:
    from canonface.finetuning.backbones import Backbone
    from canonface.finetuning.training_loop import History, Schedule

CARD = "card.md"
NOT_STATED = "not stated"


def make_card(
    name: str,
    task: Task,
    base: Backbone,
    examples: ExampleSet,
    parts: Int[np.ndarray, "n"],
    names: Sequence[str],
    scores: ClassifierScores,
    history: History,
    schedule: Schedule,
    options: FinetuneOptions,
    data: str,
    command: str,
) -> dict[str, Any]:
    """Return the card as a dictionary for JSON, equal for equal fits (it holds no date)."""
    folds = int(parts.max()) + 1
    return {
        "name": name,
        "task": task.name,
        "classes_from": f"column {task.column}" if task.column else "the pose of the mesh",
        "backbone": base.text or base.model.name,
        "backbone_licence": base.licence,
        "without": list(base.left_out),
        "fitted": "the whole network" if options.whole else "a linear head",
        "data": data,
        "data_licence": options.licence or NOT_STATED,
        "data_sha256": examples.digest,
        "photos": len(examples.names),
        "people": len(set(examples.people)),
        "left_out": dict(examples.left_out),
        "counts": {label: Counter(examples.values)[label] for label in names},
        "split": _split(options.whole, folds),
        "parts": np.bincount(parts).tolist(),
        "settings": {
            "epochs": schedule.epochs,
            "patience": schedule.patience,
            "batch": schedule.batch,
            "rate": schedule.rate,
            "decay": schedule.decay,
            "mirror": schedule.mirror,
            "balance": options.balance,
            "folds": folds,
            "seed": schedule.seed,
        },
        "best_epoch": history.best + 1,
        "epochs": len(history.losses),
        "scores": scores.content(),
        "command": command,
    }


def _split(whole: bool, folds: int) -> str:
    split = f"people are split into {folds} parts, all photos of a person in the same part"
    if whole:
        return f"{split}; part 0 scores the network, part 1 stops the fit, the others are fitted to"
    return (
        f"{split}; each part is scored by a head fitted to {folds - 2} others and stopped by one; the stored head is "
        f"fitted to parts 1 to {folds - 1} and stopped by part 0"
    )


def photo_words(photos: Photos) -> str:
    """Return the photos as the caller named them, separated by spaces."""
    return " ".join(_photo_arguments(photos))


def _photo_arguments(photos: Photos) -> list[str]:
    return [str(item) for item in ([photos] if isinstance(photos, str | Path) else photos)]


def command_line(
    photos: Photos,
    base: Backbone,
    task: str,
    out: str | Path | None,
    labels: str | Path | None,
    identity: str | None,
    by: Sequence[str],
    schedule: Schedule,
    options: FinetuneOptions,
) -> str:
    """Return the ``canonface finetune`` command with these options, and the version as a comment."""
    words = ["canonface", "finetune", *_photo_arguments(photos)]
    words += ["--backbone", base.text or "PACKAGE.MODULE:ATTRIBUTE", "--task", task]
    words += ["--labels", str(labels)] if labels is not None else []
    words += ["--identity", identity] if identity is not None else []
    for column in by:
        words += ["--by", column]
    words += ["--without", ",".join(base.left_out)] if base.left_out else []
    words += ["--classes", ",".join(options.classes)] if options.classes is not None else []
    words += ["--whole"] if options.whole else []
    words += ["--folds", str(options.folds), "--epochs", str(schedule.epochs)]
    words += ["--patience", str(schedule.patience), "--batch", str(schedule.batch)]
    words += ["--rate", f"{schedule.rate:g}", "--decay", f"{schedule.decay:g}"]
    words += ["--mirror" if schedule.mirror else "--no-mirror"]
    words += [] if options.balance else ["--no-balance"]
    words += ["--seed", str(schedule.seed), "-o", str(out) if out is not None else "OUT"]
    return f"{shlex.join(words)}  # canonface {__version__}"


def write_card(folder: Path, card: Mapping[str, Any]) -> None:
    """Write the card as a Markdown page next to the model."""
    (folder / CARD).write_text(card_page(card), encoding="utf-8")


def add_to_card(folder: Path, title: str, scores: ClassifierScores) -> None:
    """Add scores on other photos (`canonface.finetuning.assess`) to the card of a stored model.

    Raises:
        ModelError: the directory holds no model.
        OSError: it cannot be written.
    """
    stored = read_description(folder)
    card = {**stored.card, "held_out": {**stored.card.get("held_out", {}), title: scores.content()}}
    write_description(folder, replace(stored, card=card))
    write_card(folder, card)


def card_page(card: Mapping[str, Any]) -> str:
    """Return the card as Markdown."""
    scores = card["scores"]
    accuracy = scores["accuracy"]
    lines = [
        f"# {card['name']}",
        "",
        f"{card['fitted'].capitalize()} on `{card['backbone']}` for {card['task']} ({card['classes_from']}): "
        f"{', '.join(card['counts'])}.",
        "",
        f"- Accuracy on people not in the training part: {_percent(accuracy)}, {accuracy['photos']} photos of "
        f"{accuracy['people']} people.",
        f"- Photos: {card['data']}, {card['photos']} of {card['people']} people; licence: {card['data_licence']}.",
        f"- Left out: {_counted(card['left_out'])}.",
        f"- Backbone: `{card['backbone']}`, licence of its weights: {card['backbone_licence']}"
        + (f"; without its layers {', '.join(card['without'])}." if card["without"] else "."),
        f"- Split: {card['split']}. Photos in the parts: {', '.join(map(str, card['parts']))}.",
        f"- Fit: {', '.join(f'{key} {value}' for key, value in card['settings'].items())}; best epoch "
        f"{card['best_epoch']} of {card['epochs']}.",
        "",
        "Command:",
        "",
        f"    {card['command']}",
        "",
        "Intervals: Wilson's, 95%, with the effective number of photos (clustered by person).",
        "",
        *_table(scores),
        "",
        *_confusion(scores),
    ]
    for title, held in card.get("held_out", {}).items():
        lines += ["", f"## {title}", "", "These photos were not used in the fit.", "", *_table(held)]
        lines += ["", *_confusion(held)]
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
        f"Always predicting {scores['commonest']!r}: {100 * scores['baseline']:.1f}%; mean over the classes: "
        f"{100 * scores['balanced']:.1f}%.",
    ]


def _confusion(scores: Mapping[str, Any]) -> list[str]:
    labels = scores["labels"]
    lines = [f"| true \\ predicted | {' | '.join(labels)} |", f"|---{'|---' * len(labels)}|"]
    for label, row in zip(labels, scores["confusion"], strict=True):
        lines.append(f"| {label} | {' | '.join(map(str, row))} |")
    return lines


def _row(title: str, share: Mapping[str, Any]) -> str:
    return f"| {title} | {share['photos']} | {share['people']} | {_percent(share, '')} |"


def _percent(share: Mapping[str, Any], unit: str = "%") -> str:
    return f"{100 * share['value']:.1f}{unit} ({100 * share['low']:.1f}-{100 * share['high']:.1f})"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in counts.items()) or "none"
