"""The contract of a model, for every adapter, every architecture and every entry of the zoo."""

import numpy as np
import pytest
import torch
from model_contract import ModelContract
from toy_networks import SPEC, by_hand, exported, scripted, torch_network, write_onnx

from canonface.errors import AssetError, MissingDependencyError
from canonface.models import ARCHITECTURES, load_model
from canonface.models.downloads import cache_folder
from canonface.models.zoo import ZOO

LARGE = 100_000_000


class Several(torch.nn.Module):
    """A module that returns a dict."""

    def __init__(self):
        super().__init__()
        self.network = torch_network()

    def forward(self, x):
        return {"features": x.mean(dim=(2, 3)), "logits": self.network(x)}


def images_by_hand(images):
    assert all(image.dtype == np.uint8 and image.shape == (*SPEC.size_hw, 3) for image in images)
    return by_hand(np.stack(images).transpose(0, 3, 1, 2))


def several_by_hand(batch):
    return by_hand(batch), batch.mean(axis=(2, 3))


ADAPTERS = {
    "torch": lambda folder: load_model(torch_network(dropout=True).eval(), spec=SPEC, device="cpu"),
    "torch-training": lambda folder: load_model(torch_network(dropout=True).train(), spec=SPEC, device="cpu"),
    "torch-dict": lambda folder: load_model(Several(), spec=SPEC, device="cpu", output="features"),
    "script": lambda folder: load_model(scripted(folder / "toy.pt"), spec=SPEC, device="cpu", trust=True),
    "script-frozen": lambda folder: load_model(
        scripted(folder / "toy.ts", frozen=True), spec=SPEC, device="cpu", trust=True
    ),
    "export": lambda folder: load_model(exported(folder / "toy.pt2"), device="cpu", trust=True),
    "export-frozen": lambda folder: load_model(
        exported(folder / "toy.pt2", frozen=True), device="cpu", trust=True
    ),
    "onnx": lambda folder: load_model(write_onnx(folder / "toy.onnx"), device="cpu"),
    "onnx-freed": lambda folder: load_model(
        write_onnx(folder / "toy.onnx", batch=1, reshape=True), device="cpu"
    ),
    "onnx-frozen-3": lambda folder: load_model(write_onnx(folder / "toy.onnx", batch=3), device="cpu"),
    "onnx-looped": lambda folder: load_model(
        write_onnx(folder / "toy.onnx", batch=1, across=True), device="cpu"
    ),
    "onnx-nhwc": lambda folder: load_model(write_onnx(folder / "toy.onnx", channels_last=True), device="cpu"),
    "callable": lambda folder: load_model(by_hand, spec=SPEC),
    "callable-images": lambda folder: load_model(images_by_hand, spec=SPEC, takes="images"),
    "callable-tuple": lambda folder: load_model(several_by_hand, spec=SPEC, output=1),
}


class TestAdapters(ModelContract):
    @pytest.fixture(scope="class", params=list(ADAPTERS))
    @classmethod
    def model(cls, request, tmp_path_factory):
        return ADAPTERS[request.param](tmp_path_factory.mktemp("model"))


class TestArchitectures(ModelContract):
    """Narrow networks with random weights, through a file as a user's."""

    @pytest.fixture(scope="class", params=list(ARCHITECTURES))
    @classmethod
    def model(cls, request, tmp_path_factory):
        architecture = ARCHITECTURES[request.param]
        torch.manual_seed(0)
        state = architecture.network(**architecture.small).state_dict()
        path = tmp_path_factory.mktemp("weights") / "small.pt"
        torch.save({architecture.file_name(name): tensor for name, tensor in state.items()}, path)
        return load_model(path, device="cpu")


def is_at_hand(asset):
    return (cache_folder() / f"{asset.package}-{asset.version}" / asset.filename).is_file()


class TestZoo(ModelContract):
    @pytest.fixture(scope="class", params=list(ZOO))
    @classmethod
    def model(cls, request):
        asset = ZOO[request.param].asset
        if getattr(asset, "download", 0) > LARGE and not is_at_hand(asset):
            pytest.skip(f"{asset.download:,} bytes are much to download for a test")
        try:
            return load_model(request.param, device="cpu")
        except (AssetError, MissingDependencyError) as error:
            pytest.skip(f"cannot be had here: {error}")
