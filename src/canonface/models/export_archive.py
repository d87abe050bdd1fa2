"""Check of ``torch.export`` archives: known members only, and pickles of tensors only.

This is a second line of defence behind ``trust=True``, not a sandbox: the shape expressions of a graph are evaluated
as Python, and PyTorch's reader is more permissive than this one. PyTorch ignores case when it looks up members;
therefore names must match exactly here.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path

import torch

from canonface.errors import ModelError
from canonface.models.base import one_line

# Members in the one folder of an archive, from torch/csrc/export/pt2_archive_constants.h. Objects (custom_obj_,
# opaque_obj_) and compiled libraries (data/aotinductor) are excluded: it unpickles the first and links the second.
_KNOWN = re.compile(
    r"archive_format|archive_version|byteorder|version|\.data/(version|serialization_id)"
    r"|models/\w+\.json|extra/.+"
    r"|data/weights/(weight_\d+|\w+_weights_config\.json|\w+\.pt)"
    r"|data/constants/(tensor_\d+|\w+_constants_config\.json|\w+\.pt)"
    r"|data/sample_inputs/\w+\.pt"
)
# Archives of PyTorch before 2.8 have no folder.
_KNOWN_BEFORE = re.compile(
    r"version|serialized_exported_program\.json|serialized_(state_dict|constants|example_inputs)\.pt"
    r"|extra_files/.+"
)
_TABLE = re.compile(r".*/data/(weights/\w+_weights|constants/\w+_constants)_config\.json")


def check_archive(path: Path) -> None:
    """Raise ModelError unless all members are known and all pickles hold tensors only.

    Raises:
        ModelError: a member holds a Python object or code, has a name that PyTorch does not write, or has the name of
            another member apart from case.
    """
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        _check_names(path, names)
        for name in sorted(_pickled(path, archive)):
            content = archive.read(name)
            try:
                if content:
                    torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
            except Exception as error:
                raise ModelError(
                    f"A torch.export program holds tensors and a graph; {path.name} holds Python objects in {name}: "
                    f"it was not loaded, and nothing in it was run ({one_line(error)[:120]})."
                ) from error


def _check_names(path: Path, names: list[str]) -> None:
    if len({name.casefold() for name in names}) < len(names):
        raise ModelError(
            f"The members of a torch.export program have distinct names; two in {path.name} share one: it was not "
            "loaded. Export it again."
        )
    root = names[0].partition("/")[0] + "/" if names else ""
    if all(_KNOWN_BEFORE.fullmatch(name) for name in names):
        return
    for name in names:
        if not name.startswith(root) or not _KNOWN.fullmatch(name.removeprefix(root)):
            raise ModelError(
                f"A torch.export program holds tensors, a graph and their tables; {path.name} holds {name!r}, which "
                "is none of them: it was not loaded, and nothing in it was run. Export it again, without objects or "
                "compiled code."
            )


def _pickled(path: Path, archive: zipfile.ZipFile) -> set[str]:
    """Return the members that PyTorch unpickles, by their suffix and by the archive's tables."""
    found = {name for name in archive.namelist() if name.endswith(".pt")}
    for table in filter(_TABLE.fullmatch, archive.namelist()):
        folder = table.rpartition("/")[0]
        for entry in json.loads(archive.read(table))["config"].values():
            member = f"{folder}/{entry['path_name']}"
            if member not in archive.namelist() or member.endswith((".pt", ".json")):
                raise ModelError(
                    f"The tables of a torch.export program name members of it; {path.name} has no tensor {member!r}: "
                    "it was not loaded, and nothing in it was run."
                )
            if entry["use_pickle"] is not False:
                found.add(member)
    return found
