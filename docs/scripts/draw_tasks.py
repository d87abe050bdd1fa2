"""Maps and tables of docs/tasks.md: six tasks on real weights, one command each.

    python docs/scripts/draw_tasks.py DATA WORK            # all tasks
    python docs/scripts/draw_tasks.py DATA WORK gender     # some of them

DATA holds the data sets (docs/tasks.md names them), WORK the lists of photos and the runs, which are continued after
an interruption. Pictures go to docs/images. The output is Markdown.
"""

from __future__ import annotations

import argparse
import csv
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from canonface import plots
from canonface.maps import CMS
from canonface.run import Run

IMAGES = Path(__file__).parents[1] / "images"
Rows = list[dict[str, str]]


@dataclass(frozen=True)
class Task:
    """A command and its photos.

    Attributes:
        table: CSV file of a data set, below DATA.
        chosen: selects rows of the table.
        command: of canonface, without the list of photos and the folder of the run.
        by: grouping of the second picture.
    """

    table: str
    chosen: Callable[[Rows], Rows]
    command: str
    by: str


def every(step: int, rows: Rows) -> Rows:
    """Return every step-th row."""
    return rows[::step]


def per_person(rows: Rows, count: int) -> Rows:
    """Return the first rows of each person."""
    seen: dict[str, int] = {}
    kept = []
    for row in rows:
        seen[row["identity"]] = seen.get(row["identity"], 0) + 1
        if seen[row["identity"]] <= count:
            kept.append(row)
    return kept


def of_each(column: str, rows: Rows, count: int) -> Rows:
    """Return the first rows of each value of a column."""
    return [
        row
        for value in sorted({r[column] for r in rows})
        for row in [r for r in rows if r[column] == value][:count]
    ]


TASKS = {
    "gender": Task(
        "congress_pd/labels.csv",
        lambda rows: every(2, rows),
        "audit {photos} --model gender --target female --confidence log-odds --by gender -o {out}",
        "gender",
    ),
    "age": Task(
        "fairface_val980/labels.csv",
        lambda rows: every(2, rows),
        "audit {photos} --model age --confidence expected-distance --by age -o {out} --allow-failures",
        "age",
    ),
    "expression": Task(
        "lfw_eval/labels.csv",
        lambda rows: every(2, [row for row in rows if row["expression"] == "happiness"]),
        "audit {photos} --model expression --target happy --by gender -o {out}",
        "gender",
    ),
    "head-pose": Task(
        "lfw_eval/labels.csv",
        lambda rows: every(8, rows),
        "audit {photos} --model head-pose --confidence value-distance --spacing 1.2 --by pose-bin -o {out} "
        "--allow-failures",
        "pose-bin",
    ),
    "recognition": Task(
        "lfw_eval/labels.csv",
        lambda rows: per_person([row for row in rows if row["in_gallery50"] == "1"], 2),
        "audit {photos} --model facenet --gallery {gallery} --confidence recognition-margin --spacing 1.2 "
        "--by gender -o {out}",
        "gender",
    ),
    "verification": Task(
        "lfw_eval/pairs.csv",
        lambda rows: of_each("same", rows, 30),
        "verify {photos} --model facenet --threshold {threshold} --spacing 1.2 -o {out}",
        "target",
    ),
}


def main() -> None:
    """Run the tasks, draw their maps and print their tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("tasks", nargs="*", default=list(TASKS), help=f"some of {', '.join(TASKS)}")
    parser.add_argument(
        "--threshold", type=float, default=0.4, help="threshold of the verification, a cosine"
    )
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    runs = {}
    for name in options.tasks:
        runs[name] = run_task(name, options.data, options.work, options.threshold)
        print(report(name, runs[name]), flush=True)
    if {"recognition", "verification"} <= set(runs):
        genuine = runs["verification"].cms(by="target")["same"]
        r = correlation(runs["recognition"].cms(), genuine)
        print(f"Recognition against verification of genuine pairs, over the canonical face: r = {r:.2f}")


def run_task(name: str, data: Path, work: Path, threshold: float) -> Run:
    """Run one command, as a user would."""
    task = TASKS[name]
    rows = task.chosen(read(data / task.table))
    photos = write(rows, data / task.table, work / f"{name}.csv")
    gallery = work / "gallery.csv"
    if "{gallery}" in task.command:
        known = [row for row in read(data / task.table) if row["in_gallery50"] == "1"]
        write(known, data / task.table, gallery)
    out = work / name
    line = task.command.format(photos=photos, out=out, gallery=gallery, threshold=threshold)
    print(f"\n### {name}\n\n    canonface {line}\n", flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "canonface", *shlex.split(line)], stdout=subprocess.PIPE, check=False
    )
    if done.returncode not in (0, 1):
        raise SystemExit(f"canonface ended with {done.returncode}")
    return Run.open(out)


def report(name: str, run: Run) -> str:
    """Draw a run's maps, and return the table of its most important regions."""
    title = f"What the {run.model_name} model relies on"
    plots.save(run.cms(), IMAGES / f"task_{name.replace('-', '_')}.png", title=title)
    groups = run.cms(by=TASKS[name].by)
    page = plots.groups(groups, title=f"{title}, by {TASKS[name].by}", of="pair" if run.of_pairs else "face")
    plots.save(page, IMAGES / f"task_{name.replace('-', '_')}_by.png")
    calls = np.median(run.faces.column("model_calls").to_pylist())
    of = "pairs" if run.of_pairs else "faces"
    lines = [
        f"{run.faces.num_rows} {of} explained, {run.failures.num_rows} failed; {len(run.probes)} probes, "
        f"{calls:.0f} model calls in the median; drop in {run.unit}.",
        "",
        "| map | relied on most (mean drop over the region) | least or against |",
        "|---|---|---|",
        row("all", run.cms()),
        *(row(value, cms) for value, cms in groups.items()),
    ]
    return "\n".join(lines)


def row(name: str, cms: CMS) -> str:
    """Return a table row with the first five regions and the last two."""
    regions = [f"{region.replace('_', ' ')} {value:+.3f}" for region, value in cms.region_values().items()]
    return f"| {name} ({cms.faces}) | {', '.join(regions[:5])} | {', '.join(regions[-2:])} |"


def correlation(a: CMS, b: CMS) -> float:
    """Return the Pearson correlation of two maps over the vertices that both show."""
    both = np.isfinite(a.vertex_values) & np.isfinite(b.vertex_values)
    return float(np.corrcoef(a.vertex_values[both], b.vertex_values[both])[0, 1])


def read(path: Path) -> Rows:
    """Return the rows of a CSV file."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write(rows: Rows, table: Path, target: Path) -> Path:
    """Write a list of photos with absolute paths and their labels."""
    paths = [column for column in rows[0] if column.startswith("path")]
    with target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(absolute(rows, paths, table.parent))
    return target


def absolute(rows: Rows, columns: list[str], folder: Path) -> Iterable[dict[str, str]]:
    """Yield the rows with absolute paths."""
    for entry in rows:
        yield entry | {column: str((folder / entry[column]).resolve()) for column in columns}


if __name__ == "__main__":
    main()
