"""Quality of a model map from a part of the probes, against the full map of the same photos.

    python benchmarks/sampling_designs.py                                   # the bundled photos
    python benchmarks/sampling_designs.py --photos FOLDER/labels.csv --model gender --target female
    python benchmarks/sampling_designs.py --run RUN                         # a finished full run

One run probes everything; designs are then replayed on its matrix of drops with many seeds. Four tables:

1. Each design and share: mean and smallest Pearson correlation with the full run's map over the probes; coverage and
   width of the 95% bands about these photos and about people.
2. The same budget spent on full maps of fewer photos.
3. Early stopping: photos in random order until the band is narrower than a precision; the number of photos, and the
   coverage of the final band. Before that, the joint coverage of the bands of all looks, and of the looks with enough
   people.
4. Single photos, adaptive against evenly spread probes: root mean square error over all probes as a share of the
   standard deviation of the face's drops, the stated error, and the correlation of the drawn maps.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

import canonface
from canonface.demo import demo_folder
from canonface.run import Run
from canonface.run.estimate import sampled_rows
from canonface.sampling import (
    DESIGNS,
    Design,
    Sampled,
    estimate_map,
    full_map,
    look_confidence_level,
    looks_at,
    positions_of,
    probe_adaptively,
)
from canonface.sampling.adaptive import farthest_first, krige
from canonface.sampling.kernel import distances

SHARES = (0.02, 0.05, 0.1, 0.2, 0.4)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, default=demo_folder() / "labels.csv")
    parser.add_argument("--model", default="gender")
    parser.add_argument("--target")
    parser.add_argument("--confidence")
    parser.add_argument("--run", type=Path, help="a finished full run, instead of photos and a model")
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--faces", type=int, default=20, help="single photos of the fourth table")
    parser.add_argument("--cluster", default="identity")
    parser.add_argument("--tables", type=int, nargs="+", default=[1, 2, 3, 4])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.run:
            run = Run.open(options.run)
        else:
            run = canonface.audit(
                options.photos,
                options.model,
                Path(folder) / "run",
                target=options.target,
                confidence=options.confidence,
            )
        everyone = np.ones(run.faces.num_rows, dtype=bool)
        whole = sampled_rows(run, everyone, options.cluster)
        print(
            f"canonface {canonface.__version__}, {platform.machine()}, numpy {np.__version__}; {run.model_name}, "
            f"{run.unit}; {len(whole.drops)} faces of {whole.clusters.max() + 1} people (or photos), "
            f"{whole.drops.shape[1]} probes, {options.seeds} seeds; band of the full run about people: "
            f"±{run.estimate(cluster=None).map.widest:.4f}"
        )
        tables = {1: designs, 2: fewer_photos, 3: stopping}
        for number in options.tables:
            if number in tables:
                tables[number](whole, options.seeds)
            else:
                single(whole, options.faces)


def with_design(whole: Sampled, design: Design) -> Sampled:
    """Return the part of a full matrix that a design would have probed."""
    probed = design.probed(whole.places, [(i, 0) for i in range(len(whole.drops))])
    share = design.count(whole.drops.shape[1]) / whole.drops.shape[1]
    return replace(whole, drops=np.where(probed, whole.drops, np.nan), probed=probed, share=share)


def first(whole: Sampled, rows: np.ndarray) -> Sampled:
    """Return a part of the faces."""
    _, clusters = np.unique(whole.clusters[rows], return_inverse=True)
    return replace(whole, drops=whole.drops[rows], probed=whole.probed[rows], clusters=clusters)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Return the Pearson correlation over the probes that both know."""
    both = np.isfinite(a) & np.isfinite(b)
    return float(np.corrcoef(a[both], b[both])[0, 1])


def designs(whole: Sampled, seeds: int) -> None:
    """Print the first table: designs and shares."""
    truth = full_map(whole)
    print(f"\n1. Designs; the full map's values span {np.nanmin(truth):+.4f} to {np.nanmax(truth):+.4f}\n")
    print(
        "| design | share | r: mean, least | band of photos held, widest | band of people held, widest | carried by |"
    )
    print("|---|---|---|---|---|---|")
    for name in DESIGNS:
        for share in SHARES:
            found = []
            for seed in range(seeds):
                part = with_design(whole, Design(name, share, seed))
                photos, people = estimate_map(part, of="photos"), estimate_map(part)
                found.append(
                    (
                        correlation(people.map.values, truth),
                        photos.map.holds(truth),
                        photos.map.widest,
                        people.map.holds(truth),
                        people.map.widest,
                        people.map.effective,
                    )
                )
            r, held, wide, held_people, wide_people, effective = np.array(found, dtype=float).T
            print(
                f"| {name} | {share:.0%} | {r.mean():.3f}, {r.min():.3f} | {held.mean():.0%}, ±{wide.mean():.4f} "
                f"| {held_people.mean():.0%}, ±{wide_people.mean():.4f} | {effective.mean():.1f} |",
                flush=True,
            )


