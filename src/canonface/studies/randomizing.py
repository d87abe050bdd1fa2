"""Does a map depend on what the model has learned? Its weights are drawn anew, layer by layer (figure 8).

Sources: J. Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018, arXiv 1810.03292 (the model parameter
randomisation test, MPRT); A. Hedström et al., "Sanity Checks Revisited: An Exploration to Repair the Model Parameter
Randomisation Test", 2024, arXiv 2401.06465 (smooth and efficient MPRT).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from canonface.alignment import Aligner, LandmarkerAligner
from canonface.errors import OptionError
from canonface.maps import CMS
from canonface.mesh import load_mesh
from canonface.models import load_model
from canonface.run import Run
from canonface.studies.comparison import map_of
from canonface.studies.copies import NoisyCopies
from canonface.studies.fixing import fix_targets, with_confidence_fn
from canonface.studies.layers import Layer, grouped, layers_of, randomised, require_torch
from canonface.studies.similarity import complexity, rank_correlation, structural_similarity
from canonface.studies.tables import Table
from canonface.studies.varying import Remembering, Setting, Told, vary

CANONICAL = "canonical"
"""canonface's own maps, among the names of methods."""
OF_HIDING = frozenset({"occluder", "fill", "engine", "design", "share"})
"""Options of how places are hidden: they are of canonical maps, and mean nothing to a method of others."""
Direction = Literal["output", "input", "all"]
ROUNDING = 1e-6
"""Largest value of a map below which single precision alone may have drawn it."""
DEPENDS = 0.5
"""Rank correlation below which a map is said to depend on the weights: less than a quarter of the variance of its
ranks is common with the trained network's map."""


@dataclass(frozen=True)
class Network:
    """One network of the cascade.

    Attributes:
        name: for a heading and a folder.
        direction: from which end layers were drawn anew; ``all``: every layer.
        layers: those that were, in the order of the network.
        draw: number of the draw.
    """

    name: str
    direction: Direction
    layers: tuple[Layer, ...]
    draw: int = 0


@dataclass(frozen=True)
class Likeness:
    """How a method's map of one network compares with that of the trained one.

    Attributes:
        method: ``canonical`` or the name of a method of others.
        smooth: whether each face's map is the mean over noisy copies of its photo.
        network: name of the network; ``trained`` for the model as it is.
        direction: from which end its layers were drawn anew.
        layers: how many were.
        share: of all parameters that they hold.
        draw: number of the draw.
        spearman: rank correlation over the probes; NaN where one of the maps is flat.
        ssim: structural similarity on the canonical face; likewise.
        largest: largest absolute value of the map, in its own unit.
        entropy: complexity of single faces' maps, the mean over faces, in nats.
    """

    method: str
    smooth: bool
    network: str
    direction: Direction
    layers: int
    share: float
    draw: int
    spearman: float
    ssim: float
    largest: float
    entropy: float


@dataclass(frozen=True)
class Verdict:
    """Whether a method's maps passed.

    Attributes:
        method: its name.
        smooth: whether maps were averaged over noisy copies.
        passed: whether the map depends on the weights by the criterion; None where it cannot be said.
        spearman: mean absolute rank correlation with the trained network's map, over the draws of all layers.
        ssim: mean structural similarity over them.
        rise: relative rise of the complexity from the trained to the random networks (efficient MPRT); above 0 is
            what the test expects.
        flat: draws whose map was the same everywhere.
        draws: all of them.
    """

    method: str
    smooth: bool
    passed: bool | None
    spearman: float
    ssim: float
    rise: float
    flat: int
    draws: int

    @property
    def words(self) -> str:
        """The verdict as a sentence with its reason."""
        name = f"{self.method}, smoothed" if self.smooth else self.method
        if self.passed is None:
            return f"{name}: cannot be judged; the trained network's own map is the same everywhere."
        rise = (
            f"complexity {self.rise:+.0%} (efficient MPRT expects a rise)" if np.isfinite(self.rise) else ""
        )
        if not np.isfinite(self.spearman):
            return f"{name}: passed; without what it learned the network's map is flat, in all {self.draws} draws."
        flat = f", {self.flat} of {self.draws} maps flat" if self.flat else ""
        how = "below" if self.passed else "not below"
        verdict = "passed" if self.passed else "FAILED"
        return (
            f"{name}: {verdict}; with every layer drawn anew |rank correlation| is {self.spearman:.2f}, {how} "
            f"{DEPENDS:g}; SSIM {self.ssim:.2f}; {rise}{flat}."
        )


