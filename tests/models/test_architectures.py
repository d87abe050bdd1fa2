"""Well-known networks: as many parameters as published, named as in the public files, computed as in their papers."""

from functools import partial

import pytest
import slow_networks
import torch

from canonface.models import ARCHITECTURES

NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")

# torchvision's documentation; 145,002,878 and 41,192,951 are VGG-16 with 2,622 and ResNet-50 with 8,631 classes.
# insightface states 43.59 and 65.16 millions.
PARAMETERS = {
    "vgg16": 138_357_544,
    "vgg-face": 138_357_544 + (2622 - 1000) * 4097,
    "vgg-face-mcn": 138_357_544 + (2622 - 1000) * 4097,
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet50-vggface2": 25_557_032 + (8631 - 1000) * 2049,
    "iresnet18": 24_025_600,
    "iresnet34": 34_139_328,
    "iresnet50": 43_590_848,
    "iresnet100": 65_156_160,
    "mobilenet_v2": 3_504_872,
    # facenet-pytorch has 27,910,327 with the classifier of 8,631 people.
    "inception_resnet_v1": 27_910_327 - 8631 * 513,
}


def vgg_names(convolutions, dense):
    return {f"{layer}.{part}" for layer in (*convolutions, *dense) for part in ("weight", "bias")}


def vgg_face_names(pattern):
    counts = (2, 2, 3, 3, 3)
    convolutions = [pattern.format(b + 1, n + 1) for b, count in enumerate(counts) for n in range(count)]
    return vgg_names(convolutions, ("fc6", "fc7", "fc8"))


def norm_names(layer):
    return {f"{layer}.{part}" for part in NORM}


def resnet_names(blocks, convolutions):
    names = {"conv1.weight", *norm_names("bn1"), "fc.weight", "fc.bias"}
    for stage, count in enumerate(blocks, start=1):
        for block in range(count):
            at = f"layer{stage}.{block}"
            for number in range(1, convolutions + 1):
                names |= {f"{at}.conv{number}.weight", *norm_names(f"{at}.bn{number}")}
            if block == 0 and (stage > 1 or convolutions == 3):
                names |= {f"{at}.downsample.0.weight", *norm_names(f"{at}.downsample.1")}
    return names


def iresnet_names(blocks):
    names = {"conv1.weight", *norm_names("bn1"), "prelu.weight", *norm_names("bn2"), *norm_names("features")}
    names |= {"fc.weight", "fc.bias"}
    for stage, count in enumerate(blocks, start=1):
        for block in range(count):
            at = f"layer{stage}.{block}"
            names |= {f"{at}.conv1.weight", f"{at}.conv2.weight", f"{at}.prelu.weight"}
            names |= {name for number in (1, 2, 3) for name in norm_names(f"{at}.bn{number}")}
            if block == 0:
                names |= {f"{at}.downsample.0.weight", *norm_names(f"{at}.downsample.1")}
    return names


def vggface2_names():
    names = {"conv1_7x7_s2.weight", *norm_names("conv1_7x7_s2_bn"), "classifier.weight", "classifier.bias"}
    for stage, count in zip((2, 3, 4, 5), (3, 4, 6, 3), strict=True):
        for block in range(1, count + 1):
            for part in ("1x1_reduce", "3x3", "1x1_increase", *(("1x1_proj",) if block == 1 else ())):
                layer = f"conv{stage}_{block}_{part}"
                names |= {f"{layer}.weight", *norm_names(f"{layer}_bn")}
    return names


def mobilenet_names():
    names = {"classifier.1.weight", "classifier.1.bias"}
    pairs = ["features.0.{}", "features.18.{}", "features.1.conv.0.{}"]
    for block in range(2, 18):
        pairs += [f"features.{block}.conv.0.{{}}", f"features.{block}.conv.1.{{}}"]
    for pair in pairs:
        names |= {f"{pair.format(0)}.weight", *norm_names(pair.format(1))}
    for block in range(1, 18):
        narrow = 1 if block == 1 else 2
        names |= {
            f"features.{block}.conv.{narrow}.weight",
            *norm_names(f"features.{block}.conv.{narrow + 1}"),
        }
    return names


NAMES = {
    "vgg16": vgg_names(
        [f"features.{i}" for i in (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)],
        [f"classifier.{i}" for i in (0, 3, 6)],
    ),
    "vgg-face": vgg_face_names("conv_{}_{}"),
    "vgg-face-mcn": vgg_face_names("conv{}_{}"),
    "resnet18": resnet_names((2, 2, 2, 2), 2),
    "resnet34": resnet_names((3, 4, 6, 3), 2),
    "resnet50": resnet_names((3, 4, 6, 3), 3),
    "resnet101": resnet_names((3, 4, 23, 3), 3),
    "resnet50-vggface2": vggface2_names(),
    "iresnet18": iresnet_names((2, 2, 2, 2)),
    "iresnet34": iresnet_names((3, 4, 6, 3)),
    "iresnet50": iresnet_names((3, 4, 14, 3)),
    "iresnet100": iresnet_names((3, 13, 30, 3)),
    "mobilenet_v2": mobilenet_names(),
}

