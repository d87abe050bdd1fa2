"""Files that are not what they say: each ends in a clear error, and nothing in them is run."""

import contextlib
import importlib
import io
import json
import os
import pickle
import re
import zipfile

import numpy as np
import pytest
import safetensors.torch
import torch
from toy_networks import exported, scripted, torch_network, write_onnx
from typer.testing import CliRunner

from canonface.cli.main import app
from canonface.errors import ModelError
from canonface.models import load_model
from canonface.models.file_kinds import KINDS, SUFFIXES, file_kind


class Trap:
    """Runs a command as soon as its pickle is read."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder / "trapped"),)


@pytest.fixture
def unharmed(tmp_path):
    """Fails if a trap was sprung; the folder to work in."""
    yield tmp_path
    assert not (tmp_path / "trapped").exists(), "code in a pickle was run"


def keras(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", b"\x89HDF\r\n\x1a\n")


def archive_of(path, name):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, "x")


WRITERS = {
    "safetensors": lambda path: safetensors.torch.save_file({"a": torch.zeros(2)}, path),
    "checkpoint": lambda path: torch.save({"a": torch.zeros(2)}, path),
    "torchscript": scripted,
    "export": exported,
    "onnx": write_onnx,
    "hdf5": lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100)),
    "keras": keras,
    "tflite": lambda path: path.write_bytes(b"\x1c\0\0\0TFL3" + bytes(100)),
    "npz": lambda path: archive_of(path, "weight.npy"),
    "pickle": lambda path: path.write_bytes(pickle.dumps({"a": np.zeros(2)})),
    "page": lambda path: path.write_text("\n<!DOCTYPE html><html>not found</html>"),
    "pointer": lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
    "cut": lambda path: (torch.save(torch_network().state_dict(), path), cut(path)),
    "zip": lambda path: archive_of(path, "readme.txt"),
    "empty": lambda path: path.write_bytes(b""),
}


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """The bytes of a file of each kind."""
    folder = tmp_path_factory.mktemp("kinds")
    for kind, write in WRITERS.items():
        write(folder / kind)
    return {kind: (folder / kind).read_bytes() for kind in WRITERS}


def test_every_kind_is_written_here():
    assert set(WRITERS) == set(KINDS)


@pytest.mark.parametrize("kind", list(KINDS))
def test_content_decides_the_kind(kind, content, tmp_path):
    path = tmp_path / "some.file"
    path.write_bytes(content[kind])
    assert file_kind(path) == kind


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [(suffix, kind) for suffix in SUFFIXES for kind in KINDS if kind not in SUFFIXES[suffix]],
)
def test_a_wrong_suffix_is_reported(suffix, kind, content, tmp_path):
    path = tmp_path / f"model{suffix}"
    path.write_bytes(content[kind])
    with pytest.raises(ModelError) as caught:
        load_model(path, device="cpu")
    text = str(caught.value)
    assert f"A {suffix} file holds " in text
    assert f"{path.name} ({path.stat().st_size:,} bytes) holds {KINDS[kind]}: " in text
    right = next((name for name, kinds in SUFFIXES.items() if kind in kinds), None)
    assert f"rename it to model{right}" in text if right else "rename" not in text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("net.h5", "tf2onnx"),
        ("net.pb", "--graphdef"),
        ("net.tflite", "--tflite"),
        ("net.pkl", "never loaded"),
        ("net.npz", "safetensors"),
        ("net.t7", "export the network as .onnx"),
    ],
)
def test_unreadable_formats_come_with_advice(name, text, tmp_path):
    (tmp_path / name).write_bytes(b"something")
    with pytest.raises(
        ModelError, match=rf"A model file is one of .safetensors, .*; {name} \(9 bytes\): .*{text}"
    ):
        load_model(tmp_path / name)


def test_a_file_that_is_not_there_lists_its_neighbours(tmp_path):
    torch.save({}, tmp_path / "resnet50.pth")
    with pytest.raises(ModelError, match=r"there is no file .*resnet50.pt. did you mean 'resnet50.pth'"):
        load_model(tmp_path / "resnet50.pt")


class TestCode:
    """Pickles with code."""

    def refused(self, path, text, **options):
        with pytest.raises(ModelError, match=text):
            load_model(path, device="cpu", trust=True, **options)

    @pytest.mark.parametrize("is_zip", [True, False])
    def test_in_a_checkpoint(self, unharmed, is_zip):
        path = unharmed / "evil.pt"
        torch.save({"a": torch.zeros(1), "b": Trap(unharmed)}, path, _use_new_zipfile_serialization=is_zip)
        self.refused(
            path,
            r"holds tensors alone; evil.pt wants to call \w+.mkdir: .*nothing in it was run.*safetensors",
        )
        with pytest.raises(ModelError, match="nothing in it was run"):
            load_model(torch_network(), weights=path)

    def test_in_a_bare_pickle(self, unharmed):
        for name in ("evil.pth", "evil.bin", "evil.pkl"):
            path = unharmed / name
            path.write_bytes(pickle.dumps(Trap(unharmed)))
            self.refused(path, "holds a Python pickle: a pickle can run code and is never loaded")

    def test_in_a_whole_module(self, tmp_path):
        torch.save(torch_network(), tmp_path / "whole.pt")
        self.refused(tmp_path / "whole.pt", r"whole.pt wants to call torch.nn.modules.container.Sequential")

    def test_in_a_script(self, unharmed):
        """PyTorch's reader of scripts knows no Python: it stumbles over the pickle and runs nothing."""
        path = repacked(
            scripted(unharmed / "good.pt"), unharmed / "evil.pt", "data.pkl", pickle.dumps(Trap(unharmed))
        )
        self.refused(path, "evil.pt .*is a TorchScript file that this version of PyTorch .* cannot read")

    @pytest.mark.parametrize("member", ["data/sample_inputs/model.pt", "data/constants/opaque_obj_0"])
    def test_in_an_exported_program(self, unharmed, member):
        raw = pickle.dumps(Trap(unharmed))
        if member.endswith(".pt"):
            memory = io.BytesIO()
            torch.save(Trap(unharmed), memory)
            raw = memory.getvalue()
        path = repacked(exported(unharmed / "good.pt2"), unharmed / "evil.pt2", member, raw)
        self.refused(path, rf"evil.pt2 holds .*\w+/{member}.*: it was not loaded.*nothing in it was run")

    def test_in_weights_listed_as_pickled_by_an_exported_program(self, unharmed):
        memory = io.BytesIO()
        torch.save(Trap(unharmed), memory)
        good = exported(unharmed / "good.pt2")
        table = "data/weights/model_weights_config.json"
        with zipfile.ZipFile(good) as archive:
            name = next(name for name in archive.namelist() if name.endswith(table))
            entries = json.loads(archive.read(name))
        first = next(iter(entries["config"].values()))
        first["use_pickle"] = True
        first["path_name"] = "weight_7"
        path = repacked(good, unharmed / "half.pt2", table, json.dumps(entries).encode())
        path = repacked(path, unharmed / "evil.pt2", "data/weights/weight_7", memory.getvalue())
        self.refused(path, "holds Python objects in .*weight_7")

    def test_in_the_second_of_two_members_of_one_name(self, unharmed):
        path = exported(unharmed / "twice.pt2")
        with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr(archive.namelist()[0], b"other")
        self.refused(path, "two in twice.pt2 share one: it was not loaded")

    @pytest.mark.parametrize("change", ["weight", "table", "sample", "opaque"])
    def test_in_members_that_pytorch_finds_by_another_name(self, unharmed, change):
        """PyTorch's reader minds no case, and knows objects by how their names begin."""
        self.refused(
            hidden_trap(unharmed, change), "it was not loaded, and nothing in it was run|two share one"
        )

    def test_in_a_checkpoint_that_pytorch_might_take_for_a_script(self, unharmed):
        torch.save({"a": Trap(unharmed)}, unharmed / "good.pt")
        path = repacked(unharmed / "good.pt", unharmed / "evil.pt", "CONSTANTS.PKL", pickle.dumps(0))
        self.refused(path, "evil.pt")


