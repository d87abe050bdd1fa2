"""Options of fine-tuning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from canonface.errors import OptionError, near_names

if TYPE_CHECKING:
    from canonface.finetuning.training_loop import Schedule

LEAST = 10
"""Default of the photos that each class needs."""


@dataclass(frozen=True)
class FinetuneOptions:
    """Options of a fit, and texts for its card.

    Attributes:
        whole: fit the backbone too. Its batch norms keep their statistics, its dropout is off.
        without: layers of the backbone that are replaced by the identity, such as the last one, so that the features
            are those before it.
        classes: classes to distinguish, in this order. None: all that occur.
        folds: parts that share no person, 3 or more.
        epochs: maximum number of passes over the photos; None: 200 for a head, 10 for a whole network.
        patience: passes without gain after which the fit ends; None: 20 for a head, 3 for a whole network.
        batch: photos per step.
        rate: learning rate; None: 3e-4 for a head, 1e-4 for a whole network.
        decay: weight decay.
        mirror: add mirror images; a pose changes sides with its photo. None: for ``pose`` and for a whole network.
            For heads of other tasks it had no measurable effect and doubles the forward passes.
        balance: give all classes the same weight in the loss, whatever their number of photos.
        least: photos that each class needs.
        seed: seed of parts, order and mirroring; the same seed gives the same bits on a CPU.
        device: device of the network.
        trust: as of `canonface.load_model`.
        name: name of the model; None: made of the backbone's name and the task.
        data: description of the photos, for the card.
        licence: licence of the photos, for the card.
        command: that makes this model, for the card; empty: the equivalent ``canonface finetune``.
    """

    whole: bool = False
    without: Sequence[str] = ()
    classes: Sequence[str] | None = None
    folds: int = 5
    epochs: int | None = None
    patience: int | None = None
    batch: int = 64
    rate: float | None = None
    decay: float = 0.01
    mirror: bool | None = None
    balance: bool = True
    least: int = LEAST
    seed: int = 0
    device: str = "auto"
    trust: bool = False
    name: str | None = None
    data: str = ""
    licence: str = ""
    command: str = ""

    def __post_init__(self) -> None:
        if self.folds < 3:
            raise OptionError(
                "One part scores the model, one stops the fit, one is fitted to: folds is 3 or more; got "
                f"{self.folds}."
            )

    def schedule(self, task: str) -> Schedule:
        """Return the schedule of the training loop for a task.

        Raises:
            OptionError: a value cannot be used.
        """
        from canonface.finetuning.training_loop import Schedule

        return Schedule(
            epochs=self.epochs if self.epochs is not None else (10 if self.whole else 200),
            patience=self.patience if self.patience is not None else (3 if self.whole else 20),
            batch=self.batch,
            rate=self.rate if self.rate is not None else (1e-4 if self.whole else 3e-4),
            decay=self.decay,
            mirror=(self.whole or task == "pose") if self.mirror is None else self.mirror,
            seed=self.seed,
        )


def finetune_options(options: FinetuneOptions | None, keywords: Mapping[str, Any]) -> FinetuneOptions:
    """Return options with the keywords replacing single values.

    Raises:
        OptionError: a keyword is no option, or a value cannot be used.
    """
    known = [field.name for field in fields(FinetuneOptions)]
    for name in keywords:
        if name not in known:
            raise OptionError(f"An option has a known name; got {name!r}: {near_names(name, known)}")
    return replace(options or FinetuneOptions(), **keywords)