SLOW = {
    "vgg16": slow_networks.vgg16,
    "vgg-face": slow_networks.vgg16,
    "resnet18": partial(slow_networks.resnet, blocks=(2, 2, 2, 2), bottleneck=False),
    "resnet34": partial(slow_networks.resnet, blocks=(3, 4, 6, 3), bottleneck=False),
    "resnet50": partial(slow_networks.resnet, blocks=(3, 4, 6, 3), bottleneck=True),
    "resnet50-vggface2": partial(slow_networks.resnet, blocks=(3, 4, 6, 3), bottleneck=True, caffe=True),
    "iresnet18": partial(slow_networks.iresnet, blocks=(2, 2, 2, 2)),
    "iresnet50": partial(slow_networks.iresnet, blocks=(3, 4, 14, 3)),
    "mobilenet_v2": slow_networks.mobilenet_v2,
}


@pytest.fixture(params=list(ARCHITECTURES))
def architecture(request):
    return ARCHITECTURES[request.param]


def published(architecture):
    """The network in full size, without memory for it."""
    with torch.device("meta"):
        return architecture.network()


def small(architecture, seed=0):
    """A narrow one whose every number matters, batch norms too."""
    torch.manual_seed(seed)
    network = architecture.network(**architecture.small).eval().double()
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 2)
            elif tensor.is_floating_point() and tensor.ndim > 1:
                tensor.normal_(0, (2 / tensor[0].numel()) ** 0.5)
            elif tensor.is_floating_point():
                tensor.normal_(1 if name.endswith("weight") else 0.1, 0.2)
    return network


def test_as_many_parameters_as_published(architecture):
    assert sum(p.numel() for p in published(architecture).parameters()) == PARAMETERS[architecture.name]


@pytest.mark.parametrize("name", list(NAMES))
def test_names_are_those_of_the_public_files(name):
    architecture = ARCHITECTURES[name]
    assert {architecture.file_name(key) for key in published(architecture).state_dict()} == NAMES[name]


def test_names_go_both_ways(architecture):
    for name in published(architecture).state_dict():
        assert architecture.network_name(architecture.file_name(name)) == name


def test_each_is_distinguished_from_all_others(architecture):
    names = [architecture.file_name(name) for name in published(architecture).state_dict()]
    assert [other.name for other in ARCHITECTURES.values() if other.matches(names)] == [architecture.name]


def test_options_are_read_from_the_shapes(architecture):
    for network in (published(architecture), small(architecture)):
        shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
        with torch.device("meta"):
            again = architecture.network(**architecture.options(shapes))
        assert {name: tuple(tensor.shape) for name, tensor in again.state_dict().items()} == shapes


@pytest.mark.parametrize("name", list(SLOW))
def test_outputs_equal_the_plain_functions(name):
    architecture = ARCHITECTURES[name]
    network = small(architecture)
    height, width = architecture.spec.size_hw
    torch.manual_seed(1)
    x = torch.randn(2, 3, height, width, dtype=torch.float64)
    with torch.no_grad():
        prediction, expected = network(x), SLOW[name](x, network.state_dict())
    torch.testing.assert_close(prediction, expected, rtol=1e-9, atol=1e-11)
    assert (prediction[0] - prediction[1]).abs().max() > 1e-6, "the output depends on the input"


def test_without_a_head_the_features_are_returned(architecture):
    if not architecture.head:
        assert architecture.outputs == "embedding"
        return
    network = small(architecture)
    bare = architecture.network(**{**architecture.small, "classes": 0}).eval().double()
    state = {k: v for k, v in network.state_dict().items() if not k.startswith(architecture.head + ".")}
    bare.load_state_dict(state)
    x = torch.rand(1, 3, *architecture.spec.size_hw, dtype=torch.float64)
    with torch.no_grad():
        features, logits = bare(x), network(x)
    head = network.get_submodule(architecture.head)
    torch.testing.assert_close(features @ head.weight.T + head.bias, logits)


def test_the_entry_is_complete(architecture):
    assert len(architecture.source) > 20
    assert architecture.spec.size_hw[0] == architecture.spec.size_hw[1] >= 112
    assert architecture.outputs in ("logits", "embedding")
