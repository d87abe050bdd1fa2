"""Fine-tuned models on disk: a directory with ``model.json`` and ``weights.safetensors``.

A head is stored without its backbone, which is loaded by name and checked by the digest of its tensors. Nothing in
the directory is run; a backbone that is user code (``package.module:attribute``) or a program is loaded only if the
caller trusts the directory, since the directory names it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from canonface.errors import ModelError
from canonface.fingerprint import Digester, sha256
from canonface.imports import require
from canonface.types import InputSpec

FORMAT = "canonface-finetuned/1"
DESCRIPTION, WEIGHTS = "model.json", "weights.safetensors"


@dataclass(frozen=True)
class Description:
    """Content of ``model.json``.

    Attributes:
        name: name of the model.
        task: subject of its classes.
        backbone: name of the network below the head for `load_model`; empty if it was an object without a name.
        digest: `tensors_digest` of the backbone before anything was fitted.
        without: layers of the backbone that are removed.
        whole: True if all tensors are stored, False if the head's alone.
        spec: input specification.
        labels: name of each logit, in order.
        card: measured accuracy, the photos it was measured on, and permitted uses.
    """

    name: str
    task: str
    backbone: str
    digest: str
    without: tuple[str, ...]
    whole: bool
    spec: InputSpec
    labels: tuple[str, ...]
    card: Mapping[str, Any] = field(default_factory=dict)


def is_finetuned(path: Path) -> bool:
    """Return True if a path is a directory written by `write_finetuned`."""
    return (path / DESCRIPTION).is_file()


def read_description(folder: Path) -> Description:
    """Read the description of a fine-tuned model.

    Raises:
        ModelError: it cannot be read, or is of another format.
    """
    path = folder / DESCRIPTION
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("format") != FORMAT:
            raise KeyError("format")
        spec: Any = {key: tuple(v) if isinstance(v, list) else v for key, v in content.pop("spec").items()}
        lists: Any = {key: tuple(map(str, content.pop(key))) for key in ("without", "labels")}
        return Description(spec=InputSpec(**spec), **lists, **content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"A directory of a fine-tuned model holds a {DESCRIPTION} of the format {FORMAT}; {path} cannot be read "
            f"as one ({type(error).__name__}: {error}). Fit it again: canonface finetune."
        ) from error


def write_finetuned(folder: Path, description: Description, module: Any) -> None:
    """Write a `Headed` module: the weights first, then, atomically, the description.

    Raises:
        OSError: the directory cannot be written.
    """
    writer = require("safetensors.torch", "torch", "Saving a model")
    stored = module if description.whole else module.head
    state = {key: tensor.detach().cpu().contiguous() for key, tensor in stored.state_dict().items()}
    folder.mkdir(parents=True, exist_ok=True)
    writer.save_file(state, str(folder / WEIGHTS))
    write_description(folder, description)


def write_description(folder: Path, description: Description) -> None:
    """Write or replace ``model.json`` atomically.

    Raises:
        OSError: the directory cannot be written.
    """
    content = {"format": FORMAT, **asdict(description)}
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    unfinished = folder / f".{DESCRIPTION}.unfinished"
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(folder / DESCRIPTION)


def assemble_model(folder: Path, description: Description, backbone: Any) -> Any:
    """Build the module of a directory on a copy of its backbone, in evaluation mode.

    Raises:
        ModelError: the weights cannot be read or do not fit, or the head was fitted on another backbone.
        OptionError: the backbone lacks a layer that is to be removed.
    """
    require("torch", "torch", "A fine-tuned model")
    from canonface.models.linear_head import Headed, without
    from canonface.models.weights import fill_network, read_state

    found = tensors_digest(backbone)
    if not description.whole and found != description.digest:
        raise ModelError(
            f"A head belongs to the backbone that it was fitted on; {folder} was fitted on {description.backbone!r} "
            f"with tensors of digest {description.digest[:12]}, this one has {found[:12]}. Restore that backbone, "
            "or fit the head again: canonface finetune."
        )
    path = folder / WEIGHTS
    state = read_state(path)
    weight = state.get("head.weight" if description.whole else "weight")
    if weight is None or weight.ndim != 2 or weight.shape[0] != len(description.labels):
        raise ModelError(
            f"{path} is to hold a head of {len(description.labels)} logits, as its {DESCRIPTION} states; it does "
            "not. Fit it again: canonface finetune."
        )
    module = Headed(without(backbone, description.without), weight.shape[1], weight.shape[0])
    fill_network(module if description.whole else module.head, state, path, strict=True)
    return module.eval()


def tensors_digest(module: Any) -> str:
    """Return the SHA-256 of a module's tensors by name, independent of the names of its classes."""
    digester = Digester("")
    state = sorted(module.state_dict().items())
    return sha256(*(part for key, tensor in state for part in (key, digester.of(tensor)))).hex()
