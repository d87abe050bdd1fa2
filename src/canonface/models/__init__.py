"""Models: loading, preprocessing of faces for them, and pretrained ones (the zoo)."""

from __future__ import annotations

from canonface.models.architectures import ARCHITECTURES
from canonface.models.base import (
    Model,
    ModelCard,
    checked_outputs,
    checked_predictions,
    looks_like_probabilities,
)
from canonface.models.callable import CallableModel
from canonface.models.onnx_file import OnnxModel
from canonface.models.preprocessing import prepare, without_pixels
from canonface.models.registry import available_models, check_model_name, load_model
from canonface.models.torch_module import TorchModel
from canonface.models.torch_preprocessing import prepare_tensor, resample_tensor

__all__ = [
    "ARCHITECTURES",
    "CallableModel",
    "Model",
    "ModelCard",
    "OnnxModel",
    "TorchModel",
    "available_models",
    "check_model_name",
    "checked_outputs",
    "checked_predictions",
    "load_model",
    "looks_like_probabilities",
    "prepare",
    "prepare_tensor",
    "resample_tensor",
    "without_pixels",
]
