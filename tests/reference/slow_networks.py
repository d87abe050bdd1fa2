"""Well-known networks as plain functions of their weights by name: no modules, one line a layer."""

from torch.nn import functional as F

VGG_BLOCKS = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))


def conv(x, s, name, stride=1, padding=0, groups=1):
    return F.conv2d(x, s[f"{name}.weight"], s.get(f"{name}.bias"), stride, padding, 1, groups)


def norm(x, s, name):
    mean, variance = s[f"{name}.running_mean"], s[f"{name}.running_var"]
    shape = (1, -1) + (1,) * (x.ndim - 2)
    weight, bias = s[f"{name}.weight"].view(shape), s[f"{name}.bias"].view(shape)
    return (x - mean.view(shape)) / (variance.view(shape) + 1e-5).sqrt() * weight + bias


def dense(x, s, name):
    return x @ s[f"{name}.weight"].T + s[f"{name}.bias"]


def vgg16(x, s):
    for places in VGG_BLOCKS:
        for place in places:
            x = conv(x, s, f"features.{place}", padding=1).clamp(min=0)
        x = F.max_pool2d(x, 2, 2)
    x = F.adaptive_avg_pool2d(x, 7).flatten(1)
    for place in (0, 3):
        x = dense(x, s, f"classifier.{place}").clamp(min=0)
    return dense(x, s, "classifier.6")


def resnet(x, s, blocks, bottleneck, caffe=False):
    x = norm(conv(x, s, "conv1", 2, 3), s, "bn1").clamp(min=0)
    x = F.max_pool2d(x, 3, 2, ceil_mode=True) if caffe else F.max_pool2d(x, 3, 2, 1)
    for stage, count in enumerate(blocks, start=1):
        for block in range(count):
            at = f"layer{stage}.{block}"
            stride = 2 if stage > 1 and block == 0 else 1
            y = x
            if bottleneck:
                strides = (stride, 1, 1) if caffe else (1, stride, 1)
                for number, (step, pad) in enumerate(zip(strides, (0, 1, 0), strict=True), start=1):
                    y = norm(conv(y, s, f"{at}.conv{number}", step, pad), s, f"{at}.bn{number}")
                    y = y.clamp(min=0) if number < 3 else y
            else:
                y = norm(conv(y, s, f"{at}.conv1", stride, 1), s, f"{at}.bn1").clamp(min=0)
                y = norm(conv(y, s, f"{at}.conv2", 1, 1), s, f"{at}.bn2")
            if f"{at}.downsample.0.weight" in s:
                x = norm(conv(x, s, f"{at}.downsample.0", stride), s, f"{at}.downsample.1")
            x = (x + y).clamp(min=0)
    return dense(x.mean((2, 3)), s, "fc")


def iresnet(x, s, blocks):
    def prelu(x, name):
        return x.clamp(min=0) + s[f"{name}.weight"].view(1, -1, 1, 1) * x.clamp(max=0)

    x = prelu(norm(conv(x, s, "conv1", 1, 1), s, "bn1"), "prelu")
    for stage, count in enumerate(blocks, start=1):
        for block in range(count):
            at = f"layer{stage}.{block}"
            stride = 2 if block == 0 else 1
            y = norm(conv(norm(x, s, f"{at}.bn1"), s, f"{at}.conv1", 1, 1), s, f"{at}.bn2")
            y = norm(conv(prelu(y, f"{at}.prelu"), s, f"{at}.conv2", stride, 1), s, f"{at}.bn3")
            if f"{at}.downsample.0.weight" in s:
                x = norm(conv(x, s, f"{at}.downsample.0", stride), s, f"{at}.downsample.1")
            x = x + y
    return norm(dense(norm(x, s, "bn2").flatten(1), s, "fc"), s, "features")


# Expansion and stride of MobileNetV2's blocks 1 to 17.
MOBILE_BLOCKS = (
    (1, 1),
    (6, 2),
    (6, 1),
    (6, 2),
    (6, 1),
    (6, 1),
    (6, 2),
    *((6, 1),) * 6,
    (6, 2),
    *((6, 1),) * 3,
)


def mobilenet_v2(x, s):
    x = norm(conv(x, s, "features.0.0", 2, 1), s, "features.0.1").clamp(0, 6)
    for number, (expansion, stride) in enumerate(MOBILE_BLOCKS, start=1):
        at, part, y = f"features.{number}.conv", 0, x
        if expansion > 1:
            y = norm(conv(y, s, f"{at}.0.0"), s, f"{at}.0.1").clamp(0, 6)
            part = 1
        y = norm(conv(y, s, f"{at}.{part}.0", stride, 1, y.shape[1]), s, f"{at}.{part}.1").clamp(0, 6)
        y = norm(conv(y, s, f"{at}.{part + 1}"), s, f"{at}.{part + 2}")
        x = x + y if stride == 1 and x.shape == y.shape else y
    x = norm(conv(x, s, "features.18.0"), s, "features.18.1").clamp(0, 6)
    return dense(x.mean((2, 3)), s, "classifier.1")
