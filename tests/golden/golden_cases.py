"""The golden runs: each a call of 0.1.0's public functions, the same for 0.1.0 and for today's code.

A case takes the folder of the run, and options that are added. The photos are those of the package's demo, wherever
the package lies: a run knows them by their names below their common folder, and by their content.
"""

import csv
from pathlib import Path

from golden_models import Doubled, Largest, Network, OnAThinMesh, mean_colour, turn

import canonface
from canonface.confidence import FunctionConfidence
from canonface.demo import demo_folder
from canonface.types import InputSpec

DATA = Path(__file__).parent / "data"
LABELS = DATA / "labels.csv"
WEIGHTS = {name: DATA / f"{name}.safetensors" for name in ("resnet18", "iresnet18")}
_ROWS = list(csv.DictReader(LABELS.read_text(encoding="utf-8").splitlines()))
PHOTOS = [demo_folder() / "photos" / row["path"] for row in _ROWS]
PAIRS = ((0, 1, 0), (3, 4, 1), (1, 2, 0), (4, 3, 1), (2, 0, 0))
PEOPLE = ("op_P001", "op_P002", "op_P004", "op_P005")
SPEC = InputSpec(size_hw=(32, 32))
USUAL = {"labels": LABELS, "level": 0, "stride": 12}


def write_table(path, columns, rows):
    """A CSV file with absolute paths: a run knows its photos by their names below their common folder."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


def network(outputs="logits", labels=("no", "yes")):
    model = Network(len(labels) or 3)
    return canonface.load_model(
        model, spec=SPEC, labels=labels, outputs=outputs, name="network", device="cpu"
    )


def black_box():
    return canonface.load_model(
        mean_colour, spec=SPEC, labels=("red", "green"), outputs="logits", name="colours"
    )


def zoo_model(out, **more):
    gender = canonface.load_model("gender", device="cpu")
    return canonface.audit(PHOTOS, gender, out, **USUAL, by="gender", target="label:gender", **more)


def zoo_network(out, **more):
    """A network of the zoo that is fitted to others' weights, in the paper's settings."""
    age = canonface.load_model("age", device="cpu")
    return canonface.audit(PHOTOS, age, out, **USUAL, preset="paper", confidence="expected-value", **more)


def torch_module(out, **more):
    return canonface.audit(PHOTOS, network(), out, **USUAL, fill="black", patch=7, target="yes", **more)


def weights_file(out, **more):
    model = canonface.load_model(WEIGHTS["resnet18"], device="cpu")
    return canonface.audit(PHOTOS, model, out, **USUAL, engine="dense", target=3, **more)


def callable_model(out, **more):
    return canonface.audit(PHOTOS, black_box(), out, **USUAL, by="gender", target="red", **more)


def pairs(out, **more):
    table = write_table(
        Path(out).parent / "pairs.csv",
        ("path_a", "path_b", "same"),
        [(PHOTOS[a], PHOTOS[b], same) for a, b, same in PAIRS],
    )
    model = network("embedding", ())
    return canonface.verify(table, model, out, level=0, stride=12, threshold=0.5, **more)


def sampled(out, **more):
    """A run that stops before its photos end."""
    stops = {"share": 0.5, "max_questions": 60, "precision": 0.001, "seed": 3}
    return canonface.audit(PHOTOS, network(), out, **USUAL, **stops, target="yes", **more)


def sampled_whole(out, **more):
    stops = {"design": "stratified", "share": 0.5, "precision": 0.001, "precision_of": "regions"}
    return canonface.audit(PHOTOS, network(), out, **USUAL, **stops, target="yes", **more)


def gradients(out, **more):
    return canonface.audit(
        PHOTOS,
        network(),
        out,
        **USUAL,
        method="smoothgrad",
        method_options={"samples": 4},
        target="yes",
        **more,
    )


def gallery(out, **more):
    """Recognition by one of the package's own networks, whose fingerprint is in the gallery's own digest."""
    table = write_table(
        Path(out).parent / "gallery.csv",
        ("path", "identity"),
        [(demo_folder() / "photos" / f"{who}_emo_happy.jpg", who) for who in PEOPLE],
    )
    model = canonface.load_model(WEIGHTS["iresnet18"], device="cpu")
    return canonface.audit(PHOTOS, model, out, **USUAL, gallery=table, **more)


def own_mesh(out, **more):
    options = {name: value for name, value in USUAL.items() if name == "labels"}
    return canonface.audit(PHOTOS, network(), out, **options, aligner=OnAThinMesh(), stride=2, **more)


def own_function(out, **more):
    confidence = FunctionConfidence(turn, unit="cosine")
    return canonface.audit(PHOTOS, network(), out, **USUAL, confidence=confidence, **more)


def own_confidence(out, **more):
    return canonface.audit(PHOTOS, network(), out, **USUAL, confidence=Largest(), **more)


def own_subclass(out, **more):
    return canonface.audit(PHOTOS, network(), out, **USUAL, confidence=Doubled("yes"), **more)


CASES = {
    case.__name__: case
    for case in (
        *(zoo_model, zoo_network, torch_module, weights_file, callable_model, pairs, sampled, sampled_whole),
        *(gradients, gallery, own_mesh, own_function, own_confidence, own_subclass),
    )
}


def results(run):
    """The matrix and the maps of a run, by the names under which they are stored."""
    estimate = run.estimate().map
    groups = run.cms(by="target" if run.of_pairs else "gender")
    yield "drops", run.drops()
    yield "map", run.cms().map
    yield from ((f"by/{name}", cms.map) for name, cms in groups.items())
    yield from ((f"estimate/{name}", getattr(estimate, name)) for name in ("values", "se", "half_width"))
