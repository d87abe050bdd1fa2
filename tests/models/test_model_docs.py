"""The pages about models: their code and commands run as they stand, and the tables list every name and message."""

import base64
import importlib
import io
import json
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import onnx
import pytest
import safetensors.torch
from model_contract import ModelContract
from PIL import Image
from typer.testing import CliRunner

import canonface
from canonface.alignment import LandmarkerAligner
from canonface.cli.main import app
from canonface.demo import demo_folder
from canonface.mesh import load_mesh
from canonface.models import ARCHITECTURES, load_model
from canonface.models.file_kinds import KINDS, SUFFIXES

DOCS = Path(__file__).parents[2] / "docs"
OVERVIEW, OWN = ((DOCS / name).read_text(encoding="utf-8") for name in ("models.md", "extending/model.md"))


def code():
    [found] = re.findall(r"```python\n(.*?)```", OWN, re.DOTALL)
    return found


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """The page's file and its weights in the current directory, as a reader would have them."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "my_models.py").write_text(code())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(folder)
        network = importlib.import_module("my_models").network()
        safetensors.torch.save_file(network.state_dict(), "network.safetensors")
        yield network
    sys.modules.pop("my_models", None)


@pytest.fixture(params=["vendor", "network", "trained"])
def model(own, request):
    return load_model(f"my_models:{request.param}", device="cpu")


class TestOwnModels(ModelContract):
    """Each of the page's models."""


def test_the_example_is_short():
    assert len(code().strip().splitlines()) <= 40


def test_it_explains_a_face(model):
    [face] = LandmarkerAligner(load_mesh(0))(demo_folder() / "photos" / "op_P005_studio.jpg")
    cis = canonface.explain(face, model, "smiling", stride=20)
    assert np.nanmax(np.abs(cis.drops)) > 0


def test_one_line_does_the_same(own):
    one = load_model("my_models:network", weights="network.safetensors", device="cpu")
    assert one.fingerprint() == load_model("my_models:trained", device="cpu").fingerprint()
    x = np.random.default_rng(0).random((2, 3, 64, 64), np.float32)
    np.testing.assert_array_equal(one(one.to_device(x)), own.eval()(one.to_device(x)).detach().numpy())


@pytest.mark.parametrize("name", [*ARCHITECTURES, *SUFFIXES])
def test_the_tables_know_every_name(name):
    assert f"`{name}`" in OVERVIEW


def test_links_lead_somewhere():
    path = DOCS / "extending" / "model.md"
    for target in re.findall(r"\]\(([^)#\s]+)\)", OWN):
        assert "://" in target or (path.parent / target).exists(), target


def network_file():
    """A small ONNX network, 64 x 64 RGB to two logits."""
    make, random = onnx.helper, np.random.default_rng(0)
    nodes = [
        make.make_node("Conv", ["image", "kernel"], ["maps"], strides=[16, 16]),
        make.make_node("Flatten", ["maps"], ["features"]),
        make.make_node("MatMul", ["features", "weights"], ["logits"]),
    ]
    arrays = {"kernel": random.normal(size=(4, 3, 16, 16)) / 30, "weights": random.normal(size=(64, 2)) / 8}
    constants = [onnx.numpy_helper.from_array(a.astype(np.float32), name) for name, a in arrays.items()]
    ends = [
        [make.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)]
        for name, shape in (("image", ["n", 3, 64, 64]), ("logits", ["n", 2]))
    ]
    graph = make.make_graph(nodes, "net", *ends, constants)
    return make.make_model(graph, opset_imports=[make.make_opsetid("", 18)], ir_version=10)


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """The folder of a reader: a photo, a network as ``net.onnx``, and a model behind HTTP."""
    monkeypatch.chdir(tmp_path)
    # The page's other file of this name, which the fixture `own` may have imported, is not the reader's.
    monkeypatch.setattr(
        sys, "path", [place for place in sys.path if not Path(place, "my_models.py").exists()]
    )
    monkeypatch.delitem(sys.modules, "my_models", raising=False)
    (tmp_path / "me.jpg").write_bytes((demo_folder() / "photos" / "op_P005_studio.jpg").read_bytes())
    onnx.save(network_file(), "net.onnx")
    yield tmp_path
    sys.modules.pop("my_models", None)


class Scores(BaseHTTPRequestHandler):
    """The server of the page's model behind HTTP: how bright each picture's mouth is."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        pictures = [np.asarray(Image.open(io.BytesIO(base64.b64decode(text)))) for text in body["images"]]
        assert {picture.shape for picture in pictures} == {(96, 96, 3)}
        smiles = [float(picture[60:80, 30:66].mean() / 255) for picture in pictures]
        body = json.dumps({"scores": [[1 - smile, smile] for smile in smiles]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Print nothing."""


@pytest.fixture
def url():
    with HTTPServer(("127.0.0.1", 0), Scores) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/predict"
        server.shutdown()
        thread.join()


BLOCKS = re.findall(r"```python\n(.*?)```", OVERVIEW, re.DOTALL)


@pytest.mark.parametrize(("number", "picture"), [*enumerate(["module", "onnx", "callable", "remote"])])
def test_the_complete_examples_draw_a_map(reader, url, number, picture):
    names = {}
    exec(BLOCKS[number].replace("http://localhost:8000/predict", url), names)
    assert (reader / f"{picture}.png").stat().st_size > 10_000
    assert np.nanmax(np.abs(names["cis"].drops)) > 0


def test_the_example_of_the_command_line_draws_a_map(reader):
    assert len(BLOCKS) == 5
    (reader / "my_models.py").write_text(BLOCKS[4])
    [command] = re.findall(r"^    canonface (explain .*)$", OVERVIEW, re.MULTILINE)
    result = CliRunner().invoke(app, [*command.split(), "--stride", "20"])
    assert result.exit_code == 0, result.output
    assert list((reader / "explained").rglob("*.png"))


def test_the_page_can_be_read_in_ten_minutes():
    assert len(OVERVIEW.split()) < 2500


def test_the_errors_that_the_page_explains_are_raised():
    """The beginnings of the messages stand in the code, their variable parts written as three dots."""
    folder = Path(canonface.__file__).parent
    sources = [folder / "imports.py", *(folder / "models").rglob("*.py")]
    text = "".join(path.read_text(encoding="utf-8") for path in sources)
    # Texts that are continued on the next line are one.
    text = re.sub(r'"\s*\n\s*f?"', "", text)
    text = text.replace("{KINDS[kind]}", KINDS["torchscript"])
    table = OVERVIEW.split("\n## Errors\n")[1].split("\n## ")[0]
    messages = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    assert len(messages) >= 8
    for message in messages:
        for part in filter(None, (part.strip() for part in message.split("..."))):
            assert part in text, part
