"""Faithfulness of canonical maps and of other methods' maps, with intervals.

``evaluate`` scores a run. The metrics are plain functions: `canonface.functional` holds those of the paper,
``curves`` deletion and insertion, ``road`` ROAD, ``localisation`` the pointing game, mass accuracy and ROC area.
"""

from canonface.evaluation.attributions import (
    TOTALS,
    cis_attribution,
    cms_attribution,
    common_total,
    reprojected,
)
from canonface.evaluation.controls import CONTROLS, CentreAttribution, RandomAttribution
from canonface.evaluation.curves import area_under, curve_inputs, most_relevant_first
from canonface.evaluation.intervals import Interval, bootstrap_means, intervals
from canonface.evaluation.localisation import Localisation, at_region, localisation
from canonface.evaluation.metrics import METRICS, PAPER, Metric
from canonface.evaluation.options import EvaluationOptions
from canonface.evaluation.result import Difference, Estimate, Evaluation
from canonface.evaluation.road import noisy_linear_imputation
from canonface.evaluation.run_evaluation import OURS, evaluate
from canonface.evaluation.scores import SubjectScores, score
from canonface.evaluation.subjects import Subject
from canonface.evaluation.tables import content, csv_text, image_scores_text, latex_text

__all__ = [
    "CONTROLS",
    "METRICS",
    "OURS",
    "PAPER",
    "TOTALS",
    "CentreAttribution",
    "Difference",
    "Estimate",
    "Evaluation",
    "EvaluationOptions",
    "Interval",
    "Localisation",
    "Metric",
    "RandomAttribution",
    "Subject",
    "SubjectScores",
    "area_under",
    "at_region",
    "bootstrap_means",
    "cis_attribution",
    "cms_attribution",
    "common_total",
    "content",
    "csv_text",
    "curve_inputs",
    "evaluate",
    "image_scores_text",
    "intervals",
    "latex_text",
    "localisation",
    "most_relevant_first",
    "noisy_linear_imputation",
    "reprojected",
    "score",
]
