"""Sweep over settings: the same photos audited under each, one resumable run a setting."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from canonface._deprecated import renamed_parameters
from canonface.alignment import Aligner, LandmarkerAligner
from canonface.errors import OptionError
from canonface.explanation import Settings, make_settings
from canonface.mesh import load_mesh
from canonface.pipeline import audit
from canonface.progress import Progress, SettingOption, setting_callback
from canonface.run import Run
from canonface.studies.aligners import CachedAligner

StudyProgress = Callable[[str, Progress], None]
"""Function called after each photo with the setting's name and the progress of its run."""


@dataclass(frozen=True)
class Setting:
    """Named options of one audit.

    Attributes:
        name: short, for a heading and a row of a table; unique within a study.
        options: options of `canonface.audit`, and ``model`` where models are compared.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """Name of the run's folder."""
        return re.sub(r"[^a-z0-9.+]+", "-", self.name.lower()).strip("-.") or "setting"


@renamed_parameters(told="progress", level="subdivision")
def vary(
    photos: Any,
    settings: Sequence[Setting],
    out: str | Path,
    *,
    progress: SettingOption = None,
    aligner: Aligner | None = None,
    subdivision: int = 1,
    **common: Any,
) -> tuple[Run, ...]:
    """Audit the same photos under each setting, into ``out/NAME``; an interrupted run continues.

    Args:
        photos: as `canonface.audit` takes them.
        settings: the options that differ.
        out: folder of the study.
        progress: True for a bar on stderr, or a function that is called after each photo.
        aligner: finds the faces; by default the landmarker. Each photo is aligned once for all settings.
        subdivision: subdivision of the landmarker's mesh.
        **common: options of `canonface.audit` that are the same for all: ``model``, ``target``, ``labels``, ...

    Raises:
        OptionError: there is no setting, or two have one name.
        CanonfaceError: as `canonface.audit`.
    """
    folders = [setting.folder for setting in settings]
    if not settings or len(set(folders)) < len(folders):
        raise OptionError(
            "A study compares settings of different names; got "
            f"{', '.join(setting.name for setting in settings) or 'none'}."
        )
    for setting in settings:  # all of them before the first run, which may take hours
        _check(common | dict(setting.options))
    cached = CachedAligner(aligner or LandmarkerAligner(load_mesh(subdivision)))
    runs = []
    with setting_callback(progress) as report:
        for setting in settings:
            options = {"aligner": cached} | common | dict(setting.options)
            model = options.pop("model", None)
            if model is None:
                raise OptionError("A study needs a model: give one with --model (model=).")
            place = Path(out) / setting.folder
            runs.append(audit(photos, model, place, progress=partial(report, setting.name), **options))
    return tuple(runs)


def _check(options: Mapping[str, Any]) -> None:
    """Raise OptionError if a setting holds a choice that no run can have."""
    known = set(Settings.__dataclass_fields__)
    preset = options.get("preset") or "default"
    make_settings(preset, **{name: value for name, value in options.items() if name in known})
