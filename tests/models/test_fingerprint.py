"""A fingerprint changes with whatever the answers depend on, and with nothing else."""

import collections
import logging
import pathlib
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from torch import nn

from canonface.fingerprint import object_fingerprint
from canonface.models import CallableModel, OnnxModel, TorchModel

TABLE = np.ones(3)
NUMBERS = {"factor": 1.0}
NETWORK = nn.Linear(2, 2)


def helper(batch):
    return batch.mean(axis=(2, 3)) * TABLE


def reads_an_array(batch):
    return batch.mean(axis=(2, 3)) * TABLE


def reads_in_a_comprehension(batch):
    return np.stack([x.mean(axis=(1, 2)) * TABLE for x in batch])


def reads_by_a_helper(batch):
    return helper(batch)


def reads_a_dict(batch):
    return batch.mean(axis=(2, 3)) * NUMBERS["factor"]


def reads_a_network(batch):
    return NETWORK(batch)


class ReadsInAMethod:
    def __call__(self, batch):
        return helper(batch)


def without_source(text, **known):
    """A function as a notebook's or a console's may be: nothing to read its text from."""
    return eval(text, {"np": np, **known})


def fingerprint(value):
    is_module = isinstance(value, nn.Module)
    return (TorchModel if is_module else CallableModel)(value, "x").fingerprint()


class TestGlobals:
    @pytest.mark.parametrize(
        "function", [reads_an_array, reads_in_a_comprehension, reads_by_a_helper, ReadsInAMethod()]
    )
    def test_an_array_that_is_read(self, function, monkeypatch):
        before = fingerprint(function)
        monkeypatch.setitem(globals(), "TABLE", np.ones(3))
        assert fingerprint(function) == before
        monkeypatch.setitem(globals(), "TABLE", np.array([1, 1, 1.001]))
        assert fingerprint(function) != before

    def test_a_container(self, monkeypatch):
        before = fingerprint(reads_a_dict)
        monkeypatch.setitem(NUMBERS, "factor", 2.0)
        assert fingerprint(reads_a_dict) != before

    def test_a_network(self, monkeypatch):
        before = fingerprint(reads_a_network)
        other = nn.Linear(2, 2)
        other.load_state_dict(NETWORK.state_dict())
        monkeypatch.setitem(globals(), "NETWORK", other)
        assert fingerprint(reads_a_network) == before
        with torch.no_grad():
            other.bias += 1
        assert fingerprint(reads_a_network) != before

    def test_a_global_that_is_not_read_does_not_count(self, monkeypatch):
        before = fingerprint(reads_a_dict)
        monkeypatch.setitem(globals(), "TABLE", np.zeros(3))
        assert fingerprint(reads_a_dict) == before


class TestCode:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("lambda b: b * 2", "lambda b: b * 3"),
            ("lambda b: b * 2", "lambda b: b + 2"),
            ("lambda b: [x * 2 for x in b]", "lambda b: [x * 3 for x in b]"),
            ("lambda b: b in {1, 2}", "lambda b: b in {1, 3}"),
            ("lambda b: np.sin(b)", "lambda b: np.cos(b)"),
        ],
    )
    def test_without_source(self, one, other):
        assert fingerprint(without_source(one)) == fingerprint(without_source(one))
        assert fingerprint(without_source(one)) != fingerprint(without_source(other))

    def test_a_class_without_source(self):
        text = "class Net:\n    def __call__(self, b):\n        return b * {}\n"
        nets = []
        for factor in (2, 2, 3):
            names = {"__name__": "console"}
            exec(text.format(factor), names)
            nets.append(names["Net"]())
        assert fingerprint(nets[0]) == fingerprint(nets[1]) != fingerprint(nets[2])

    def test_two_lambdas_in_one_line(self):
        twice, thrice = (lambda b: b * 2), (lambda b: b * 3)
        assert fingerprint(twice) != fingerprint(thrice)

    def test_functions_that_call_each_other_end(self):
        names = {}
        exec("def f(b): return g(b)\ndef g(b): return f(b)\n", names)
        assert len(fingerprint(names["f"])) == 64


def holding(value):
    return lambda batch: (batch, value)