@dataclass(frozen=True, eq=False)
class Randomization:
    """The cascade's maps and how alike they are to the trained network's.

    Attributes:
        likenesses: one a method, network and smoothing, the trained network's own first.
        verdicts: one a method and smoothing.
        maps: (method, smooth, network) -> map.
        layers: of the model, in order.
        faces: how many faces the maps are means of; of each, where maps are smooth, so many noisy copies.
        notes: what else is to be known.
    """

    likenesses: tuple[Likeness, ...]
    verdicts: tuple[Verdict, ...]
    maps: Mapping[tuple[str, bool, str], CMS] = field(repr=False)
    layers: tuple[Layer, ...] = field(repr=False)
    faces: int
    notes: tuple[str, ...] = ()

    def table(self) -> Table:
        """A row a method, network and smoothing."""
        return [vars(likeness) for likeness in self.likenesses]

    def summary(self) -> dict[str, Any]:
        """The findings for a script; a number that is not known is None."""
        return {
            "faces": self.faces,
            "criterion": f"|rank correlation| below {DEPENDS:g} with every layer drawn anew",
            "verdicts": [{k: _plain(v) for k, v in vars(verdict).items()} for verdict in self.verdicts],
            "notes": list(self.notes),
        }

    def words(self) -> list[str]:
        """The findings in words."""
        drawn = self.verdicts[0].draws
        first = (
            f"{len(self.layers)} layers drawn anew, from the output and from the input; maps of {self.faces} faces. "
            f"A map passes if the mean |rank correlation| with the trained network's map is below {DEPENDS:g} once "
            f"all layers are random ({drawn} draws)."
        )
        return [first, *(verdict.words for verdict in self.verdicts), *self.notes]


def randomize(
    photos: Any,
    model: Any,
    out: str | Path,
    *,
    methods: Sequence[Any] = (CANONICAL,),
    steps: int = 5,
    draws: int = 3,
    smooth: int = 0,
    noise: float = 0.1,
    told: Told | None = None,
    seed: int = 0,
    aligner: Aligner | None = None,
    level: int = 1,
    **options: Any,
) -> Randomization:
    """Draw a model's weights anew, layer by layer, and compare the maps (the paper's figure 8).

    Every layer is drawn by its own initialisation; one that has none has its numbers shuffled. The cascade from the
    output starts with the last layer, the one from the input with the first; both end with all. Each face is asked
    about the class that the trained model chose, or that ``target`` names.

    Args:
        photos: as `canonface.audit` takes them; a few are enough.
        model: a PyTorch module, or what `canonface.load_model` makes one of. It is left as it is.
        out: folder of the study; a run a network and method.
        methods: ``canonical`` and whatever ``canonface.audit(method=...)`` takes.
        steps: into how many groups the layers are put, at most.
        draws: networks that are random throughout.
        smooth: also maps that are means over so many noisy copies of each photo (smooth MPRT); 0: none.
        noise: of the copies, a standard deviation as a share of the photo's range of values.
        told: is told of the progress.
        seed: of the draws and the noise.
        aligner: places faces; by default the landmarker.
        level: of its mesh.
        **options: of `canonface.audit`; those of how places are hidden are of canonical maps alone. An embedding
            model without a gallery is asked how like itself the face stays.

    Raises:
        OptionError: the model's layers cannot be drawn anew, or an option cannot be used.
    """
    loaded = require_torch(load_model(model))
    if draws < 1:
        raise OptionError(f"At least one network is random throughout; got draws={draws}.")
    layers = layers_of(loaded)
    networks = cascade(layers, steps, draws)
    found = Remembering(aligner or LandmarkerAligner(load_mesh(level)))
    place = Path(out)
    given = with_confidence_fn(loaded, options)
    listed, given = fix_targets(photos, loaded, found, place, given)
    changed = {
        network.name: randomised(loaded, network.layers, _seed(seed, network.draw)) for network in networks
    }
    places: dict[bool, Aligner] = {False: found}
    if smooth:
        places[True] = NoisyCopies(found, loaded.spec, smooth, noise, seed)
    likenesses: list[Likeness] = []
    verdicts: list[Verdict] = []
    maps: dict[tuple[str, bool, str], CMS] = {}
    faces = 0
    for smoothed, where in places.items():
        for method in methods:
            name = name_of(method)
            kind = f"{name}, smooth" if smoothed else name
            settings = [
                Setting(f"{kind}, {network}", {"model": changed.get(network, loaded)})
                for network in ("trained", *changed)
            ]
            own = given
            if name != CANONICAL:
                own = {k: v for k, v in given.items() if k not in OF_HIDING} | {"method": method}
            runs = vary(listed, settings, place, told=told, aligner=where, **own)
            named = dict(zip(("trained", *changed), runs, strict=True))
            these = _likenesses(name, smoothed, named, networks, layers)
            likenesses += these
            verdicts.append(verdict_of(these))
            shared = _common(named)
            faces = faces if smoothed else len(shared)
            maps |= {(name, smoothed, network): _map(run, shared) for network, run in named.items()}
    return Randomization(
        tuple(likenesses), tuple(verdicts), maps, layers, faces, _notes(layers, likenesses, seed)
    )


def cascade(layers: Sequence[Layer], steps: int, draws: int) -> list[Network]:
    """The networks: from the output, from the input, and with all layers drawn, so often.

    Names hold the layer at which the random part ends.

    Raises:
        OptionError: ``steps`` is below 1.
    """
    groups = grouped(layers, steps)
    networks = []
    for count in range(1, len(groups)):
        last = tuple(layer for group in groups[-count:] for layer in group)
        networks.append(Network(f"output {count}, from {last[0].name} on", "output", last))
    for count in range(1, len(groups)):
        first = tuple(layer for group in groups[:count] for layer in group)
        networks.append(Network(f"input {count}, up to {first[-1].name}", "input", first))
    everything = tuple(layers)
    return networks + [
        Network("all layers" if draw == 0 else f"all layers, draw {draw + 1}", "all", everything, draw)
        for draw in range(draws)
    ]


