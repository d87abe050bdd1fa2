"""Fitting: heads on a backbone, or the whole network, for a label column or the pose of the mesh."""

from canonface.finetuning.assessing import assess
from canonface.finetuning.cards import add_to_card
from canonface.finetuning.fitting import Finetuned, finetune
from canonface.finetuning.folds import identity_folds
from canonface.finetuning.scores import Scores, interval, make_scores
from canonface.finetuning.tasks import TASKS, age_range, mirrored_pose

__all__ = [
    "TASKS",
    "Finetuned",
    "Scores",
    "add_to_card",
    "age_range",
    "assess",
    "finetune",
    "identity_folds",
    "interval",
    "make_scores",
    "mirrored_pose",
]
