"""Names of version 0.1.0 that moved: they work for one more version, with a DeprecationWarning."""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

MODULES: dict[str, tuple[str, ...]] = {
    # alignment
    # cli
    # confidence
    # data, explanation, pipeline, run
    "canonface.run.photos": ("canonface.data.photos",),
    "canonface.run.labels": ("canonface.data.labels",),
    "canonface.run.pairs": ("canonface.data.pairs",),
    "canonface.run.settings": ("canonface.explanation.settings",),
    "canonface.run.explaining": ("canonface.explanation.face", "canonface.explanation.view"),
    "canonface.run.regions": ("canonface.explanation.regions",),
    "canonface.run.comparing": ("canonface.explanation.comparison",),
    "canonface.run.heating": ("canonface.explanation.attribution",),
    "canonface.run.probes": ("canonface.explanation.probes",),
    "canonface.run.galleries": ("canonface.explanation.gallery",),
    "canonface.run.aligning": ("canonface.explanation.alignment",),
    "canonface.run.planning": ("canonface.explanation.plan",),
    "canonface.run.estimating": ("canonface.run.estimate",),
    "canonface.run.auditing": ("canonface.pipeline.photos",),
    "canonface.run.verifying": ("canonface.pipeline.pairs", "canonface.explanation.pair"),
    "canonface.run.region_audit": ("canonface.pipeline.regions",),
    "canonface.run.writing": ("canonface.pipeline.loop",),
    "canonface.run.moments": ("canonface.pipeline.moments",),
    # engine
    # evaluation
    "canonface.evaluation.heats": ("canonface.evaluation.attributions",),
    # finetuning
    # fingerprint
    # functional, geometry, landmarker, raster
    # maps
    "canonface.maps.canonicalising": ("canonface.maps.attribution",),
    "canonface.maps.off_face": ("canonface.maps.readout",),
    "canonface.maps.peak": ("canonface.maps.readout",),
    "canonface.maps.vertices": ("canonface.maps.readout",),
    # mesh
    # methods
    "canonface.methods.heat_files": ("canonface.methods.attribution_files",),
    # models
    "canonface.models.answers": ("canonface.models.outputs",),
    # occluders
    # plots
    "canonface.plots.comparing": ("canonface.plots.method_comparison",),
    "canonface.plots.comparison": ("canonface.plots.setting_comparison",),
    "canonface.plots.raster": ("canonface.plots.frontal", "canonface.raster"),
    # sampling
    # studies
}
"""A module of 0.1.0 that moved -> the modules that hold its content now."""

RENAMED: dict[str, str] = {
    # alignment
    # cli
    # confidence
    "canonface.confidence:Original": "CleanPrediction",
    "canonface.confidence.base:Original": "CleanPrediction",
    # data, explanation, pipeline, run
    "canonface.run:Comparison": "canonface.explanation:MethodComparison",
    "canonface.run.comparing:Comparison": "MethodComparison",
    "canonface.run.explaining:View": "FaceView",
    "canonface.run.explaining:begun": "prepare_face",
    "canonface.run.explaining:asked_once": "clean_prediction",
    "canonface.run.heating:heat_at": "attribution_at",
    "canonface.run.heating:heat_of": "attribution_of",
    "canonface.run.stopping:Look": "InterimLook",
    "canonface.run.stopping:Reached": "StoppingState",
    "canonface.run.stopping:Until": "canonface.pipeline.stopping:StoppingRule",
    "canonface.run.stopping:make_order": "canonface.pipeline.stopping:make_order",
    "canonface.run.estimating:until_reached": "canonface.pipeline.stopping:stopping_rule",
    "canonface.run:PRESETS": "canonface.explanation:PRESETS",
    "canonface.run:RegionEffects": "canonface.explanation:RegionEffects",
    "canonface.run:Settings": "canonface.explanation:Settings",
    "canonface.run:align": "canonface.explanation:align",
    "canonface.run:compare_methods": "canonface.explanation:compare_methods",
    "canonface.run:explain": "canonface.explanation:explain",
    "canonface.run:explain_pair": "canonface.explanation:explain_pair",
    "canonface.run:explain_regions": "canonface.explanation:explain_regions",
    "canonface.run:make_gallery": "canonface.explanation:make_gallery",
    "canonface.run:make_settings": "canonface.explanation:make_settings",
    "canonface.run:usable_methods": "canonface.explanation:usable_methods",
    "canonface.run:Progress": "canonface.pipeline:Progress",
    "canonface.run:RegionSummary": "canonface.pipeline:RegionSummary",
    "canonface.run:audit": "canonface.pipeline:audit",
    "canonface.run:audit_regions": "canonface.pipeline:audit_regions",
    "canonface.run:verify": "canonface.pipeline:verify",
    "canonface.run:find_photos": "canonface.data:find_photos",
    # engine
    # evaluation
    # finetuning
    # fingerprint
    # functional, geometry, landmarker, raster
    # maps
    # mesh
    # methods
    # models
    # occluders
    # plots
    "canonface.plots.pictures:figure6": "canonface.plots.pages:figure6",
    "canonface.plots.pictures:groups": "canonface.plots.pages:groups",
    "canonface.plots.pictures:pairs": "canonface.plots.pages:pairs",
    # sampling
    # studies
}
"""``module:name`` of 0.1.0 -> name now, in the same module or its replacements, or ``module:name`` now."""


def warn_renamed(old: str, new: str, stacklevel: int = 3) -> None:
    """Warn that a name of 0.1.0 changed."""
    warnings.warn(
        f"{old} is now {new}; the old name is removed in 0.3.", DeprecationWarning, stacklevel=stacklevel
    )


def renamed_names(module: str) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a module whose names changed: see `RENAMED`."""

    def getattr_(name: str) -> Any:
        new = RENAMED.get(f"{module}:{name}")
        if new is None:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        home, _, new = new.rpartition(":")
        warn_renamed(f"{module}.{name}", f"{home or module}.{new}")
        return getattr(import_module(home or module), new)

    return getattr_


def renamed_parameters(**names: str) -> Callable[[F], F]:
    """Return a decorator that accepts old keywords: ``renamed_parameters(max_questions="max_forward_passes")``."""

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def accepting(*args: Any, **options: Any) -> Any:
            for old in names.keys() & options.keys():
                warn_renamed(f"{function.__name__}({old}=...)", f"{names[old]}=...")
                if names[old] in options:
                    raise TypeError(
                        f"{function.__name__}() got both {names[old]!r} and its old name {old!r}."
                    )
                options[names[old]] = options.pop(old)
            return function(*args, **options)

        return accepting  # type: ignore[return-value]

    return decorate


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
    """Import hook for the modules of `MODULES`; consulted after every other finder."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002  # noqa: ARG002
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, self, is_package=True) if fullname in MODULES else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _MovedModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: names are looked up when they are read."""


def install() -> None:
    """Make the modules of `MODULES` importable."""
    if not any(isinstance(finder, _MovedModules) for finder in sys.meta_path):
        sys.meta_path.append(_MovedModules())
