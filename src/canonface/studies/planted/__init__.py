"""Planted cues: networks that are trained to use one part of the face, as a test of maps."""

from canonface.studies.planted.cue_scores import CueScore, Proportion, score
from canonface.studies.planted.marks import Area, Mark, paint
from canonface.studies.planted.portraits import Portraits, make_portraits
from canonface.studies.planted.result import Planted
from canonface.studies.planted.study import PlantedDesign, planted
from canonface.studies.planted.trial import Trial, TrialPlan, make_plans, run_trial

__all__ = [
    "Area",
    "CueScore",
    "Mark",
    "Planted",
    "PlantedDesign",
    "Portraits",
    "Proportion",
    "Trial",
    "TrialPlan",
    "make_plans",
    "make_portraits",
    "paint",
    "planted",
    "run_trial",
    "score",
]
