"""Table of the recognised architectures, one entry each; add a new one to ``ENTRIES``.

PyTorch is needed only when a network is built.
"""

from __future__ import annotations

from typing import Any

from canonface.models.architectures.architecture import Architecture, Shapes
from canonface.types import InputSpec

# Mean and spread of ImageNet's photos, as torchvision's weights were trained.
IMAGENET = InputSpec(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
# insightface: RGB, (x - 127.5) / 127.5.
ARCFACE = InputSpec(size_hw=(112, 112), scale=1.0, mean=(127.5,), std=(127.5,), crop="arcface")
# facenet-pytorch: RGB, (x - 127.5) / 128.
FACENET = InputSpec(size_hw=(160, 160), scale=1.0, mean=(127.5,), std=(128.0,), crop="facenet", margin=0.1)
# Means of the training faces that Parkhi et al. publish with VGG-Face, and Cao et al. with VGGFace2.
VGG_FACE = InputSpec(scale=1.0, mean=(129.1863, 104.7624, 93.5940))
VGG_FACE_BGR = InputSpec(colour="bgr", scale=1.0, mean=(93.5940, 104.7624, 129.1863))
VGG_FACE_2 = InputSpec(scale=1.0, mean=(131.0912, 103.8827, 91.4953))

_TORCHVISION = "torchvision"
_HE = "K. He et al., Deep Residual Learning for Image Recognition, CVPR 2016"
_PARKHI = "O. Parkhi, A. Vedaldi, A. Zisserman, Deep Face Recognition, BMVC 2015"


def _vgg(**options: Any) -> Any:
    from canonface.models.architectures.vgg import VGG16

    return VGG16(**options)


def _vgg_options(shapes: Shapes) -> dict[str, Any]:
    return {
        "width": _rows(shapes, "features.0.weight", 64),
        "hidden": _rows(shapes, "classifier.0.weight", 4096),
        "classes": _rows(shapes, "classifier.6.weight", 0),
    }


# Network names of VGG-16's convolutions, block by block, and of its dense layers.
_VGG_CONVOLUTIONS = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))
_VGG_DENSE = {"fc6": "classifier.0", "fc7": "classifier.3", "fc8": "classifier.6"}


def _vgg_layers(pattern: str) -> dict[str, str]:
    convolutions = {
        pattern.format(block, number): f"features.{place}"
        for block, places in enumerate(_VGG_CONVOLUTIONS, start=1)
        for number, place in enumerate(places, start=1)
    }
    return convolutions | _VGG_DENSE


def _vgg_face(name: str, source: str, pattern: str, spec: InputSpec) -> Architecture:
    first, last = (f"{pattern.format(*place)}.weight" for place in ((1, 1), (5, 3)))
    return Architecture(
        name=name,
        source=f"{source}; {_PARKHI}",
        spec=spec,
        outputs="logits",
        network=lambda **given: _vgg(**({"classes": 2622} | given)),
        options=_vgg_options,
        has=(first, last, "fc6.weight"),
        # VGG-19 has a fourth convolution in its last blocks.
        lacks=(f"{pattern.format(5, 4)}.weight",),
        head="classifier.6",
        layers=_vgg_layers(pattern),
        small={"width": 2, "hidden": 8, "classes": 5},
    )


def _resnet(**options: Any) -> Any:
    from canonface.models.architectures.resnet import ResNet

    return ResNet(**options)


def _resnet_entry(depth: int, blocks: tuple[int, int, int, int], bottleneck: bool) -> Architecture:
    def options(shapes: Shapes) -> dict[str, Any]:
        width, classes = _rows(shapes, "conv1.weight", 64), _rows(shapes, "fc.weight", 0)
        return {"blocks": blocks, "bottleneck": bottleneck, "width": width, "classes": classes}

    third = "layer1.0.conv3.weight"
    return Architecture(
        name=f"resnet{depth}",
        source=f"{_TORCHVISION}; {_HE}",
        spec=IMAGENET,
        outputs="logits",
        network=lambda **given: _resnet(**({"blocks": blocks, "bottleneck": bottleneck} | given)),
        options=options,
        has=("conv1.weight", *_last_blocks(blocks), *((third,) if bottleneck else ())),
        lacks=(*_beyond(blocks), "layer1.0.prelu.weight", *(() if bottleneck else (third,))),
        head="fc",
        small={"width": 2, "classes": 5},
    )


