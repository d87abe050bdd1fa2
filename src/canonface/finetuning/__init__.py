"""Fine-tuning: heads on a backbone, or whole networks, for a label column or the pose of the mesh."""

from canonface.finetuning.assessment import assess
from canonface.finetuning.cards import add_to_card
from canonface.finetuning.fitted_model import Finetuned, finetune
from canonface.finetuning.folds import identity_folds
from canonface.finetuning.options import FinetuneOptions
from canonface.finetuning.scores import ClassifierScores, interval, make_scores
from canonface.finetuning.tasks import TASKS, age_range, mirrored_pose

__all__ = [
    "TASKS",
    "ClassifierScores",
    "FinetuneOptions",
    "Finetuned",
    "add_to_card",
    "age_range",
    "assess",
    "finetune",
    "identity_folds",
    "interval",
    "make_scores",
    "mirrored_pose",
]
