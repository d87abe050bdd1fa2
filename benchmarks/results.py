"""Tables and pictures of docs/results.md.

    python benchmarks/results.py DATA --work results --write docs/results.md

DATA holds the folders ``congress_pd``, ``fairface_val980``, ``openpeople_synth`` and ``lfw_eval``, each with a
``labels.csv`` (docs/results.md describes them). Every step is a command line of canonface that runs in its own
process; its time and output are kept in the folder of ``--work``. Started again, the script runs only the missing
steps. ``--only`` names the parts of the page to make.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pages import insert, machine_words

SEED = 0
METHODS = "gradcam,gradcam++,scorecam,guided-gradcam++,integrated-gradients,random,centre"
METRICS = "average-drop,increase,win,deletion,insertion,road"
TITLES = {
    "average-drop": "Average Drop %, higher is better",
    "increase": "Increase %, lower",
    "win": "Win %, higher",
    "deletion": "Deletion, lower",
    "insertion": "Insertion, higher",
    "road": "ROAD, higher",
    "deletion-accuracy": "Accuracy % by deletion, lower",
    "insertion-accuracy": "Accuracy % by insertion, higher",
}
OURS = {"cms": "**canonical, model map**", "cis": "**canonical, own map**"}
FIGURES: dict[int, tuple[str, str, tuple[str, ...]]] = {
    # number: photos, further words of the command, the pictures in the folder
    1: ("congress_pd", "--photos 20", ("tasks.png",)),
    2: ("", "--model expression", ("methods.png",)),
    4: ("congress_pd", "--photos 60", ("density.png",)),
    5: ("fairface_val980", "--photos 493", ("convergence.png",)),
    6: ("", "", ("run/pictures/examples.png",)),
    7: (
        "openpeople_synth",
        "--photos 24",
        ("recognition/pictures/examples.png", "verification/pictures/examples.png"),
    ),
    8: ("", "--model expression --target happy", ("randomize.png",)),
    10: ("congress_pd", "--photos 60", ("metrics.png",)),
    11: ("fairface_val980", "--photos 60 --model expression", ("metrics.png",)),
    12: ("congress_pd", "--photos 40", ("models.png",)),
    13: ("fairface_val980", "--photos 24 --model age", ("models.png",)),
    18: ("fairface_val980", "--photos 120", ("patch.png",)),
    20: ("", "--photos 41", ("alignment.png",)),
    21: ("", "--photos 41 --model expression --target happy", ("alignment.png",)),
}
"""Figures of the paper. Only bundled and synthetic photos are shown; figures of other sets have no photos."""
TRIALS = 24
"""Number of networks that learn a mark; a fourth as many learn make-up. Each takes about a minute with its maps."""
WIDEST = 1600
"""Largest width in pixels of a picture in the page."""


@dataclass(frozen=True)
class Subject:
    """One model on one set of photos.

    Attributes:
        task: short name of the task.
        model: name in the zoo.
        photos: name of the set.
        count: number of photos to explain.
        scored: number of photos on which methods are compared; 0: all.
        methods: methods to compare with.
        target: target of the model; empty: its default.
    """

    task: str
    model: str
    photos: str
    count: int
    scored: int = 0
    methods: str = METHODS
    target: str = ""

    @property
    def name(self) -> str:
        """Name of its files."""
        return f"{self.model}-{self.photos}"


SUBJECTS = (
    Subject("gender", "gender", "congress_pd", 100),
    Subject("gender", "gender", "fairface_val980", 100),
    Subject("age", "age", "congress_pd", 60),
    Subject("age", "age", "fairface_val980", 60),
    Subject("expression", "expression", "openpeople_synth", 100),
    Subject("expression", "expression", "fairface_val980", 100),
    Subject("recognition", "facenet", "lfw_eval", 25, 12),
    Subject("recognition", "facenet", "congress_pd", 25, 12),
)
"""ScoreCAM alone takes the recognition network half a minute a photo, so fewer of its photos are scored."""


class Steps:
    """Command lines with their outputs and times.

    Args:
        work: folder of all results.
    """

    def __init__(self, work: Path) -> None:
        self.work = work
        (work / "steps").mkdir(parents=True, exist_ok=True)

    def run(self, name: str, *words: str, fine: tuple[int, ...] = (0,)) -> str:
        """Run a command of canonface unless it has been run before, and return its output.

        Raises:
            SystemExit: the command failed.
        """
        note = self.work / "steps" / f"{name}.json"
        if note.exists() and (known := json.loads(note.read_text()))["words"] == list(words):
            return str(known["said"])
        print(f"{name}: canonface {shlex.join(words)}", file=sys.stderr, flush=True)
        start = time.perf_counter()
        done = subprocess.run(
            (sys.executable, "-m", "canonface", *words), capture_output=True, text=True, check=False,
            env=os.environ | {"COLUMNS": "160"},
        )  # fmt: skip
        if done.returncode not in fine:
            raise SystemExit(
                f"canonface {shlex.join(words)} ended with {done.returncode}:\n{done.stderr[-3000:]}"
            )
        content = {"words": words, "seconds": time.perf_counter() - start, "said": done.stdout}
        note.write_text(json.dumps(content, indent=1))
        return done.stdout

    def seconds(self, *names: str) -> float:
        """Return the total time of commands."""
        return sum(
            json.loads((self.work / "steps" / f"{name}.json").read_text())["seconds"] for name in names
        )


def main() -> None:
    """Make the requested parts of the page."""
    options = _options()
    steps = Steps(options.work)
    for name, part in PARTS.items():
        if options.only is None or name in options.only.split(","):
            text = part(options.data, steps, options.write.parent / "images" / "results")
            insert(options.write, f"benchmarks/results.py --only {name}", text)


# ---------------------------------------------------------------------------- one function a part of the page


def faithfulness(data: Path, steps: Steps, images: Path) -> str:  # noqa: ARG001
    """Return a table of the metrics for each model and set of photos."""
    lines = [machine_words()]
    for subject in SUBJECTS:
        lines += ["", *_scored(subject, data, steps)]
    return "\n".join(lines)


def verification(data: Path, steps: Steps, images: Path) -> str:
    """Return the metrics of maps of pairs, with the accuracy of the decision."""
    work, pairs = steps.work, steps.work / "sets" / "lfw-pairs.csv"
    rows = _rows(data / "lfw_eval" / "pairs.csv")
    for row in rows:
        row |= {key: str((data / "lfw_eval" / row[key]).resolve()) for key in ("path_a", "path_b")}
    kinds = [[row for row in rows if row["same"] == same] for same in ("1", "0")]
    _write([row for kind in kinds for row in kind[:12]], pairs)
    run, table = work / "verification", work / "verification.csv"
    steps.run("verify", "verify", str(pairs), "--model", "facenet", "--threshold", "0.4", "--allow-failures", "-o",
              str(run))  # fmt: skip
    steps.run("verify-scored", "evaluate", str(run), "--against", "gradcam,integrated-gradients,random,centre",
              "--metrics", "average-drop,win,deletion,insertion,deletion-accuracy,insertion-accuracy",
              "--csv", str(table), "--allow-failures")  # fmt: skip
    picture = _picture(run, "pictures/cms-by-target.png", images / "verification.png")
    lines = [*_table(_rows(table)), "", f"{_time(steps, 'verify', 'verify-scored')}.", *picture]
    return "\n".join(lines).strip()


def sanity(data: Path, steps: Steps, images: Path) -> str:  # noqa: ARG001
    """Return the verdicts of the sanity check for each method."""
    from canonface.demo import demo_folder

    _, photos = _sample(steps, demo_folder(), "bundled", 12)
    lines = []
    for model, target in (("expression", "happy"), ("gender", "female")):
        name = f"sanity-{model}"
        out = steps.work / name
        output = steps.run(
            name, "study", "randomize", str(photos), "-m", model, "-t", target, "--methods",
            "canonical,gradient,guided-backprop,gradcam,gradcam++,integrated-gradients", "-o", str(out), fine=(0, 1),
        )  # fmt: skip
        words = [line for line in output.splitlines() if line and not line.startswith("  ")]
        lines += ["", f"### {model}", "", *(f"- {line}" for line in words), "", f"{_time(steps, name)}."]
    return "\n".join(lines).strip()


def figures(data: Path, steps: Steps, images: Path) -> str:
    """Return the paper's figures."""
    lines = []
    for number, (photos, more, pictures) in FIGURES.items():
        name, out = f"figure-{number}", steps.work / f"figure-{number}"
        place = [str(data / photos)] if photos else []
        words = ("reproduce", str(number), *place, *shlex.split(more), "-o", str(out))
        output = steps.run(name, *words, fine=(0, 1))
        shown = output.splitlines()[0].rstrip(".")
        command = shlex.join(
            ("canonface", "reproduce", str(number), *([photos] if photos else []), *shlex.split(more))
        )
        lines += ["", f"### {shown}", "", f"    {command}"]
        letters = "ab" if len(pictures) > 1 else ("",)
        for letter, picture in zip(letters, pictures, strict=True):
            lines += _picture(out, picture, images / f"figure_{number}{letter}.png")
        lines += ["", f"{_time(steps, name)}."]
    return "\n".join(lines).strip()


