"""Names of version 0.1.0 that moved: they work for one more version, with a DeprecationWarning."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from functools import partial, wraps
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import FrameType, ModuleType
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

MODULES: dict[str, tuple[str, ...]] = {
    # alignment
    "canonface.alignment.cutting": ("canonface.alignment.placement",),
    "canonface.alignment.digests": ("canonface.files",),
    "canonface.alignment.finding": ("canonface.alignment.finder",),
    "canonface.alignment.five_point": ("canonface.alignment.flat_aligners",),
    "canonface.alignment.placing": ("canonface.alignment.placement",),
    "canonface.alignment.square": ("canonface.alignment.square_crop",),
    "canonface.alignment.unaligned": ("canonface.alignment.flat_aligners",),
    # confidence
    "canonface.confidence.describing": ("canonface.confidence.registry",),
    # engine
    "canonface.engine.asker": ("canonface.engine.runner",),
    "canonface.engine.batching": ("canonface.engine.dense",),
    "canonface.engine.choosing": ("canonface.engine.plan",),
    "canonface.engine.incremental.bases": ("canonface.engine.incremental.activation_cache",),
    "canonface.engine.incremental.calls": ("canonface.engine.incremental.ops",),
    "canonface.engine.incremental.changes": ("canonface.engine.incremental.deltas",),
    "canonface.engine.incremental.folding": ("canonface.engine.incremental.fusion",),
    "canonface.engine.incremental.gathering": ("canonface.engine.incremental.indexing",),
    "canonface.engine.incremental.joining": ("canonface.engine.incremental.fusion",),
    "canonface.engine.incremental.network": ("canonface.engine.incremental.traced_network",),
    "canonface.engine.incremental.rest": ("canonface.engine.incremental.dense_tail",),
    "canonface.engine.incremental.session": ("canonface.engine.incremental.executor",),
    "canonface.engine.incremental.tracing": ("canonface.engine.incremental.trace",),
    "canonface.engine.incremental.workspace": ("canonface.engine.incremental.native_kernels",),
    "canonface.engine.native.building": ("canonface.engine.native.compilation",),
    "canonface.engine.native.packed": ("canonface.engine.native.arguments",),
    "canonface.engine.planning": ("canonface.engine.plan",),
    # evaluation
    "canonface.evaluation.asked": ("canonface.evaluation.run_subjects",),
    "canonface.evaluation.evaluating": (
        "canonface.evaluation.run_evaluation",
        "canonface.evaluation.model_maps",
        "canonface.evaluation.run_subjects",
    ),
    "canonface.evaluation.heats": ("canonface.evaluation.attributions",),
    "canonface.evaluation.ranking": ("canonface.evaluation.curves",),
    "canonface.evaluation.scoring": ("canonface.evaluation.scores", "canonface.evaluation.options"),
    # finetuning
    "canonface.finetuning.assessing": ("canonface.finetuning.assessment",),
    "canonface.finetuning.commands": ("canonface.finetuning.cards",),
    "canonface.finetuning.fitting": ("canonface.finetuning.fitted_model", "canonface.finetuning.options"),
    "canonface.finetuning.gathering": ("canonface.finetuning.examples",),
    "canonface.finetuning.remembering": ("canonface.finetuning.feature_cache",),
    "canonface.finetuning.training": ("canonface.finetuning.training_loop",),
    "canonface.finetuning.ways": ("canonface.finetuning.strategies",),
    # fingerprint
    "canonface.fingerprint.sources": ("canonface.fingerprint.code",),
    # importing
    "canonface.importing": ("canonface.imports",),
    # landmarker
    "canonface.landmarker.bundle": ("canonface.landmarker.networks",),
    "canonface.landmarker.face_mesh": ("canonface.landmarker.networks",),
    "canonface.landmarker.network": ("canonface.landmarker.networks",),
    # maps
    "canonface.maps.canonicalising": ("canonface.maps.attribution",),
    "canonface.maps.off_face": ("canonface.maps.readout",),
    "canonface.maps.peak": ("canonface.maps.readout",),
    "canonface.maps.vertices": ("canonface.maps.readout",),
    # mesh
    "canonface.mesh.digest": ("canonface.mesh.files",),
    "canonface.mesh.file_checks": ("canonface.mesh.files",),
    "canonface.mesh.fitting": ("canonface.mesh.fit",),
    "canonface.mesh.frozen": ("canonface.mesh.readonly",),
    "canonface.mesh.landmarks": ("canonface.mesh.canonical",),
    "canonface.mesh.named": ("canonface.mesh.canonical",),
    "canonface.mesh.planar": ("canonface.mesh.grids",),
    "canonface.mesh.poisson": ("canonface.mesh.probes",),
    "canonface.mesh.reserved": ("canonface.mesh.custom",),
    "canonface.mesh.symmetry": ("canonface.mesh.canonical",),
    "canonface.mesh.thinning": ("canonface.mesh.fit", "canonface.mesh.probes"),
    # methods
    "canonface.methods.borrowing": ("canonface.methods.autograd_context",),
    "canonface.methods.counting": ("canonface.methods.counter",),
    "canonface.methods.differences": ("canonface.methods.score",),
    "canonface.methods.heat_files": ("canonface.methods.attribution_files",),
    "canonface.methods.plain": ("canonface.occluders.fills",),
    "canonface.methods.plus_plus": ("canonface.methods.cams",),
    "canonface.methods.rectifying": ("canonface.methods.score",),
    "canonface.methods.reducing": ("canonface.methods.attribution",),
    "canonface.methods.rise": ("canonface.methods.perturbation",),
    "canonface.methods.scoring": ("canonface.methods.score",),
    "canonface.methods.sliding": ("canonface.methods.perturbation",),
    "canonface.methods.vertices": ("canonface.methods.attribution",),
    # models
    "canonface.models.answers": ("canonface.models.outputs",),
    "canonface.models.assets": ("canonface.models.downloads",),
    "canonface.models.dependencies": ("canonface.imports",),
    "canonface.models.differentiable": ("canonface.models.torch_preprocessing",),
    "canonface.models.filling": ("canonface.models.weights",),
    "canonface.models.headed": ("canonface.models.linear_head",),
    "canonface.models.objects": ("canonface.models.torch_module",),
    "canonface.models.probing": ("canonface.models.outputs",),
    "canonface.models.zoo.filled": ("canonface.models.zoo.arrays",),
    "canonface.models.zoo.frozen_graph": ("canonface.models.zoo.facenet_weights",),
    "canonface.models.zoo.keras_file": ("canonface.models.zoo.arrays",),
    # occluders
    "canonface.occluders.blurring": ("canonface.occluders.blur",),
    "canonface.occluders.hiding": ("canonface.occluders.fills", "canonface.occluders.regions"),
    "canonface.occluders.inpainting": ("canonface.occluders.fills",),
    # plots
    "canonface.plots.comparing": ("canonface.plots.method_comparison",),
    "canonface.plots.comparison": ("canonface.plots.setting_comparison",),
    "canonface.plots.raster": ("canonface.plots.frontal", "canonface.raster"),
    # run
    "canonface.run.aligning": ("canonface.explanation.alignment",),
    "canonface.run.auditing": ("canonface.pipeline.photos",),
    "canonface.run.comparing": ("canonface.explanation.comparison",),
    "canonface.run.estimating": ("canonface.run.estimate",),
    "canonface.run.explaining": ("canonface.explanation.face", "canonface.explanation.view"),
    "canonface.run.galleries": ("canonface.explanation.gallery",),
    "canonface.run.heating": ("canonface.explanation.attribution",),
    "canonface.run.labels": ("canonface.data.labels",),
    "canonface.run.moments": ("canonface.pipeline.moments",),
    "canonface.run.pairs": ("canonface.data.pairs",),
    "canonface.run.photos": ("canonface.data.photos",),
    "canonface.run.planning": ("canonface.explanation.plan",),
    "canonface.run.probes": ("canonface.explanation.probes",),
    "canonface.run.region_audit": ("canonface.pipeline.regions",),
    "canonface.run.regions": ("canonface.explanation.regions",),
    "canonface.run.settings": ("canonface.explanation.settings",),
    "canonface.run.verifying": ("canonface.pipeline.pairs", "canonface.explanation.pair"),
    "canonface.run.writing": ("canonface.pipeline.loop",),
    # sampling
    "canonface.sampling.bands": ("canonface.sampling.band",),
    "canonface.sampling.clusters": ("canonface.sampling.influence",),
    "canonface.sampling.smoothing": ("canonface.sampling.kernel",),
    "canonface.sampling.stopping": ("canonface.sampling.interim_looks",),
    "canonface.sampling.strata": ("canonface.sampling.designs",),
    # studies
    "canonface.studies.copies": ("canonface.studies.aligners",),
    "canonface.studies.fixing": ("canonface.studies.targets",),
    "canonface.studies.planted.mapping": ("canonface.studies.planted.model_maps",),
    "canonface.studies.planted.painting": (
        "canonface.studies.planted.cues",
        "canonface.studies.planted.trial",
    ),
    "canonface.studies.planted.proportions": ("canonface.studies.planted.cue_scores",),
    "canonface.studies.planted.rules": ("canonface.studies.planted.model_maps",),
    "canonface.studies.planted.scoring": ("canonface.studies.planted.cue_scores",),
    "canonface.studies.planted.training": ("canonface.studies.planted.network",),
    "canonface.studies.randomizing": ("canonface.studies.randomization",),
    "canonface.studies.varying": ("canonface.studies.sweep", "canonface.studies.aligners"),
}
"""A module of 0.1.0 that moved -> the modules that hold its content now.

