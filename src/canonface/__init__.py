"""canonface: canonical saliency maps, the parts of a face that a face model relies on.

import canonface

[face] = canonface.align("photo.jpg")
model = canonface.load_model("expression")
cis = canonface.explain(face, model, target="happy")
run = canonface.audit("photos/", model, "my-run", target="happy")
canonface.save(run.cms(), "map.png")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from canonface import _deprecated  # noqa: F401  # names of 0.1.0 stay importable
from canonface._version import __version__
from canonface.errors import CanonfaceError
from canonface.types import Face, InputSpec, Mesh, ModelInput, Pose

if TYPE_CHECKING:
    from canonface.alignment import read_photo
    from canonface.evaluation import evaluate
    from canonface.explanation import (
        Engine,
        Sampling,
        Settings,
        align,
        compare_methods,
        explain,
        explain_pair,
        explain_regions,
        make_gallery,
    )
    from canonface.finetuning import finetune
    from canonface.maps import CIS, CMS, AttributionMap, canonicalise
    from canonface.mesh import Canvas, load_mesh
    from canonface.models import Model, available_models, load_model
    from canonface.pipeline import RegionSummary, audit, audit_regions, verify
    from canonface.plots import save
    from canonface.run import Run

# Loaded when first used, so that `import canonface` stays light.
_LAZY = {
    "AttributionMap": "canonface.maps",
    "CIS": "canonface.maps",
    "CMS": "canonface.maps",
    "Canvas": "canonface.mesh",
    "Engine": "canonface.explanation",
    "Model": "canonface.models",
    "RegionSummary": "canonface.pipeline",
    "Run": "canonface.run",
    "Sampling": "canonface.explanation",
    "Settings": "canonface.explanation",
    "align": "canonface.explanation",
    "audit": "canonface.pipeline",
    "audit_regions": "canonface.pipeline",
    "canonicalise": "canonface.maps",
    "compare_methods": "canonface.explanation",
    "available_models": "canonface.models",
    "evaluate": "canonface.evaluation",
    "explain": "canonface.explanation",
    "explain_pair": "canonface.explanation",
    "explain_regions": "canonface.explanation",
    "finetune": "canonface.finetuning",
    "load_mesh": "canonface.mesh",
    "load_model": "canonface.models",
    "make_gallery": "canonface.explanation",
    "read_photo": "canonface.alignment",
    "save": "canonface.plots",
    "verify": "canonface.pipeline",
}

_SUBPACKAGES = (
    *("alignment", "confidence", "data", "engine", "errors", "evaluation", "explanation", "finetuning"),
    *("functional", "maps", "mesh", "methods", "models", "occluders", "pipeline", "plots", "run", "sampling"),
    *("studies", "types"),
)
"""Public subpackages: ``canonface.plots`` works after ``import canonface``."""

__all__ = [
    "CIS",
    "CMS",
    "AttributionMap",
    "CanonfaceError",
    "Canvas",
    "Engine",
    "Face",
    "InputSpec",
    "Mesh",
    "Model",
    "ModelInput",
    "Pose",
    "RegionSummary",
    "Run",
    "Sampling",
    "Settings",
    "__version__",
    "align",
    "audit",
    "audit_regions",
    "available_models",
    "canonicalise",
    "compare_methods",
    "evaluate",
    "explain",
    "explain_pair",
    "explain_regions",
    "finetune",
    "load_mesh",
    "load_model",
    "make_gallery",
    "read_photo",
    "save",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    if name in _SUBPACKAGES:
        return import_module(f"canonface.{name}")
    raise AttributeError(f"module 'canonface' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, *_SUBPACKAGES]
