"""Backbones of heads, and the check that gradients flow through them."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from canonface.errors import OptionError
from canonface.models import TorchModel, available_models, load_model
from canonface.models.finetuned import tensors_digest
from canonface.models.linear_head import without
from canonface.models.torch_module import evaluating


@dataclass(frozen=True, eq=False)
class Backbone:
    """Network whose outputs are features.

    Attributes:
        model: copy of the caller's network without the layers that are left out.
        text: name or path for `canonface.load_model`; empty for an object.
        left_out: names of the layers that are left out.
        digest: digest of all its tensors, including the left-out layers.
        licence: licence of its weights, if known.
    """

    model: TorchModel
    text: str
    left_out: tuple[str, ...]
    digest: str
    licence: str


def load_backbone(backbone: Any, left_out: tuple[str, ...], device: str, trust: bool) -> Backbone:
    """Load a backbone that returns features.

    Args:
        backbone: anything of which `canonface.load_model` makes a PyTorch module.
        left_out: layers to replace by the identity.
        device: device of the network.
        trust: as of `canonface.load_model`.

    Raises:
        OptionError: the backbone is no PyTorch module, or its outputs are no features.
    """
    loaded = load_model(backbone, device=device, trust=trust)
    if not isinstance(loaded, TorchModel):
        raise OptionError(
            f"A head and its backbone are one PyTorch module; {loaded.name!r} is none: take "
            "facenet, or a torch module of your own (package.module:attribute)."
        )
    if loaded.output is not None:
        raise OptionError(
            f"A backbone returns its features alone; {loaded.name!r} was loaded with output={loaded.output!r}: wrap "
            "it in a module whose forward selects them."
        )
    if not left_out and (loaded.outputs in ("probabilities", "values") or loaded.labels):
        raise OptionError(
            f"A head stands on features, an embedding; {loaded.name!r} returns {loaded.outputs}"
            f"{' of named classes' if loaded.labels else ''}: leave its last layers out (--without LAYER,LAYER), or "
            "take a backbone that returns an embedding."
        )
    text = str(backbone) if isinstance(backbone, str | Path) else ""
    bare = without(loaded.module, left_out).eval()
    model = replace(loaded, module=bare, labels=(), outputs="embedding")
    licences = {card.name: card.licence_weights for card in available_models()}
    digest = tensors_digest(loaded.module)
    return Backbone(model, text, left_out, digest, licences.get(text, "not stated"))


def check_gradients(backbone: Backbone) -> None:
    """Raise if the output of a network does not depend on trainable parameters.

    Raises:
        OptionError: no parameter requires a gradient, or none gets one.
    """
    import torch

    model = backbone.model
    module = copy.deepcopy(model.module)
    trainable = [p for p in module.parameters() if p.requires_grad]
    height, width = model.spec.size_hw
    x = model.to_device(model.spec.from_pixels(np.full((height, width, 3), 127.0))[None])
    with evaluating(module), torch.enable_grad():
        prediction = module(x)
        if trainable and prediction.requires_grad:
            prediction.square().sum().backward()
    if not any(p.grad is not None for p in trainable):
        raise OptionError(
            f"Fitting the whole network changes its parameters along their gradients; {model.name!r} has "
            f"{len(trainable)} parameters that require one, and none gets any: take its torch.no_grad() or .detach() "
            "out, set requires_grad, or fit the head alone (--head)."
        )
