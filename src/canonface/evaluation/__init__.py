"""Is the map right? Faithfulness of canonical maps beside those of other methods, with intervals.

``evaluate`` scores a run; the metrics themselves are plain functions: `canonface.functional` has those of the paper,
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
from canonface.evaluation.curves import area_under, curve_inputs
from canonface.evaluation.evaluating import OURS, evaluate
from canonface.evaluation.intervals import Interval, bootstrap_means, intervals
from canonface.evaluation.localisation import Localisation, at_region, localisation
from canonface.evaluation.metrics import METRICS, PAPER, Metric
from canonface.evaluation.ranking import hottest_first
from canonface.evaluation.result import Difference, Estimate, Evaluation
from canonface.evaluation.road import noisy_linear_imputation
from canonface.evaluation.scoring import Choices, Scored, score
from canonface.evaluation.subjects import Subject
from canonface.evaluation.tables import content, csv_text, image_scores_text, latex_text

__all__ = [
    "CONTROLS",
    "METRICS",
    "OURS",
    "PAPER",
    "TOTALS",
    "CentreAttribution",
    "Choices",
    "Difference",
    "Estimate",
    "Evaluation",
    "Interval",
    "Localisation",
    "Metric",
    "RandomAttribution",
    "Scored",
    "Subject",
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
    "hottest_first",
    "image_scores_text",
    "intervals",
    "latex_text",
    "localisation",
    "noisy_linear_imputation",
    "reprojected",
    "score",
]