def name_of(method: Any) -> str:
    """Name of a method: its own, a function's, or the text that names it."""
    if isinstance(method, str):
        return method
    return str(getattr(method, "name", None) or getattr(method, "__name__", type(method).__name__))


def verdict_of(likenesses: Sequence[Likeness]) -> Verdict:
    """What the likenesses of one method say."""
    trained = next(likeness for likeness in likenesses if likeness.network == "trained")
    ends = [likeness for likeness in likenesses if likeness.direction == "all" and likeness is not trained]
    known = [abs(likeness.spearman) for likeness in ends if np.isfinite(likeness.spearman)]
    spearman = float(np.mean(known)) if known else float("nan")
    similar = [likeness.ssim for likeness in ends if np.isfinite(likeness.ssim)]
    entropies = [likeness.entropy for likeness in ends if np.isfinite(likeness.entropy)]
    rise = (
        float(np.mean(entropies)) / trained.entropy - 1 if entropies and trained.entropy > 0 else float("nan")
    )
    judged = np.isfinite(trained.spearman)
    return Verdict(
        method=trained.method,
        smooth=trained.smooth,
        passed=bool(not known or spearman < DEPENDS) if judged else None,
        spearman=spearman,
        ssim=float(np.mean(similar)) if similar else float("nan"),
        rise=rise,
        flat=len(ends) - len(known),
        draws=len(ends),
    )


def _likenesses(
    method: str,
    smooth: bool,
    runs: Mapping[str, Run],
    networks: Sequence[Network],
    layers: Sequence[Layer],
) -> list[Likeness]:
    shared = _common(runs)
    whole = sum(layer.parameters for layer in layers)
    by_name = {network.name: network for network in networks}
    trained = _map(runs["trained"], shared)
    inside = trained.canvas.probed_mask(trained.mesh) & (trained.seen > 0)
    probes = runs["trained"].probes
    found = []
    for name, run in runs.items():
        network = by_name.get(name)
        drawn = network.layers if network else ()
        cms = _map(run, shared)
        found.append(
            Likeness(
                method=method,
                smooth=smooth,
                network=name,
                direction=network.direction if network else "all",
                layers=len(drawn),
                share=sum(layer.parameters for layer in drawn) / whole if whole else 0.0,
                draw=network.draw if network else 0,
                spearman=rank_correlation(trained.vertex_values[probes], cms.vertex_values[probes]),
                ssim=structural_similarity(np.nan_to_num(trained.map), np.nan_to_num(cms.map), inside),
                largest=float(np.abs(np.nan_to_num(cms.map[inside])).max(initial=0.0)),
                entropy=_entropy(run, shared),
            )
        )
    return found


def _common(runs: Mapping[str, Run]) -> set[str]:
    """Faces that every network's run has explained."""
    found = set.intersection(*(set(run.faces.column("face_id").to_pylist()) for run in runs.values()))
    if not found:
        run = runs["trained"]
        raise OptionError(
            f"A map needs at least one face that every network has explained; {run.folder} and the runs beside it "
            "have none: look at their rows."
        )
    return found


def _rows(run: Run, shared: set[str]) -> Any:
    return np.isin(run.faces.column("face_id").to_pylist(), sorted(shared))


def _map(run: Run, shared: set[str]) -> CMS:
    return map_of(run, _rows(run, shared))


def _entropy(run: Run, shared: set[str]) -> float:
    """Complexity of the single faces' rows, the mean over them."""
    rows = run.drops()[_rows(run, shared)]
    return float(np.mean([complexity(row) for row in rows]))


def _notes(layers: Sequence[Layer], likenesses: Sequence[Likeness], seed: int) -> tuple[str, ...]:
    notes = [f"Seed {seed}."]
    if shuffled := [name for layer in layers for name in layer.shuffled]:
        shown = ", ".join(shuffled[:4]) + (", ..." if len(shuffled) > 4 else "")
        notes.append(f"Without an initialisation of their own, so that their numbers were shuffled: {shown}.")
    largest = {
        like.network: like.largest for like in likenesses if like.method == CANONICAL and not like.smooth
    }
    ends = [value for name, value in largest.items() if name.startswith("all layers")]
    if ends and largest.get("trained"):
        notes.append(
            f"Largest value of the canonical map: {largest['trained']:.2g} trained, {max(ends):.2g} with all layers "
            "random."
        )
    if faint := [name for name, value in largest.items() if 0 < value < ROUNDING]:
        notes.append(f"Hardly more than rounding (below {ROUNDING:g}): {', '.join(faint)}.")
    return tuple(notes)


def _seed(seed: int, draw: int) -> int:
    return seed * 1000 + draw


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not np.isfinite(value) else value