class Writes(torch.nn.Module):
    """A script that writes a file as soon as it is loaded."""

    def __init__(self, path: str):
        super().__init__()
        self.path = path

    @torch.jit.export
    def __getstate__(self):
        return self.path, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[str, bool]):
        torch.save("chosen", state[0])
        self.path, self.training = state

    def forward(self, x):
        return x.flatten(1)


def writing_script(folder):
    torch.jit.script(Writes(str(folder / "trapped"))).save(str(folder / "evil.pt"))
    return folder / "evil.pt"


def evaluated_shape(folder):
    """An exported program whose free size is an expression that makes a folder."""
    good = exported(folder / "good.pt2")
    with zipfile.ZipFile(good) as archive:
        graph = archive.read(
            next(name for name in archive.namelist() if name.endswith("model.json"))
        ).decode()
    trap = json.dumps(f"__import__('os').mkdir({str(folder / 'trapped')!r})")
    evil, count = re.subn(r'"expr_str": "[^"]*"', lambda _: f'"expr_str": {trap}', graph)
    assert count
    return repacked(good, folder / "evil.pt2", "models/model.json", evil)


def hidden_trap(folder, change):
    """An exported program with a pickle that runs a command, under a name that PyTorch alone finds."""
    memory = io.BytesIO()
    torch.save(Trap(folder), memory)
    good = exported(folder / "good.pt2")
    with zipfile.ZipFile(good) as archive:
        members = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    weights, constants = (f"data/{kind}/model_{kind}_config.json" for kind in ("weights", "constants"))
    table = json.loads(members[weights])
    entry = next(iter(table["config"].values()))
    if change == "sample":
        members.pop("data/sample_inputs/model.pt")
        members["data/sample_inputs/model.PT"] = memory.getvalue()
    elif change == "opaque":
        members[constants] = json.dumps({"config": {"c": {**entry, "path_name": "opaque_obj_0.x"}}})
        members["data/constants/opaque_obj_0.x"] = pickle.dumps(Trap(folder))
    else:
        members[f"data/weights/{entry['path_name']}"] = memory.getvalue()
        entry["use_pickle"] = True
        if change == "weight":
            entry["path_name"] = entry["path_name"].upper()
        else:
            members.pop(weights)
        members[weights if change == "weight" else weights.upper()] = json.dumps(table)
    with zipfile.ZipFile(folder / "evil.pt2", "w") as archive:
        for name, content in members.items():
            archive.writestr(f"good/{name}", content)
    return folder / "evil.pt2"


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
class TestTrust:
    """Programs run when they are loaded; without the user's word they are not."""

    @pytest.mark.parametrize(
        ("write", "kind"), [(writing_script, "a TorchScript"), (evaluated_shape, "a torch.export")]
    )
    def test_a_program_is_not_loaded_without_it(self, write, kind, unharmed):
        path = write(unharmed)
        for given in (path, str(path)):
            with pytest.raises(
                ModelError,
                match=rf"Loading {kind} program runs code.*{path.name} was not loaded.*trust=True.*--trust",
            ):
                load_model(given, device="cpu")

    @pytest.mark.parametrize("write", [writing_script, evaluated_shape])
    def test_the_reason_for_it_is_true(self, write, tmp_path):
        """Both kinds run code while they are loaded; if neither did any more, ``trust`` would not be needed."""
        with contextlib.suppress(ModelError):
            load_model(write(tmp_path), device="cpu", trust=True)
        assert (tmp_path / "trapped").exists()

    def test_other_files_need_no_trust(self, tmp_path):
        load_model(write_onnx(tmp_path / "toy.onnx"), trust=True)
        load_model(write_onnx(tmp_path / "toy.onnx"))

    @pytest.mark.parametrize("command", ["audit", "verify", "explain", "regions"])
    def test_on_the_command_line(self, command, tmp_path, monkeypatch):
        # Imported before the replacement, so that no module keeps it.
        for module in ("canonface.pipeline", "canonface.explanation"):
            importlib.import_module(module)
        given = []

        def recording(*model, **options):
            given.append(options["trust"])
            raise ModelError("seen")

        monkeypatch.setattr("canonface.models.load_model", recording)
        for options in ([], ["--trust"]):
            out = [] if command == "regions" else ["--out", str(tmp_path / "out")]
            CliRunner().invoke(app, [command, str(tmp_path), "--model", "a.pt2", *out, *options])
        assert given == [False, True]


