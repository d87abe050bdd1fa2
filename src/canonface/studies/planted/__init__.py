"""Networks that are trained to use one part of the face, and whether maps point to it."""

from canonface.studies.planted.marks import Area, Mark, paint
from canonface.studies.planted.portraits import Portraits, make_portraits
from canonface.studies.planted.proportions import Proportion
from canonface.studies.planted.scoring import Score, score
from canonface.studies.planted.study import Planted, planted
from canonface.studies.planted.trial import Plan, Trial, make_plans, run_trial

__all__ = [
    "Area",
    "Mark",
    "Plan",
    "Planted",
    "Portraits",
    "Proportion",
    "Score",
    "Trial",
    "make_plans",
    "make_portraits",
    "paint",
    "planted",
    "run_trial",
    "score",
]