def _iresnet(**options: Any) -> Any:
    from canonface.models.architectures.iresnet import IResNet

    return IResNet(**options)


def _iresnet_entry(depth: int, blocks: tuple[int, int, int, int]) -> Architecture:
    def options(shapes: Shapes) -> dict[str, Any]:
        width, (embedding, area) = _rows(shapes, "conv1.weight", 64), shapes.get("fc.weight", (512, 25_088))
        side = round((area / (8 * width)) ** 0.5)
        return {"blocks": blocks, "width": width, "embedding": embedding, "side": side}

    return Architecture(
        name=f"iresnet{depth}",
        source="insightface, arcface_torch; J. Deng et al., ArcFace, CVPR 2019",
        spec=ARCFACE,
        outputs="embedding",
        network=lambda **given: _iresnet(**({"blocks": blocks} | given)),
        options=options,
        has=("layer1.0.prelu.weight", "features.weight", *_last_blocks(blocks)),
        lacks=_beyond(blocks),
        small={"width": 2, "embedding": 6},
    )


def _last_blocks(blocks: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(f"layer{stage}.{count - 1}.conv1.weight" for stage, count in enumerate(blocks, start=1))


def _beyond(blocks: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(f"layer{stage}.{count}.conv1.weight" for stage, count in enumerate(blocks, start=1))


def _vggface2_layers() -> dict[str, str]:
    """Return Caffe's names of ResNet-50's layers, as kept by the converted networks of VGGFace2."""
    layers = {"conv1_7x7_s2": "conv1", "conv1_7x7_s2_bn": "bn1", "classifier": "fc"}
    parts = ("1x1_reduce", "3x3", "1x1_increase")
    for stage, count in enumerate((3, 4, 6, 3), start=1):
        for block in range(count):
            theirs, ours = f"conv{stage + 1}_{block + 1}", f"layer{stage}.{block}"
            for number, part in enumerate(parts, start=1):
                layers |= {
                    f"{theirs}_{part}": f"{ours}.conv{number}",
                    f"{theirs}_{part}_bn": f"{ours}.bn{number}",
                }
            if block == 0:
                layers |= {
                    f"{theirs}_1x1_proj": f"{ours}.downsample.0",
                    f"{theirs}_1x1_proj_bn": f"{ours}.downsample.1",
                }
    return layers


def _vggface2_options(shapes: Shapes) -> dict[str, Any]:
    return {"width": _rows(shapes, "conv1.weight", 64), "classes": _rows(shapes, "fc.weight", 0)}


def _mobilenet(**options: Any) -> Any:
    from canonface.models.architectures.mobilenet_v2 import MobileNetV2

    return MobileNetV2(**options)


def _mobilenet_options(shapes: Shapes) -> dict[str, Any]:
    published = (32, 16, 24, 32, 64, 96, 160, 320, 1280)
    # The narrowing convolution of each stage's first block; the first stage does not widen.
    narrowing = ("features.1.conv.1", *(f"features.{i}.conv.2" for i in (2, 4, 7, 11, 14, 17)))
    places = ("features.0.0", *narrowing, "features.18.0")
    channels = (_rows(shapes, f"{place}.weight", n) for place, n in zip(places, published, strict=True))
    return {"channels": tuple(channels), "classes": _rows(shapes, "classifier.1.weight", 0)}


def _inception(**options: Any) -> Any:
    from canonface.models.architectures.inception_resnet_v1 import InceptionResnetV1

    return InceptionResnetV1(**options)


def _inception_options(shapes: Shapes) -> dict[str, Any]:
    repeats = tuple(
        len({name.split(".")[1] for name in shapes if name.startswith(f"repeat_{stage}.")})
        for stage in (1, 2, 3)
    )
    return {
        "embedding": _rows(shapes, "last_linear.weight", 512),
        "unit": _rows(shapes, "conv2d_1a.conv.weight", 32) // 2,
        "repeats": repeats,
    }


def _rows(shapes: Shapes, name: str, otherwise: int) -> int:
    """First dimension of a parameter: the outputs of its layer."""
    return shapes[name][0] if shapes.get(name) else otherwise


ENTRIES = (
    Architecture(
        name="vgg16",
        source=f"{_TORCHVISION}; K. Simonyan, A. Zisserman, Very Deep Convolutional Networks, 2014",
        spec=IMAGENET,
        outputs="logits",
        network=_vgg,
        options=_vgg_options,
        has=("features.0.weight", "features.28.weight", "classifier.0.weight"),
        # VGG-19 goes on; the variant with batch norms has other places.
        lacks=("features.30.weight", "features.34.weight", "features.1.weight"),
        head="classifier.6",
        small={"width": 2, "hidden": 8, "classes": 5},
    ),
    _vgg_face(
        "vgg-face", "names conv_1_1 ... fc8 (conversion of the Torch 7 file)", "conv_{}_{}", VGG_FACE_BGR
    ),
    _vgg_face(
        "vgg-face-mcn", "names conv1_1 ... fc8 (conversion of the MatConvNet file)", "conv{}_{}", VGG_FACE
    ),
    _resnet_entry(18, (2, 2, 2, 2), bottleneck=False),
    _resnet_entry(34, (3, 4, 6, 3), bottleneck=False),
    _resnet_entry(50, (3, 4, 6, 3), bottleneck=True),
    _resnet_entry(101, (3, 4, 23, 3), bottleneck=True),
    Architecture(
        name="resnet50-vggface2",
        source="names conv1_7x7_s2 ... classifier (conversion of the Caffe file); Q. Cao et al., VGGFace2, FG 2018",
        spec=VGG_FACE_2,
        outputs="logits",
        network=lambda **given: _resnet(**({"caffe": True, "classes": 8631} | given)),
        options=_vggface2_options,
        has=("conv1_7x7_s2.weight", "conv5_3_1x1_increase.weight"),
        # The squeezing variant has further layers in each block.
        lacks=("conv2_1_1x1_down.weight",),
        head="fc",
        layers=_vggface2_layers(),
        small={"width": 2, "classes": 5},
    ),
    _iresnet_entry(18, (2, 2, 2, 2)),
    _iresnet_entry(34, (3, 4, 6, 3)),
    _iresnet_entry(50, (3, 4, 14, 3)),
    _iresnet_entry(100, (3, 13, 30, 3)),
    Architecture(
        name="mobilenet_v2",
        source=f"{_TORCHVISION}; M. Sandler et al., MobileNetV2, CVPR 2018",
        spec=IMAGENET,
        outputs="logits",
        network=_mobilenet,
        options=_mobilenet_options,
        has=("features.0.0.weight", "features.1.conv.0.0.weight", "features.18.0.weight"),
        head="classifier.1",
        small={"channels": (4, 2, 3, 3, 4, 4, 5, 6, 12), "classes": 5},
    ),
    Architecture(
        name="inception_resnet_v1",
        source="facenet-pytorch; F. Schroff, D. Kalenichenko, J. Philbin, FaceNet, CVPR 2015",
        spec=FACENET,
        outputs="embedding",
        network=_inception,
        options=_inception_options,
        has=("conv2d_1a.conv.weight", "block8.conv2d.weight", "last_linear.weight"),
        # The classifier of the people of the training set.
        ignored=("logits.",),
        small={"unit": 1, "repeats": (1, 1, 1), "embedding": 6},
    ),
)