def planted(data: Path, steps: Steps, images: Path) -> str:
    """Return the results of the planted-cue study."""
    out = steps.work / "planted"
    output = steps.run("planted", "study", "planted", str(data / "fairface_train1600" / "labels.csv"), "--trials",
                     str(TRIALS), "--make-up", str(TRIALS // 4), "-o", str(out))  # fmt: skip
    lines = [line for line in output.splitlines() if not line.startswith("  ")]
    pictures = [line for kind in ("rates", "maps")
                for line in _picture(out, f"planted-{kind}.png", images / f"planted_{kind}.png")]  # fmt: skip
    spent = sum(
        sum(json.loads(trial.read_text())["seconds"].values()) for trial in (out / "trials").glob("*.json")
    )
    return "\n".join([_block("\n".join(lines)), "", f"{_took(spent)}.", *pictures])


PARTS: dict[str, Callable[[Path, Steps, Path], str]] = {
    "faithfulness": faithfulness,
    "verification": verification,
    "planted": planted,
    "sanity": sanity,
    "figures": figures,
}


# ------------------------------------------------------------------------------------------------- their steps


def _scored(subject: Subject, data: Path, steps: Steps) -> Iterator[str]:
    run, table = steps.work / subject.name, steps.work / f"{subject.name}.csv"
    gallery: tuple[str, ...] = ()
    if subject.task == "recognition":
        gallery = ("--gallery", str(_of_people(steps, data / subject.photos, subject, 0)))
        photos = _of_people(steps, data / subject.photos, subject, 1)
    else:
        _, photos = _sample(steps, data / subject.photos, subject.name, subject.count)
    audit, evaluate = f"audit-{subject.name}", f"evaluate-{subject.name}"
    target = ("--target", subject.target) if subject.target else ()
    form = ("--confidence", "recognition-margin") if gallery else ()
    steps.run(audit, "audit", str(photos), "--model", subject.model, *gallery, *form, *target, "--allow-failures",
              "-o", str(run))  # fmt: skip
    most = ("--most", str(subject.scored)) if subject.scored else ()
    steps.run(evaluate, "evaluate", str(run), "--against", subject.methods, "--metrics", METRICS, *gallery, *most,
              "--csv", str(table), "--allow-failures")  # fmt: skip
    rows = _rows(table)
    yield f"### {subject.task}: the `{subject.model}` model on {subject.photos}"
    yield ""
    yield f"{_count(rows)}; {_time(steps, audit, evaluate)}."
    yield ""
    yield from _table(rows)


def _sample(steps: Steps, place: Path, name: str, count: int) -> tuple[int, Path]:
    """Write a CSV file of some photos of a set, one for each person where people are known."""
    from canonface.studies.photo_sets import open_photo_set

    known = open_photo_set(place)
    rows = [dict(row) for row in known.sample(10**9)]
    if known.people():
        import random

        random.Random(SEED).shuffle(rows)
        rows = list({row["identity"]: row for row in rows}.values()) + rows
    else:
        rows = [dict(row) for row in known.sample(count, SEED)]
    chosen = list({row["path"]: row for row in rows}.values())[:count]
    return len(chosen), _write(chosen, steps.work / "sets" / f"{name}.csv")


def _of_people(steps: Steps, place: Path, subject: Subject, which: int) -> Path:
    """Write a CSV file of one photo for each person: the first for the gallery, the second to be recognised."""
    from canonface.studies.photo_sets import open_photo_set

    people = open_photo_set(place).of_people(subject.count, 2, SEED)
    kind = ("gallery", "probes")[which]
    rows = [{"path": row[which]["path"], "identity": name} for name, row in people]
    return _write(rows, steps.work / "sets" / f"{subject.name}-{kind}.csv")


def _table(rows: list[dict[str, str]]) -> Iterator[str]:
    """Return a table with a row for each method and a column for each metric: mean and interval."""
    groups = list(dict.fromkeys(row["group"] for row in rows))
    metrics = list(dict.fromkeys(row["metric"] for row in rows))
    methods = list(dict.fromkeys(row["method"] for row in rows))
    for group in groups:
        known = {(row["metric"], row["method"]): row for row in rows if row["group"] == group}
        if len(groups) > 1:
            yield from ("", f"Pairs of {'one person' if group == 'same' else 'two persons'}:", "")
        yield f"| method | {' | '.join(TITLES.get(metric, metric) for metric in metrics)} |"
        yield "|---" * (len(metrics) + 1) + "|"
        for method in methods:
            cells = (_cell(known[metric, method]) for metric in metrics)
            yield f"| {OURS.get(method, method)} | {' | '.join(cells)} |"


def _cell(row: dict[str, str]) -> str:
    if not row["value"]:
        return "-"
    form = ".1f" if row["unit"] == "percent" else ".3f"
    value, low, high = (
        format(float(row[name]), form) if row[name] else "?" for name in ("value", "low", "high")
    )
    return f"{value} ({low} to {high})"


def _count(rows: list[dict[str, str]]) -> str:
    images, people = max(int(row["images"]) for row in rows), max(int(row["people"]) for row in rows)
    return f"{images} photos" + (f" of {people} people" if people != images else "")


def _time(steps: Steps, *names: str) -> str:
    return _took(steps.seconds(*names))


def _took(seconds: float) -> str:
    return f"took {seconds / 60:.1f} minutes" if seconds >= 90 else f"took {seconds:.0f} seconds"


def _block(text: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in text.rstrip().splitlines())


def _picture(folder: Path, name: str, to: Path) -> list[str]:
    """Copy a picture next to the page, no wider than `WIDEST`, and return its Markdown."""
    from PIL import Image

    to.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(folder / name) as image:
        picture = image.convert("RGB")
        if picture.width > WIDEST:
            picture = picture.resize(
                (WIDEST, round(picture.height * WIDEST / picture.width)), Image.Resampling.LANCZOS
            )
        colours = picture.quantize(256)
        picture.quantize(palette=colours, dither=Image.Dither.FLOYDSTEINBERG).save(to, optimize=True)
    return ["", f"![{to.stem.replace('_', ' ')}](images/results/{to.name})"]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _write(rows: list[dict[str, str]], path: Path) -> Path:
    from canonface.studies.figures import write_list

    return write_list(rows, path)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with the sets of photos")
    parser.add_argument(
        "--work", type=Path, default=Path("results"), help="folder of runs, kept between starts"
    )
    parser.add_argument("--write", type=Path, default=Path("docs/results.md"), help="the page")
    parser.add_argument("--only", help=f"parts between commas, of {', '.join(PARTS)}")
    return parser.parse_args()


if __name__ == "__main__":
    main()
