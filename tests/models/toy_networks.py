"""Small networks that the model tests share."""

import numpy as np

from canonface.types import InputSpec

SPEC = InputSpec(size_hw=(6, 8), scale=1 / 255)


def weights():
    """(3, 4) weights from channel means to four outputs."""
    return np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)


def by_hand(batch):
    """Return the outputs of every toy network: channel means times the weights."""
    return np.asarray(batch, np.float32).mean(axis=(2, 3)) @ weights()


def torch_network(dropout=False):
    """The same as a PyTorch module, with a batch norm that changes nothing and an optional dropout."""
    import torch
    from torch import nn

    network = nn.Sequential(
        nn.BatchNorm2d(3, eps=0.0),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.5 if dropout else 0.0),
        nn.Linear(3, 4, bias=False),
    )
    with torch.no_grad():
        network[-1].weight.copy_(torch.from_numpy(weights().T.copy()))
    return network


def write_onnx(
    path,
    batch="n",
    softmax=False,
    channels_last=False,
    extra_output=False,
    labels=None,
    rows=False,
    reshape=False,
    across=False,
):
    """The same as an ONNX file; ``reshape`` to a constant shape, ``across`` mixes the inputs of a batch."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    shape = [batch, 6, 8, 3] if channels_last else [batch, 3, 6, 8]
    axes = [1, 2] if channels_last else [2, 3]
    nodes = [
        helper.make_node("ReduceMean", ["image", "axes"], ["means"], keepdims=0),
        helper.make_node("MatMul", ["means", "weights"], ["product"]),
        helper.make_node("Softmax" if softmax else "Identity", ["product"], ["answer"]),
    ]
    outputs = [helper.make_tensor_value_info("answer", TensorProto.FLOAT, [batch, 4])]
    constants = []
    if reshape:
        nodes[-1].output[0] = "flat"
        nodes.append(helper.make_node("Reshape", ["flat", "rows"], ["answer"]))
        constants.append(numpy_helper.from_array(np.array([batch, 4]), "rows"))
    if across:
        nodes[-1].output[0] = "apart"
        nodes.append(helper.make_node("ReduceMean", ["apart", "first"], ["mixed"], keepdims=1))
        nodes.append(helper.make_node("Identity", ["mixed"], ["answer"]))
        constants.append(numpy_helper.from_array(np.array([0]), "first"))
    if extra_output:
        nodes.append(helper.make_node("Identity", ["means"], ["features"]))
        outputs.append(helper.make_tensor_value_info("features", TensorProto.FLOAT, [batch, 3]))
    if rows:  # (n, 4, 1, 1)
        nodes.append(helper.make_node("Unsqueeze", ["answer", "axes"], ["tall"]))
        outputs = [helper.make_tensor_value_info("tall", TensorProto.FLOAT, [batch, 4, 1, 1])]
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        outputs,
        [
            numpy_helper.from_array(weights(), "weights"),
            numpy_helper.from_array(np.array(axes), "axes"),
            *constants,
        ],
    )
    network = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    if labels is not None:
        helper.set_model_props(network, {"labels": labels})
    onnx.save(network, str(path))
    return path


def batch(n=5, seed=0):
    """Inputs of the toy networks."""
    return np.random.default_rng(seed).normal(size=(n, 3, 6, 8)).astype(np.float32)


def scripted(path, frozen=False):
    """The same as a TorchScript file; ``frozen``: the output has the shape of one input."""
    import warnings

    import torch

    class Frozen(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = torch_network()

        def forward(self, x):
            return self.network(x).reshape(1, 4)

    network = Frozen() if frozen else torch_network(dropout=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(network.eval(), torch.zeros(1, 3, 6, 8)).save(str(path))
    return path


def exported(path, frozen=False):
    """The same as a ``torch.export`` program."""
    import warnings

    import torch

    batch = None if frozen else ({0: torch.export.Dim("n", min=1, max=4096)},)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = torch_network(dropout=True).eval()
        x = torch.zeros(1 if frozen else 2, 3, 6, 8)
        torch.export.save(torch.export.export(network, (x,), dynamic_shapes=batch), path)
    return path