Modules inside ``canonface.engine.incremental`` and ``canonface.engine.native`` are steps of the engines: they can be
imported from their old place, but names inside them may have changed without an alias. Every other public name of
0.1.0 that has a successor has an alias.
"""

RENAMED: dict[str, str] = {
    # alignment
    "canonface.alignment.cutting:uncut": "remove_cut_faces",
    "canonface.alignment.detector:without_repeats": "deduplicate",
    "canonface.alignment.digests:file_sha256": "sha256_file",
    "canonface.alignment.finding:Placed": "FoundFace",
    "canonface.alignment.five_point:Placed": "canonface.alignment.finder:FoundFace",
    "canonface.alignment.halo:within": "inside_image",
    "canonface.alignment.position_map:Placed": "canonface.alignment.finder:FoundFace",
    "canonface.alignment.square:Square": "SquareCrop",
    # confidence
    "canonface.confidence.base:Original": "CleanPrediction",
    "canonface.confidence:Original": "CleanPrediction",
    # engine
    "canonface.engine.asker:Asker": "ModelRunner",
    "canonface.engine.asker:FEWEST": "MIN_PASSES",
    "canonface.engine.choosing:ASKED_BOTH_WAYS": "COMPARED_PROBES",
    "canonface.engine.choosing:CLOSE": "CHANGE_TOLERANCE",
    "canonface.engine.choosing:DOUBTFUL": "RETIMED_RATIO",
    "canonface.engine.choosing:Dense": "PredictDense",
    "canonface.engine.choosing:GATE": "DROP_TOLERANCE",
    "canonface.engine.choosing:LEAST_GAIN": "MIN_SAVING",
    "canonface.engine.choosing:ROUNDING": "OUTPUT_TOLERANCE",
    "canonface.engine.choosing:TIMED": "TIMED_PROBES",
    "canonface.engine.choosing:spread": "evenly_spaced",
    "canonface.engine.dense:Ask": "ForwardFn",
    "canonface.engine.dense:answers": "predict",
    "canonface.engine.native:Activation": "ActivationCode",
    "canonface.engine.plan:failed": "failure_plan",
    "canonface.engine.planning:TIMED": "TIMED_DENSE_PROBES",
    "canonface.engine.planning:planned": "make_plan",
    "canonface.engine:Ask": "ForwardFn",
    "canonface.engine:Asker": "ModelRunner",
    "canonface.engine:answers": "predict",
    "canonface.engine:planned": "make_plan",
    # errors
    "canonface.errors:HeatError": "AttributionError",
    "canonface.errors:NothingAskedError": "NoVisibleProbeError",
    # evaluation
    "canonface.evaluation.asked:pair_question": "pair_confidence_fn",
    "canonface.evaluation.asked:same_model": "verified_model",
    "canonface.evaluation.asked:same_question": "verified_confidence_fn",
    "canonface.evaluation.controls:CentreHeat": "CentreAttribution",
    "canonface.evaluation.controls:RandomHeat": "RandomAttribution",
    "canonface.evaluation.evaluating:DRAWS": "canonface.evaluation.intervals:DRAWS",
    "canonface.evaluation.evaluating:Heats": "canonface.evaluation.subjects:Attributions",
    "canonface.evaluation.evaluating:LEVEL": "canonface.evaluation.intervals:CONFIDENCE_LEVEL",
    "canonface.evaluation.evaluating:made_methods": "make_methods",
    "canonface.evaluation.heats:cis_heat": "cis_attribution",
    "canonface.evaluation.heats:cms_heat": "cms_attribution",
    "canonface.evaluation.intervals:LEVEL": "CONFIDENCE_LEVEL",
    "canonface.evaluation.localisation:mass_accuracy": "canonface.statistics:mass_share",
    "canonface.evaluation.localisation:roc_auc": "canonface.statistics:roc_area",
    "canonface.evaluation.ranking:first_counts": "step_counts",
    "canonface.evaluation.ranking:first_masks": "leading_masks",
    "canonface.evaluation.ranking:hottest_first": "most_relevant_first",
    "canonface.evaluation.result:LEVEL": "canonface.evaluation.intervals:CONFIDENCE_LEVEL",
    "canonface.evaluation.scoring:Choices": "EvaluationOptions",
    "canonface.evaluation.scoring:Heats": "canonface.evaluation.subjects:Attributions",
    "canonface.evaluation.scoring:LEVEL_WITHIN": "TIED_WITHIN",
    "canonface.evaluation.scoring:NO_FILLS": "NO_WHOLE_FILLS",
    "canonface.evaluation.scoring:Scored": "SubjectScores",
    "canonface.evaluation.subjects:Heats": "Attributions",
    "canonface.evaluation.subjects:View": "SubjectView",
    "canonface.evaluation:CentreHeat": "CentreAttribution",
    "canonface.evaluation:Choices": "EvaluationOptions",
    "canonface.evaluation:RandomHeat": "RandomAttribution",
    "canonface.evaluation:Scored": "SubjectScores",
    "canonface.evaluation:cis_heat": "cis_attribution",
    "canonface.evaluation:cms_heat": "cms_attribution",
    "canonface.evaluation:hottest_first": "most_relevant_first",
    # finetuning
    "canonface.finetuning.assessing:Report": "canonface.finetuning.examples:ProgressCallback",
    "canonface.finetuning.commands:words_of": "photo_words",
    "canonface.finetuning.fitting:Report": "canonface.finetuning.examples:ProgressCallback",
    "canonface.finetuning.gathering:Cases": "CandidatePhotos",
    "canonface.finetuning.gathering:Gathered": "ExampleSet",
    "canonface.finetuning.gathering:Report": "ProgressCallback",
    "canonface.finetuning.gathering:find_cases": "find_candidates",
    "canonface.finetuning.gathering:gather": "collect_examples",
    "canonface.finetuning.remembering:Memory": "FeatureCache",
    "canonface.finetuning.remembering:make_memory": "make_feature_cache",
    "canonface.finetuning.scores:Scores": "ClassifierScores",
    "canonface.finetuning.training:Examples": "TrainingData",
    "canonface.finetuning.ways:Fitted": "FitResult",
    "canonface.finetuning.ways:Report": "canonface.finetuning.examples:ProgressCallback",
    "canonface.finetuning:Scores": "ClassifierScores",
    # functional
    "canonface.functional.faithfulness:normalised_heat": "normalised_attribution",
    "canonface.functional:normalised_heat": "normalised_attribution",
    # importing
    "canonface.importing:attribute": "import_attribute",
    # landmarker
    "canonface.landmarker.network:Network": "LiteRTNetwork",
    # mesh
    "canonface.mesh.custom:built_mesh": "build_mesh",
    "canonface.mesh.custom:closed": "canonface.mesh.readonly:freeze_sparse",
    "canonface.mesh.fitting:borrowed_names": "transfer_names",
    "canonface.mesh.frozen:frozen": "freeze",
    "canonface.mesh.named:MAX_LEVEL": "canonface.mesh.subdivision:MAX_SUBDIVISION",
    "canonface.mesh.regions:dense_region": "subdivide_region",
    "canonface.mesh.reserved:check_free": "check_name",
    "canonface.mesh.subdivision:MAX_LEVEL": "MAX_SUBDIVISION",
    "canonface.mesh.subdivision:check_level": "check_subdivision",
    # methods
    "canonface.methods.base:checked_heat": "canonface.methods.attribution:checked_attribution",
    "canonface.methods.base:heat_unit": "canonface.methods.attribution:attribution_unit",
    "canonface.methods.base:one_of": "canonface.confidence.targets:one_of",
    "canonface.methods.borrowing:borrowed": "autograd_context",
    "canonface.methods.heat_files:HeatFiles": "AttributionFiles",
    "canonface.methods.plain:check_plain": "check_plain_fill",
    "canonface.methods.plain:plain": "plain_fill",
    "canonface.methods.rectifying:Rectified": "RectifiedScore",
    "canonface.methods.scoring:Of": "ConfidenceFn",
    "canonface.methods:HeatFiles": "AttributionFiles",
    "canonface.methods:checked_heat": "checked_attribution",
    "canonface.methods:heat_unit": "attribution_unit",
    # models
    "canonface.models.answers:described": "describe_outputs",
    "canonface.models.answers:picked_answer": "select_output",
    "canonface.models.architectures.inception_resnet_v1:Convolution": "InceptionConvolution",
    "canonface.models.architectures.inception_resnet_v1:Residual": "InceptionResidual",
    "canonface.models.architectures.iresnet:Block": "IResNetBlock",
    "canonface.models.base:checked_answer": "checked_predictions",
    "canonface.models.filling:Loaded": "LoadedArchitecture",
    "canonface.models.filling:fill": "fill_network",
    "canonface.models.filling:load_into": "load_weights",
    "canonface.models.finetuned:assembled": "assemble_model",
    "canonface.models.fingerprint:file_fingerprint": "canonface.files:sha256_file",
    "canonface.models.onnx_file:output_named": "output_name",
    "canonface.models.onnx_graph:freed_network": "free_batch",
    "canonface.models.preprocessing:only_what_is_needed": "needed_window",
    "canonface.models.probing:guessed_outputs": "guess_outputs",
    "canonface.models.probing:random_numbers_kept": "preserved_rng",
    "canonface.models.torch_files:Program": "TorchProgram",
    "canonface.models.torch_files:joined": "concatenate_outputs",
    "canonface.models.weights:variants": "state_variants",
    "canonface.models.zoo.dlib_networks:Residual": "DlibResidual",
    "canonface.models.zoo.dlib_networks:filled_up": "pad_zeros",
    "canonface.models.zoo.facenet_heads:entry": "make_entry",
    "canonface.models.zoo.filled:filled": "load_arrays",
    "canonface.models.zoo.mini_xception:Block": "XceptionBlock",
    "canonface.models.zoo.wide_resnet:Block": "WideBlock",
    "canonface.models:checked_answer": "checked_predictions",
    # occluders
    "canonface.occluders.disc:Patch": "canonface.occluders.size:Patch",
    "canonface.occluders.square:Patch": "canonface.occluders.size:Patch",
    "canonface.occluders.square:default_patch": "canonface.occluders.size:default_patch",
    "canonface.occluders.square:size_or_default": "canonface.occluders.size:size_or_default",
    "canonface.occluders.surface:Patch": "canonface.occluders.size:Patch",
    # plots
    "canonface.plots.panels:heat_panel": "attribution_panel",
    "canonface.plots.pictures:figure6": "canonface.plots.pages:figure6",
    "canonface.plots.pictures:groups": "canonface.plots.pages:groups",
    "canonface.plots.pictures:pairs": "canonface.plots.pages:pairs",
    # run
    "canonface.run.auditing:LABEL_COLUMN_PREFIX": "canonface.run.parts:LABEL_COLUMN_PREFIX",
    "canonface.run.auditing:PrecisionOf": "canonface.explanation.options:PrecisionOf",
    "canonface.run.auditing:WhichFaces": "canonface.types:WhichFaces",
    "canonface.run.comparing:Comparison": "MethodComparison",
    "canonface.run.estimating:until_reached": "canonface.pipeline.stopping:stopping_rule",
    "canonface.run.explaining:View": "FaceView",
    "canonface.run.explaining:asked_once": "clean_outputs",
    "canonface.run.explaining:begun": "prepare_face",
    "canonface.run.explaining:check_adaptive": "is_adaptive",
    "canonface.run.heating:heat_at": "attribution_at",
    "canonface.run.heating:heat_of": "attribution_of",
    "canonface.run.heating:refuse_questions_by_patches": "refuse_occlusion_options",
    "canonface.run.regions:region_settings": "region_choices",
    "canonface.run.run:LABEL_COLUMN_PREFIX": "canonface.run.parts:LABEL_COLUMN_PREFIX",
    "canonface.run.run:LEVEL": "canonface.run.stopping:CONFIDENCE_LEVEL",
    "canonface.run.run:PARTS": "canonface.run.parts:PARTS",
    "canonface.run.stopping:LEVEL": "CONFIDENCE_LEVEL",
    "canonface.run.stopping:Look": "InterimLook",
    "canonface.run.stopping:PrecisionOf": "canonface.explanation.options:PrecisionOf",
    "canonface.run.stopping:REACHED_FILE": "STATE_FILE",
    "canonface.run.stopping:Reached": "StoppingState",
    "canonface.run.stopping:Until": "canonface.pipeline.stopping:StoppingRule",
    "canonface.run.stopping:make_order": "canonface.pipeline.stopping:make_order",
    "canonface.run:Comparison": "canonface.explanation:MethodComparison",
    "canonface.run:PRESETS": "canonface.explanation:PRESETS",
    "canonface.run:Progress": "canonface.pipeline:Progress",
    "canonface.run:RegionEffects": "canonface.explanation:RegionEffects",
    "canonface.run:RegionSummary": "canonface.pipeline:RegionSummary",
    "canonface.run:Settings": "canonface.explanation:Settings",
    "canonface.run:align": "canonface.explanation:align",
    "canonface.run:audit": "canonface.pipeline:audit",
    "canonface.run:audit_regions": "canonface.pipeline:audit_regions",
    "canonface.run:compare_methods": "canonface.explanation:compare_methods",
    "canonface.run:explain": "canonface.explanation:explain",
    "canonface.run:explain_pair": "canonface.explanation:explain_pair",
    "canonface.run:explain_regions": "canonface.explanation:explain_regions",
    "canonface.run:find_photos": "canonface.data:find_photos",
    "canonface.run:make_gallery": "canonface.explanation:make_gallery",
    "canonface.run:make_settings": "canonface.explanation:make_settings",
    "canonface.run:usable_methods": "canonface.explanation:usable_methods",
    "canonface.run:verify": "canonface.pipeline:verify",
    # sampling
    "canonface.sampling.adaptive:Adaptive": "AdaptiveSample",
    "canonface.sampling.adaptive:ask_adaptively": "probe_adaptively",
    "canonface.sampling.estimate:Band": "canonface.sampling.band:Band",
    "canonface.sampling.estimate:FEW_EFFECTIVE": "canonface.sampling.band:FEW_EFFECTIVE",
    "canonface.sampling.stopping:level_of_a_look": "look_confidence_level",
    "canonface.sampling:Adaptive": "AdaptiveSample",
    "canonface.sampling:ask_adaptively": "probe_adaptively",
    "canonface.sampling:level_of_a_look": "look_confidence_level",
    # studies
    "canonface.studies.alignment:Scores": "AlignmentScores",
    "canonface.studies.alignment:Told": "canonface.studies.sweep:StudyProgress",
    "canonface.studies.comparison:Comparison": "SettingComparison",
    "canonface.studies.comparison:LEVEL": "canonface.run.stopping:CONFIDENCE_LEVEL",
    "canonface.studies.convergence:Step": "ConvergenceStep",
    "canonface.studies.convergence:take": "draw_people",
    "canonface.studies.figures:Plan": "FigurePlan",
    "canonface.studies.figures:Wanted": "FigureRequest",
    "canonface.studies.fixing:likeness_confidence": "SelfSimilarity",
    "canonface.studies.fixing:with_confidence_fn": "with_confidence",
    "canonface.studies.fixing:with_question": "with_confidence",
    "canonface.studies.models:Asked": "ModelTask",
    "canonface.studies.models:Told": "canonface.studies.sweep:StudyProgress",
    "canonface.studies.photo_sets:write_rows": "canonface.studies.figures:write_list",
    "canonface.studies.planted.scoring:Score": "CueScore",
    "canonface.studies.planted.scoring:area_under_curve": "canonface.statistics:roc_area",
    "canonface.studies.planted.study:CANONICAL": "canonface.studies.planted.model_maps:CANONICAL",
    "canonface.studies.planted.study:KINDS": "canonface.studies.planted.result:KINDS",
    "canonface.studies.planted.study:LEAST_ACCURACY": "canonface.studies.planted.trial:LEAST_ACCURACY",
    "canonface.studies.planted.study:Row": "canonface.studies.planted.result:MethodResult",
    "canonface.studies.planted.study:TARGET": "canonface.studies.planted.result:TARGET",
    "canonface.studies.planted.study:Table": "canonface.studies.tables:Table",
    "canonface.studies.planted.study:Told": "canonface.studies.sweep:StudyProgress",
    "canonface.studies.planted.training:Recipe": "TrainingRecipe",
    "canonface.studies.planted.training:Trained": "TrainedNetwork",
    "canonface.studies.planted.trial:MOST_ASKED": "MAX_TESTED",
    "canonface.studies.planted.trial:Plan": "TrialPlan",
    "canonface.studies.planted:Plan": "TrialPlan",
    "canonface.studies.planted:Score": "CueScore",
    "canonface.studies.randomizing:Network": "RandomisedNetwork",
    "canonface.studies.randomizing:OF_HIDING": "OCCLUSION_OPTIONS",
    "canonface.studies.randomizing:Told": "canonface.studies.sweep:StudyProgress",
    "canonface.studies.settings:Told": "canonface.studies.sweep:StudyProgress",
    "canonface.studies.similarity:rank_correlation": "canonface.statistics:spearman",
    "canonface.studies.varying:KEPT_BYTES": "CACHE_BYTES",
    "canonface.studies.varying:Remembering": "CachedAligner",
    "canonface.studies.varying:Told": "StudyProgress",
    "canonface.studies:Asked": "ModelTask",
    "canonface.studies:Comparison": "SettingComparison",
}
"""``module:name`` of 0.1.0 -> name now, in the same module or its replacements, or ``module:name`` now."""


_NOT_CALLERS = frozenset(
    (
        "canonface",
        "beartype",
        "functools",
        "importlib",
        "jaxtyping",
        "_frozen_importlib",
        "_frozen_importlib_external",
    )
)
"""Packages whose frames lie between a caller and the warning."""


def warn_renamed(old: str, new: str) -> None:
    """Warn that a name of 0.1.0 changed, at the line of the caller outside canonface."""
    frame = _calling_frame()
    warnings.warn_explicit(
        f"{old} is now {new}; the old name is removed in 0.3.",
        DeprecationWarning,
        frame.f_code.co_filename,
        frame.f_lineno,
        module=frame.f_globals.get("__name__") or "<unknown>",
        registry=frame.f_globals.setdefault("__warningregistry__", {}),
    )


def _calling_frame() -> FrameType:
    """Return the innermost frame outside canonface; the outermost one if there is none."""
    frame = sys._getframe(1)
    while frame.f_back is not None and (
        str(frame.f_globals.get("__name__")).partition(".")[0] in _NOT_CALLERS
        or frame.f_code.co_filename.startswith("<@beartype")
    ):
        frame = frame.f_back
    return frame


def renamed_parameters(**names: str) -> Callable[[F], F]:
    """Return a decorator that accepts old keywords: ``renamed_parameters(max_questions="max_forward_passes")``.

    It decorates a function, or a class whose ``__init__`` has the parameters. The wrapper holds the table as
    ``__renamed__``.
    """

    def decorate(target: F) -> F:
        if isinstance(target, type):
            target.__init__ = _accepting(target.__init__, target.__name__, names)  # type: ignore[misc]
            return target
        return _accepting(target, target.__name__, names)

    return decorate


def _accepting(function: F, title: str, names: Mapping[str, str]) -> F:
    @wraps(function)
    def accepting(*args: Any, **options: Any) -> Any:
        for old in names.keys() & options.keys():
            warn_renamed(f"{title}({old}=...)", f"{names[old]}=...")
            if names[old] in options:
                raise TypeError(f"{title}() got both {names[old]!r} and its old name {old!r}.")
            options[names[old]] = options.pop(old)
        return function(*args, **options)

    accepting.__renamed__ = {**getattr(function, "__renamed__", {}), **names}  # type: ignore[attr-defined]
    return accepting  # type: ignore[return-value]


class _DeprecatedAttribute:
    """Old name of an attribute or a method, in the body of a class."""

    def __init__(self, new: str, parameters: Mapping[str, str]) -> None:
        self.new, self.parameters = new, parameters
        self.__doc__ = f"Deprecated name of `{new}`."

    def __set_name__(self, owner: type, name: str) -> None:
        self.old = name

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self
        title = type(instance).__name__
        warn_renamed(f"{title}.{self.old}", f"{title}.{self.new}")
        found = getattr(instance, self.new)
        return _accepting(found, f"{title}.{self.old}", self.parameters) if self.parameters else found


def deprecated_attribute(new: str, **parameters: str) -> Any:
    """Return the old name of an attribute or method, for the body of a class; reading it warns.

    Args:
        new: name of the attribute or method now.
        **parameters: old names of a method's parameters -> their names now.
    """
    return _DeprecatedAttribute(new, parameters)


class _MovedModule(ModuleType):
    """A module of 0.1.0 whose names are looked up where they are now."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        home, _, new = RENAMED.get(f"{self.__name__}:{name}", name).rpartition(":")
        homes = (home,) if home else MODULES[self.__name__]
        for home in homes:
            module = import_module(home)
            if hasattr(module, new):
                warn_renamed(f"{self.__name__}.{name}", f"{home}.{new}")
                return getattr(module, new)
        raise AttributeError(
            f"module {self.__name__!r} moved to {', '.join(homes)}, none of which has {new!r}"
        )