def fewer_photos(whole: Sampled, seeds: int) -> None:
    """Print the second table: fewer photos."""
    truth, count = full_map(whole), len(whole.drops)
    print(
        "\n2. The same budget on whole maps of fewer photos\n\n| share | photos | r: mean, least |\n|---|---|---|"
    )
    for share in SHARES:
        taken = max(round(share * count), 1)
        r = [
            correlation(
                full_map(first(whole, np.random.default_rng(seed).choice(count, taken, replace=False))), truth
            )
            for seed in range(seeds)
        ]
        print(f"| {share:.0%} | {taken} | {np.mean(r):.3f}, {np.min(r):.3f} |")


def stopping(whole: Sampled, seeds: int, share: float = 0.1) -> None:
    """Print the third table: early stopping."""
    truth, people = full_map(whole), int(whole.clusters.max()) + 1
    looks = looks_at(people)
    level = look_confidence_level(0.95, len(looks))
    print(
        f"\n3. Stopping, low-discrepancy at {share:.0%}; looks at {', '.join(map(str, looks))}; level {level:.4f}\n"
    )
    histories = []
    for seed in range(seeds):
        order = np.random.default_rng(seed).permutation(people)
        rows = np.concatenate([np.flatnonzero(whole.clusters == person) for person in order])
        part = with_design(whole, Design("low-discrepancy", share, seed))
        at = positions_of([str(c) for c in whole.clusters[rows]], looks)
        histories.append([(n, estimate_map(first(part, rows[:n]), confidence_level=level).map) for n in at])
    every = np.mean([all(band.holds(truth) for _, band in history) for history in histories])
    relied = np.mean([all(band.holds(truth) for _, band in history if band.trusted) for history in histories])
    print(
        f"bands of all looks held together: {every:.1%}; of those that enough people carried: {relied:.1%}\n"
    )
    print(
        "| precision | photos: median of all | stopped early | the band it stopped with held |\n|---|---|---|---|"
    )
    last = np.median([history[-1][1].widest for history in histories])
    for factor in (1.1, 1.5, 2.0, 3.0):
        precision = float(f"{last * factor:.2g}")
        ends = [
            next(((n, b) for n, b in history if b.trusted and b.widest <= precision), history[-1])
            for history in histories
        ]
        photos = np.median([n for n, _ in ends])
        early = np.mean([n < len(whole.drops) for n, _ in ends])
        held = np.mean([band.holds(truth) for _, band in ends])
        print(f"| ±{precision} | {photos:.0f} of {len(whole.drops)} | {early:.0%} | {held:.0%} |")


def single(whole: Sampled, faces: int) -> None:
    """Print the fourth table: single faces whose largest drop is above the median."""
    print("\n4. Single photos\n")
    print("| share | error: even | error: adaptive | of probes left out: true, stated | map r, even: mean, least "
          "| map r, adaptive: mean, least |\n|---|---|---|---|---|---|")  # fmt: skip
    moves = np.nanmax(np.abs(whole.drops), axis=1)
    lively = np.flatnonzero(moves >= np.median(moves))
    chosen = np.random.default_rng(0).permutation(lively)[:faces]
    apart = distances(whole.places)
    for share in (0.15, 0.25, 0.4, 0.6):
        found = []
        for row in chosen:
            drops = whole.drops[row]
            visible = np.isfinite(drops)
            result = probe_adaptively(
                lambda probes, drops=drops: drops[probes], whole.places, visible, whole.patch_cm, share
            )
            known = np.flatnonzero(visible)
            known = known[farthest_first(whole.places[known])][: result.probed.sum()]
            even = np.full(len(drops), np.nan)
            even[known] = drops[known]
            even = np.where(np.isfinite(even), even, krige(even, apart, whole.patch_cm)[0])
            patch = whole.near[np.ix_(visible, visible)]
            patch = patch / patch.sum(axis=1, keepdims=True)
            spread = drops[visible].std()
            left = visible & ~result.probed
            found.append(
                (
                    _rms((even - drops)[visible]) / spread,
                    _rms((result.drops - drops)[visible]) / spread,
                    _rms((result.drops - drops)[left]) / spread,
                    result.error / spread,
                    correlation(patch @ even[visible], patch @ drops[visible]),
                    correlation(patch @ result.drops[visible], patch @ drops[visible]),
                )
            )
        even_e, adaptive_e, true, stated, even_r, adaptive_r = np.array(found).T
        print(
            f"| {share:.0%} | {even_e.mean():.2f} | {adaptive_e.mean():.2f} | {_rms(true):.2f}, {_rms(stated):.2f} "
            f"| {even_r.mean():.3f}, {even_r.min():.3f} | {adaptive_r.mean():.3f}, {adaptive_r.min():.3f} |",
            flush=True,
        )


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.asarray(values) ** 2)))


if __name__ == "__main__":
    main()