class TestValues:
    @pytest.mark.parametrize(
        ("one", "same", "other"),
        [
            ({"a", "b"}, {"b", "a"}, {"a", "c"}),
            (frozenset({1, (2, 3)}), frozenset({(2, 3), 1}), frozenset({1, (2, 4)})),
            ({"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 2, "b": 1}),
            ([1, 2], [1, 2], [2, 1]),
            (["ab", "c"], ["ab", "c"], ["a", "bc"]),
            (collections.deque([1]), collections.deque([1]), collections.deque([2])),
            (np.float32(1), np.float32(1), np.float32(2)),
            (np.array([1, "a"], object), np.array([1, "a"], object), np.array([1, "b"], object)),
            (torch.ones(2), torch.ones(2), torch.zeros(2)),
            (torch.eye(2).to_sparse(), torch.eye(2).to_sparse(), torch.ones(2, 2).to_sparse()),
            (pathlib.PurePath("a"), pathlib.PurePath("a"), pathlib.PurePath("b")),
            (range(3), range(3), range(4)),
            (logging.getLogger("a"), logging.getLogger("b"), threading.Lock()),
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_by_content(self, one, same, other):
        assert fingerprint(holding(one)) == fingerprint(holding(same)) != fingerprint(holding(other))

    def test_what_holds_itself_ends(self):
        ring = [1]
        ring.append(ring)
        assert len(fingerprint(holding(ring))) == 64

    def test_what_is_endless_ends(self):
        deep = []
        for _ in range(50):
            deep = [deep, deep]
        assert len(fingerprint(holding(deep))) == 64

    def test_slots(self):
        class Slotted:
            __slots__ = ("factor",)

            def __init__(self, factor):
                self.factor = factor

        assert fingerprint(holding(Slotted(1))) == fingerprint(holding(Slotted(1)))
        assert fingerprint(holding(Slotted(1))) != fingerprint(holding(Slotted(2)))


class Net(nn.Module):
    def __init__(self, t=1.0, kept=False):
        super().__init__()
        self.t = t
        self.register_buffer("mean", torch.zeros(3), persistent=kept)

    def forward(self, x):
        return x.mean(dim=(2, 3)) * self.t - self.mean


class Times(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor


class TestModules:
    @pytest.mark.parametrize("wrap", [lambda net: net, nn.Sequential])
    @pytest.mark.parametrize(
        ("one", "other"), [(1.0, 5.0), ("relu", "gelu"), ((1, 2), (1, 3)), (np.ones(2), np.zeros(2))]
    )
    def test_a_plain_attribute(self, one, other, wrap):
        assert fingerprint(wrap(Net(one))) == fingerprint(wrap(Net(one))) != fingerprint(wrap(Net(other)))

    def test_a_tensor_that_is_not_saved(self):
        changed = Net()
        changed.mean += 1
        assert "mean" not in changed.state_dict()
        assert fingerprint(changed) != fingerprint(Net())

    def test_the_source_of_forward(self, tmp_path, monkeypatch):
        monkeypatch.syspath_prepend(tmp_path)
        found = []
        text = "from torch import nn\nclass Inner(nn.Module):\n    def forward(self, x):\n        return x * {}\n"
        for number, factor in enumerate((2, 2, 3)):
            (tmp_path / f"inner_{number}.py").write_text(text.format(factor))
            inner = __import__(f"inner_{number}").Inner
            inner.__module__ = "inner"
            monkeypatch.setitem(sys.modules, "inner", sys.modules[f"inner_{number}"])
            found.append(fingerprint(nn.Sequential(inner())))
        assert found[0] == found[1] != found[2]

    def test_a_hook(self):
        hooked = Net()
        handle = hooked.register_forward_hook(lambda module, given, prediction: prediction * 2)
        assert fingerprint(hooked) != fingerprint(Net())
        handle.remove()
        assert fingerprint(hooked) == fingerprint(Net())

    def test_a_layer_that_holds_its_parent(self):
        parent = nn.Sequential(Net())
        parent[0].parent = [parent]
        assert len(fingerprint(parent)) == 64

    @pytest.mark.filterwarnings("ignore")
    @pytest.mark.parametrize(
        "write",
        [torch.fx.symbolic_trace, torch.jit.script, lambda net: torch.jit.trace(net, torch.ones(1))],
        ids=["fx", "script", "trace"],
    )
    def test_code_that_no_class_holds(self, write):
        one, same, other = (fingerprint(nn.Sequential(write(Times(factor)))) for factor in (2.0, 2.0, 3.0))
        assert one == same != other

    def test_the_mode_does_not_count(self):
        assert fingerprint(Net().train()) == fingerprint(Net().eval())


def stored_beside(folder, name="weights.bin"):
    """An ONNX file with its weights in a second file."""
    import onnx
    from toy_networks import write_onnx

    folder.mkdir(exist_ok=True)
    path = write_onnx(folder / "toy.onnx")
    onnx.save(
        onnx.load(str(path)),
        str(path),
        save_as_external_data=True,
        location=name,
        size_threshold=0,
    )
    return path


class TestOnnx:
    @pytest.mark.parametrize("name", ["weights.bin", "w" * 130 + ".data"])
    def test_weights_beside_the_file_count(self, tmp_path, name):
        path = stored_beside(tmp_path / "a", name)
        model, twin = OnnxModel(path, "x"), OnnxModel(stored_beside(tmp_path / "b", name), "y")
        before = model.fingerprint()
        assert twin.fingerprint() == before
        raw = bytearray((path.parent / name).read_bytes())
        raw[0] ^= 1
        (path.parent / name).write_bytes(raw)
        assert model.fingerprint() != before
        assert len(bytes.fromhex(before)) == 32

    def test_other_files_do_not_count(self, tmp_path):
        path = stored_beside(tmp_path / "a")
        before = OnnxModel(path, "x").fingerprint()
        (path.parent / "more.bin").write_bytes(b"1")
        assert OnnxModel(path, "x").fingerprint() == before

    def test_a_file_outside_the_folder_is_not_read(self, tmp_path):
        secret = tmp_path / "b.bin"
        secret.write_bytes(b"1")
        path = tmp_path / "a" / "toy.onnx"
        path.parent.mkdir()
        path.write_bytes(b"\x0a\x08location\x12\x08../b.bin")
        before = OnnxModel(path, "x").fingerprint()
        secret.write_bytes(b"2")
        assert OnnxModel(path, "x").fingerprint() == before


PROGRAM = """
import logging, threading
from pathlib import Path
import numpy as np, torch
from torch import nn
from canonface.models import CallableModel, TorchModel

log = logging.getLogger("mine")
LOCK = threading.Lock()
KINDS = {"happy", "sad", "angry", ("a", 1), frozenset({"x", "y", "z"})}
TABLE = {"b": np.arange(3.0), "a": Path("x"), "f": lambda b: b, "d": torch.device("cpu"), "o": object()}

class Holder:
    shared = {"p", "q", "r"}
    def __init__(self):
        self.kinds, self.itself, self.lock = set(KINDS), self, LOCK
    def __call__(self, batch):
        log.debug("asked")
        return [x for x in batch if x in {"p", "q", "r"} and x in TABLE and x in self.kinds]

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.holder, self.log = Holder(), log
        self.rnn, self.head = nn.GRU(2, 2), nn.Linear(2, 2)
        self.head.register_forward_hook(lambda *a: print(KINDS))
        for p in self.parameters():
            nn.init.constant_(p, 0.5)
    def forward(self, x):
        return self.head(x) * len(KINDS)


print(CallableModel(Holder(), "x").fingerprint(), CallableModel(Holder().__call__, "x").fingerprint(),
      CallableModel(lambda b: (KINDS, TABLE, LOCK, log, np, b), "x").fingerprint(),
      TorchModel(Net(), "x").fingerprint(), TorchModel(nn.Sequential(Net(), nn.Identity()), "x").fingerprint())
"""


@pytest.mark.parametrize("with_source", [True, False])
def test_the_same_in_every_process(tmp_path, with_source):
    (tmp_path / "program.py").write_text(PROGRAM)
    start = ["program.py"] if with_source else ["-c", PROGRAM]
    predictions = {
        subprocess.run(
            [sys.executable, *start],
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
            env={"PYTHONHASHSEED": seed, "PATH": ""},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(predictions) == 1
    assert len(set(predictions.pop().split())) == 5


def test_the_code_of_other_packages_counts_by_name_or_source():
    assert object_fingerprint(np.linalg.norm) != object_fingerprint(np.linalg.det)
    assert object_fingerprint(len) != object_fingerprint(max)