class _MovedModules(MetaPathFinder, Loader):
    """Import hook for the modules of `MODULES`."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:  # noqa: ARG002
        return ModuleSpec(fullname, self, is_package=True) if fullname in MODULES else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _MovedModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: names are looked up when they are read."""


class _RenamedNames(MetaPathFinder):
    """Import hook that adds the old names of `RENAMED` to modules that are where they were."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if fullname not in _WITH_RENAMED_NAMES:
            return None
        for finder in sys.meta_path:
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = None if find is None else find(fullname, path, target)
            if spec is not None and spec.loader is not None:
                _add_old_names(spec.loader)
                return spec
        return None


def _add_old_names(loader: Any) -> None:
    """Make a loader add the old names; one loader may load several modules, as that of a zip file does."""
    execute = loader.exec_module
    if isinstance(execute, partial) and execute.func is _execute:
        return
    loader.exec_module = partial(_execute, execute)


def _execute(execute: Callable[[ModuleType], None], module: ModuleType) -> None:
    execute(module)
    if module.__name__ in _WITH_RENAMED_NAMES:
        module.__dict__.setdefault("__getattr__", partial(_renamed, module.__name__))


def _renamed(module: str, name: str) -> Any:
    """Return what an old name of a module stands for."""
    if f"{module}:{name}" not in RENAMED:
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    home, _, new = RENAMED[f"{module}:{name}"].rpartition(":")
    warn_renamed(f"{module}.{name}", f"{home or module}.{new}")
    return getattr(import_module(home or module), new)


_WITH_RENAMED_NAMES = {name.partition(":")[0] for name in RENAMED} - MODULES.keys()


def _install() -> None:
    if not any(isinstance(finder, _MovedModules) for finder in sys.meta_path):
        # The first hook comes before the usual ones, whose modules it completes; the second comes last.
        sys.meta_path.insert(0, _RenamedNames())
        sys.meta_path.append(_MovedModules())


_install()
