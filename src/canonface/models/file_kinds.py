"""Kinds of model files, identified by content, since a file's name may be wrong."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

from canonface.errors import ModelError, near_names

# Name of each kind in messages.
KINDS = {
    "safetensors": "safetensors weights",
    "checkpoint": "a PyTorch checkpoint",
    "torchscript": "a TorchScript program",
    "export": "a torch.export program",
    "onnx": "an ONNX network",
    "hdf5": "an HDF5 file (Keras)",
    "keras": "a Keras network",
    "tflite": "a TensorFlow Lite network",
    "npz": "NumPy arrays",
    "pickle": "a Python pickle",
    "page": "a web page",
    "pointer": "a Git LFS pointer, not the file it stands for",
    "cut": "a zip archive that is cut short or damaged",
    "zip": "a zip archive of another kind",
    "empty": "nothing",
}

# Kinds that a file of this suffix may hold.
SUFFIXES: dict[str, tuple[str, ...]] = {
    ".safetensors": ("safetensors",),
    ".pt2": ("export",),
    ".onnx": ("onnx",),
    **dict.fromkeys((".ts", ".jit", ".torchscript"), ("torchscript",)),
    **dict.fromkeys((".pt", ".pth", ".bin", ".ckpt", ".tar"), ("checkpoint", "torchscript")),
}

# Advice for each kind that cannot be loaded.
_ADVICE = {
    "hdf5": "export the network with tf2onnx (python -m tf2onnx.convert --keras ...) and load the .onnx file",
    "keras": "export the network with tf2onnx (python -m tf2onnx.convert --keras ...) and load the .onnx file",
    "tflite": "convert it with tf2onnx (python -m tf2onnx.convert --tflite ...), or load a callable that runs it",
    "pb": "convert it with tf2onnx (python -m tf2onnx.convert --graphdef ...) and load the .onnx file",
    "pickle": "a pickle can run code and is never loaded: save the tensors as safetensors, or load a callable",
    "npz": "save the arrays as safetensors under the names of the network's parameters, or load a callable",
    "page": "the download failed: fetch the file itself",
    "pointer": "fetch the file that it stands for: git lfs pull",
    "cut": "fetch the file again",
    "empty": "fetch the file again",
    "zip": "unpack it first",
    "other": "export the network as .onnx, or load a callable that runs it",
}
_UNREADABLE = {
    **{".h5": "hdf5", ".hdf5": "hdf5", ".keras": "keras", ".tflite": "tflite", ".pb": "pb", ".npz": "npz"},
    **dict.fromkeys((".pkl", ".pickle", ".joblib"), "pickle"),
    **dict.fromkeys((".t7", ".caffemodel", ".mlmodel", ".params", ".mat"), "other"),
}
MODEL_SUFFIXES = (*SUFFIXES, *_UNREADABLE)

# The first pickle of torch.save before version 1.6: a number, protocol 2.
_OLD_CHECKPOINT = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
# Test of the first bytes for each kind.
_SIGNS: tuple[tuple[str, Callable[[bytes], bool]], ...] = (
    ("hdf5", lambda head: head.startswith(b"\x89HDF\r\n\x1a\n")),
    ("pointer", lambda head: head.startswith(b"version https://git-lfs")),
    ("page", lambda head: head.lstrip().lower().startswith((b"<!doctype", b"<html"))),
    ("tflite", lambda head: head[4:8] == b"TFL3"),
    ("checkpoint", lambda head: head.startswith(_OLD_CHECKPOINT)),
    ("safetensors", lambda head: head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 100_000_000),
    ("pickle", lambda head: head[0] == 0x80 and 2 <= head[1] <= 5),
    # A protobuf: field 1, the version of the format, then a text or the graph.
    ("onnx", lambda head: head[0] == 0x08 and head[1] < 0x20 and head[2] in (0x12, 0x1A, 0x22, 0x3A, 0x42)),
)

# Members of zip archives that identify their kind; the first one found counts.
_MEMBERS = (
    ("archive_format", "export"),
    ("serialized_exported_program.json", "export"),
    ("constants.pkl", "torchscript"),
    ("data.pkl", "checkpoint"),
    ("model.weights.h5", "keras"),
)


def file_kind(path: Path) -> str:
    """Return one of ``KINDS``, or an empty text if the content is not recognised."""
    with path.open("rb") as file:
        head = file.read(64)
    if not head:
        return "empty"
    if head.startswith(b"PK\x03\x04"):
        return _zip_kind(path)
    head = head.ljust(16, b"\0")
    return next((kind for kind, is_so in _SIGNS if is_so(head)), "")


def _zip_kind(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, EOFError):
        return "cut"
    if not members or min(member.header_offset for member in members) > 0:
        return "cut"  # the end of an archive inside a longer one was found
    # PyTorch puts all members into one folder.
    names = {name for member in members for name in (member.filename, member.filename.partition("/")[2])}
    if all(member.filename.endswith(".npy") for member in members):
        return "npz"
    return next((kind for name, kind in _MEMBERS if name in names), "zip")


def checked_kind(path: Path) -> str:
    """Return the kind of a model file, checked against its suffix.

    Raises:
        ModelError: there is no such file, its suffix or kind cannot be loaded, or its content contradicts its
            suffix; says what it holds and what to do.
    """
    if not path.is_file():
        raise ModelError(f"A model file exists; there is no file {path}{_neighbours(path)}")
    suffix, kind = path.suffix.lower(), file_kind(path)
    wanted = SUFFIXES.get(suffix, ())
    # Some writers of ONNX begin a file differently: onnxruntime decides.
    if kind in wanted or (suffix == ".onnx" and not kind):
        return kind or "onnx"
    may_hold = " or ".join(KINDS[name] for name in wanted)
    rule = f"A {suffix} file holds {may_hold}" if wanted else f"A model file is one of {', '.join(SUFFIXES)}"
    held = f" holds {KINDS.get(kind, 'something else')}" if kind or wanted else ""
    size = f"{path.stat().st_size:,} bytes"
    raise ModelError(f"{rule}; {path.name} ({size}){held}: {_advice(path, kind)}.")


def _advice(path: Path, kind: str) -> str:
    right = next((suffix for suffix, kinds in SUFFIXES.items() if kind in kinds), "")
    if right:
        return f"rename it to {path.stem}{right}"
    return _ADVICE[kind if kind in _ADVICE else _UNREADABLE.get(path.suffix.lower(), "other")]


def _neighbours(path: Path) -> str:
    folder = path.parent
    found = (
        sorted(p.name for p in folder.iterdir() if p.suffix.lower() in SUFFIXES) if folder.is_dir() else []
    )
    return f". {near_names(path.name, found)}" if found else ", nor any model file next to it."
