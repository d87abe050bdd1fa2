"""FaceNet: the module against the frozen graph itself, which OpenCV runs, and names that public weights use."""

import struct
from itertools import product
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from canonface.errors import AssetError
from canonface.models import checked_outputs, load_model, prepare
from canonface.models.architectures.inception_resnet_v1 import InceptionResnetV1
from canonface.models.zoo import ZOO
from canonface.models.zoo.facenet_weights import load_graph_weights, read_frozen_graph


@pytest.fixture(scope="module")
def graph():
    try:
        return ZOO["facenet"].weights()
    except AssetError as error:
        pytest.skip(f"weights cannot be had here: {error}")


def test_it_equals_the_graph_on_noise_and_on_faces(graph, demo_faces):
    model = load_model("facenet", device="cpu")
    noise = np.random.default_rng(2).normal(0, 0.5, (4, 3, 160, 160)).astype(np.float32)
    x = np.concatenate([noise, [prepare(face, model.spec).x for face in demo_faces[::3]]])
    network = cv2.dnn.readNetFromTensorflow(str(graph))
    theirs = []
    for one in x:
        network.setInput(one[None])
        theirs.append(network.forward()[0].copy())
    ours = checked_outputs(model, model.to_device(x))
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-5)
    assert np.std(np.array(theirs) @ np.array(theirs).T) > 0.1, "the inputs give different outputs"


def public_names():
    """Tensors of facenet-pytorch's state dict without its classifier, written down from its layers' names."""
    convolutions = [f"conv2d_{n}" for n in ("1a", "2a", "2b", "3b", "4a", "4b")]
    for repeat, count, branches in (
        (1, 5, ("0", "1.0", "1.1", "2.0", "2.1", "2.2")),
        (2, 10, ("0", "1.0", "1.1", "1.2")),
        (3, 5, ("0", "1.0", "1.1", "1.2")),
    ):
        convolutions += [f"repeat_{repeat}.{n}.branch{b}" for n, b in product(range(count), branches)]
        yield from (
            f"repeat_{repeat}.{n}.conv2d.{field}" for n, field in product(range(count), ("weight", "bias"))
        )
    convolutions += [f"mixed_6a.branch{b}" for b in ("0", "1.0", "1.1", "1.2")]
    convolutions += [f"mixed_7a.branch{b}" for b in ("0.0", "0.1", "1.0", "1.1", "2.0", "2.1", "2.2")]
    convolutions += [f"block8.branch{b}" for b in ("0", "1.0", "1.1", "1.2")]
    yield from ("block8.conv2d.weight", "block8.conv2d.bias", "last_linear.weight")
    fields = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    yield from (f"{name}.conv.weight" for name in convolutions)
    yield from (f"{name}.{field}" for name, field in product([f"{n}.bn" for n in convolutions], fields))
    yield from (f"last_bn.{field}" for field in fields)


def test_parameters_are_named_as_in_public_weights():
    names = list(public_names())
    assert len(names) == len(set(names))
    assert set(InceptionResnetV1().state_dict()) == set(names)
    with_classes = set(InceptionResnetV1(classes=7, unit=1).state_dict())
    assert with_classes == {*names, "logits.weight", "logits.bias"}


def test_the_published_number_of_parameters():
    # 23,482,624 is what facenet-pytorch counts without the classifier.
    assert sum(p.numel() for p in InceptionResnetV1().parameters()) == 23_482_624


def test_classes_give_logits():
    torch.manual_seed(0)
    network = InceptionResnetV1(embedding=8, classes=3, repeats=(1, 1, 1), unit=1).eval()
    x = torch.rand(2, 3, 160, 160)
    with torch.no_grad():
        assert network(x).shape == (2, 3)
        network.classes = 0
        assert torch.allclose(network(x).norm(dim=1), torch.ones(2))


def block(number, data):
    size = len(data)
    digits = []
    while size >= 128:
        digits.append(size % 128 + 128)
        size //= 128
    return bytes([number << 3 | 2, *digits, size]) + data


def tensor(shape, content):
    dimensions = b"".join(block(2, bytes([0x08, size])) for size in shape)
    return b"\x08\x01" + block(2, dimensions) + content


def node(name, operation, inputs=(), value=None):
    data = block(1, name.encode()) + block(2, operation.encode())
    data += b"".join(block(3, source.encode()) for source in inputs)
    if value is not None:
        data += block(5, block(1, b"value") + block(2, block(8, value)))
    return block(1, data + block(5, block(1, b"T") + block(2, b"\x30\x01")))


def floats(*values):
    return struct.pack(f"<{len(values)}f", *values)


def test_nodes_of_a_graph_made_by_hand(tmp_path):
    path = tmp_path / "graph.pb"
    integer = b"\x08\x03" + block(2, b"") + block(4, b"\x07\x00\x00\x00")
    path.write_bytes(
        node("w", "Const", value=tensor((2, 3), block(4, floats(*range(6)))))
        + node("same", "Const", value=tensor((4,), block(5, floats(1.5))))
        + node("one", "Const", value=tensor((), b"\x2d" + floats(0.25)))
        + node("axis", "Const", value=integer)
        + node("y", "MatMul", ("x", "w"))
        + block(2, b"\x08\x07")
    )
    w, same, one, axis, y = read_frozen_graph(path)
    np.testing.assert_array_equal(w.constant, [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(same.constant, [1.5] * 4)
    assert (one.constant.shape, float(one.constant)) == ((), 0.25)
    assert axis.constant is None
    assert (y.name, y.operation, y.inputs, y.constant) == ("y", "MatMul", ("x", "w"), None)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds none"),
        (node("x", "Placeholder"), "holds none"),
        (node("w", "Const", value=tensor((3,), block(4, floats(1, 2)))), "as many as its shape"),
        (node("w", "Const", value=tensor((1,), block(4, floats(1))))[:-9], "truncated"),
    ],
)
def test_other_files_are_no_graphs(tmp_path, content, message):
    path = tmp_path / "graph.pb"
    path.write_bytes(content)
    with pytest.raises(AssetError, match=message):
        read_frozen_graph(path)


def test_another_graph_does_not_fit(tmp_path):
    path = Path(tmp_path) / "graph.pb"
    path.write_bytes(node("w", "Const", value=tensor((1,), block(4, floats(1)))))
    with pytest.raises(AssetError, match="is to hold FaceNet; its nodes do not fit"):
        load_graph_weights(InceptionResnetV1(unit=1), path)


def test_another_size_does_not_fit(graph):
    with pytest.raises(AssetError, match="is to hold InceptionResnetV1; its arrays do not fit"):
        load_graph_weights(InceptionResnetV1(unit=1), graph)