def repacked(source, target, member, content):
    """A copy of an archive with one member replaced or added."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        root = old.namelist()[0].partition("/")[0]
        for name in old.namelist():
            if name != f"{root}/{member}":
                new.writestr(name, old.read(name))
        new.writestr(f"{root}/{member}", content)
    return target


class TestCutShort:
    @pytest.mark.parametrize("share", [0.3, 0.9])
    @pytest.mark.parametrize("kind", ["checkpoint", "torchscript", "export", "safetensors", "onnx"])
    def test_every_format(self, kind, share, tmp_path):
        suffix = next(suffix for suffix, kinds in SUFFIXES.items() if kind in kinds)
        path = tmp_path / f"part{suffix}"
        WRITERS[kind](path)
        raw = path.read_bytes()
        path.write_bytes(raw[: int(len(raw) * share)])
        with pytest.raises(ModelError, match=r"part.*bytes\).*[Ff]etch"):
            load_model(path, device="cpu")

    def test_an_old_checkpoint(self, tmp_path):
        torch.save({"a": torch.zeros(99)}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
        cut(tmp_path / "old.pt")
        with pytest.raises(ModelError, match=r"can be read to its end; old.pt \(.* bytes\) cannot: "):
            load_model(tmp_path / "old.pt")

    def test_a_table_or_a_member_of_an_exported_program_that_is_damaged(self, tmp_path):
        good = exported(tmp_path / "good.pt2")
        table = repacked(good, tmp_path / "table.pt2", "data/weights/model_weights_config.json", b"[]")
        member = tmp_path / "member.pt2"
        raw = bytearray(good.read_bytes())
        raw[raw.index(b"data.pkl") + 60] ^= 0xFF
        member.write_bytes(raw)
        for path in (table, member):
            with pytest.raises(
                ModelError, match=f"{path.name} .*cannot read|{path.name} holds Python objects"
            ):
                load_model(path, device="cpu", trust=True)

    def test_a_checkpoint_whose_pickle_is_damaged_is_not_called_evil(self, tmp_path):
        torch.save({"a": torch.zeros(3)}, tmp_path / "good.pt")
        path = repacked(tmp_path / "good.pt", tmp_path / "bad.pt", "data.pkl", b"\x80\x02}q\x00garbage")
        with pytest.raises(ModelError, match=r"can be read to its end; bad.pt .*cannot"):
            load_model(path)


class TestOnnxOutside:
    """External data that an ONNX file looks for elsewhere."""

    @pytest.mark.parametrize(
        "location", ["../secret.bin", "/etc/hostname", "C:\\secret.bin", "a/../../secret.bin"]
    )
    def test_its_folder_is_refused(self, tmp_path, location):
        import onnx

        folder = tmp_path / "model"
        folder.mkdir()
        path = write_onnx(folder / "toy.onnx")
        onnx.save(
            onnx.load(str(path)), str(path), save_as_external_data=True, location="w.bin", size_threshold=0
        )
        network = onnx.load(str(path), load_external_data=False)
        for tensor in network.graph.initializer:
            for entry in tensor.external_data:
                if entry.key == "location":
                    entry.value = location
        path.write_bytes(network.SerializeToString())
        (folder / "w.bin").rename(tmp_path / "secret.bin")
        with pytest.raises(
            ModelError, match=r"weights of an .onnx file lie in its own folder; toy.onnx wants"
        ):
            load_model(path)

    def test_missing_external_weights_are_named(self, tmp_path):
        import onnx

        path = write_onnx(tmp_path / "toy.onnx")
        onnx.save(
            onnx.load(str(path)), str(path), save_as_external_data=True, location="w.bin", size_threshold=0
        )
        (tmp_path / "w.bin").unlink()
        with pytest.raises(
            ModelError, match=r"toy.onnx .*are to lie next to it, in w\.bin, which is missing"
        ):
            load_model(path)
