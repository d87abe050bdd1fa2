"""The command line that says how a model was fitted."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from canonface._version import __version__
from canonface.data.photos import Photos

if TYPE_CHECKING:
    from canonface.finetuning.backbones import Backbone
    from canonface.finetuning.training import Schedule


def words_of(photos: Photos) -> str:
    """The photos as they were named."""
    given = [photos] if isinstance(photos, str | Path) else list(photos)
    return " ".join(str(item) for item in given)


def command_line(
    photos: Photos,
    base: Backbone,
    task: str,
    labels: str | Path | None,
    identity: str | None,
    by: Sequence[str],
    whole: bool,
    classes: Sequence[str] | None,
    folds: int,
    schedule: Schedule,
    balance: bool,
    out: str | Path | None,
) -> str:
    """A command with these options; the version that it was given to is a comment behind it."""
    given = [photos] if isinstance(photos, str | Path) else list(photos)
    words = ["canonface", "finetune", *map(str, given), "--backbone", base.text or "PACKAGE.MODULE:ATTRIBUTE"]
    words += ["--task", task]
    words += ["--labels", str(labels)] if labels is not None else []
    words += ["--identity", identity] if identity is not None else []
    for column in by:
        words += ["--by", column]
    words += ["--without", ",".join(base.left_out)] if base.left_out else []
    words += ["--classes", ",".join(classes)] if classes is not None else []
    words += ["--whole"] if whole else []
    words += ["--folds", str(folds), "--epochs", str(schedule.epochs), "--patience", str(schedule.patience)]
    words += [
        "--batch",
        str(schedule.batch),
        "--rate",
        f"{schedule.rate:g}",
        "--decay",
        f"{schedule.decay:g}",
    ]
    words += ["--mirror" if schedule.mirror else "--no-mirror"]
    words += [] if balance else ["--no-balance"]
    words += ["--seed", str(schedule.seed), "-o", str(out) if out is not None else "OUT"]
    return f"{shlex.join(words)}  # canonface {__version__}"
