"""Sanity check of a map: randomise the model's weights layer by layer and compare the maps (figure 8).

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

from canonface._deprecated import renamed_parameters
from canonface.alignment import Aligner, LandmarkerAligner
from canonface.errors import OptionError
from canonface.maps import CMS
from canonface.mesh import load_mesh
from canonface.models import Model, load_model
from canonface.progress import SettingOption
from canonface.run import Run
from canonface.statistics import json_value, spearman
from canonface.studies.aligners import CachedAligner, NoisyCopies
from canonface.studies.comparison import map_of
from canonface.studies.layers import Layer, grouped, layers_of, randomised, require_torch
from canonface.studies.similarity import complexity, structural_similarity
from canonface.studies.sweep import Setting, vary
from canonface.studies.tables import Table
from canonface.studies.targets import fix_targets, with_confidence

CANONICAL = "canonical"
"""Name of canonface's own maps among the methods."""
OCCLUSION_OPTIONS = frozenset({"occluder", "fill", "engine", "design", "share"})
"""Options of occlusion: other methods do not use them."""
Direction = Literal["output", "input", "all"]
ROUNDING = 1e-6
"""Largest absolute value of a map that rounding in single precision alone may cause."""
DEPENDS = 0.5
"""Rank correlation below which a map depends on the weights: less than a quarter of the variance of its ranks is
common with the trained network's map."""


@dataclass(frozen=True)
class RandomisedNetwork:
    """A network of the cascade.

    Attributes:
        name: name for a heading and a folder.
        direction: end from which layers were randomised; ``all``: every layer.
        layers: the randomised layers, in the order of the network.
        draw: number of the draw.
    """

    name: str
    direction: Direction
    layers: tuple[Layer, ...]
    draw: int = 0


@dataclass(frozen=True)
class Likeness:
    """Similarity of a method's map of one network to its map of the trained network.

    Attributes:
        method: ``canonical`` or the name of another method.
        smooth: True where each face's map is the mean over noisy copies of its photo.
        network: name of the network; ``trained`` for the original model.
        direction: end from which its layers were randomised.
        layers: number of randomised layers.
        share: share of all parameters that these layers hold.
        draw: number of the draw.
        spearman: rank correlation over the probes; NaN where one of the maps is flat.
        ssim: structural similarity on the canonical face; NaN where one of the maps is 0 everywhere.
        largest: largest absolute value of the map, in its own unit.
        entropy: mean complexity of the faces' maps, in nats.
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
    """Verdict on a method's maps.

    Attributes:
        method: name of the method.
        smooth: True where maps were averaged over noisy copies.
        passed: True where the map depends on the weights by the criterion; None where the trained map is flat.
        spearman: mean absolute rank correlation with the trained network's map, over the draws of all layers.
        ssim: mean structural similarity over these draws.
        rise: relative rise of the complexity from the trained to the random networks (efficient MPRT); the test
            expects a value above 0.
        flat: number of draws with a flat map.
        draws: number of draws.
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
        """The verdict and its reason as a sentence."""
        name = f"{self.method}, smoothed" if self.smooth else self.method
        if self.passed is None:
            return f"{name}: cannot be judged; the map of the trained network is flat."
        rise = (
            f"complexity {self.rise:+.0%} (efficient MPRT expects a rise)" if np.isfinite(self.rise) else ""
        )
        if not np.isfinite(self.spearman):
            return f"{name}: passed; with every layer randomised the map is flat, in all {self.draws} draws."
        flat = f", {self.flat} of {self.draws} maps flat" if self.flat else ""
        side = "below" if self.passed else "not below"
        verdict = "passed" if self.passed else "FAILED"
        return (
            f"{name}: {verdict}; with every layer randomised |rank correlation| is {self.spearman:.2f}, {side} "
            f"{DEPENDS:g}; SSIM {self.ssim:.2f}; {rise}{flat}."
        )


@dataclass(frozen=True, eq=False)
class Randomization:
    """Maps of the cascade and their similarity to the trained network's maps.

    Attributes:
        likenesses: one for each method, network and smoothing, the trained network first.
        verdicts: one for each method and smoothing.
        maps: (method, smooth, network) -> map.
        layers: layers of the model, in order.
        faces: number of faces that the maps are means of, without noisy copies.
        notes: further remarks, a sentence each.
    """

    likenesses: tuple[Likeness, ...]
    verdicts: tuple[Verdict, ...]
    maps: Mapping[tuple[str, bool, str], CMS] = field(repr=False)
    layers: tuple[Layer, ...] = field(repr=False)
    faces: int
    notes: tuple[str, ...] = ()

    def table(self) -> Table:
        """Return a row for each method, network and smoothing."""
        return [vars(likeness) for likeness in self.likenesses]

    def summary(self) -> dict[str, Any]:
        """Return the findings for a script; a number that is not known is None."""
        return {
            "faces": self.faces,
            "criterion": f"|rank correlation| below {DEPENDS:g} with every layer randomised",
            "verdicts": [{k: json_value(v) for k, v in vars(verdict).items()} for verdict in self.verdicts],
            "notes": list(self.notes),
        }

    def words(self) -> list[str]:
        """Return the findings, a sentence a line."""
        drawn = self.verdicts[0].draws
        first = (
            f"{len(self.layers)} layers randomised, from the output and from the input; maps of {self.faces} faces. "
            f"A map passes if the mean |rank correlation| with the trained network's map is below {DEPENDS:g} once "
            f"all layers are random ({drawn} draws)."
        )
        return [first, *(verdict.words for verdict in self.verdicts), *self.notes]


@renamed_parameters(told="progress", level="subdivision")
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
    progress: SettingOption = None,
    seed: int = 0,
    **options: Any,
) -> Randomization:
    """Randomise a model's weights layer by layer, and compare the maps (the paper's figure 8).

    Every layer is drawn by its own initialisation; a layer without one has its weights shuffled. The cascade from the
    output starts with the last layer, the cascade from the input with the first; both end with all layers. Each face
    is explained for the class that the trained model predicts, or for ``target``.

    Args:
        photos: as `canonface.audit` takes them; a few are enough.
        model: a PyTorch module, or an argument of `canonface.load_model`. It is not changed.
        out: folder of the study; one run a network and method.
        methods: ``canonical`` and values of ``canonface.audit(method=...)``.
        steps: largest number of groups of layers.
        draws: number of networks with every layer randomised.
        smooth: number of noisy copies of each photo, for additional maps that are means over them (smooth MPRT); 0:
            none.
        noise: standard deviation of the copies' noise, as a share of the photo's range of values.
        progress: True for a bar on stderr, or a function that is called after each photo.
        seed: seed of the draws and of the noise.
        **options: ``aligner`` (default: the landmarker, on a mesh of ``subdivision`` 1) and other options of
            `canonface.audit`. Options of occlusion apply to canonical maps only. An embedding model without a gallery
            is explained by the similarity of the occluded face to the whole face.

    Raises:
        OptionError: the model's layers cannot be randomised, or an option cannot be used.
    """
    original = require_torch(load_model(model))
    if draws < 1:
        raise OptionError(f"At least one network has every layer randomised; got draws={draws}.")
    layers = layers_of(original)
    networks = cascade(layers, steps, draws)
    subdivision = options.pop("subdivision", 1)
    cached = CachedAligner(options.pop("aligner", None) or LandmarkerAligner(load_mesh(subdivision)))
    place = Path(out)
    shared = with_confidence(original, options)
    listed, shared = fix_targets(photos, original, cached, place, shared)
    models = {"trained": original} | {
        network.name: randomised(original, network.layers, _seed(seed, network.draw)) for network in networks
    }
    aligners: dict[bool, Aligner] = {False: cached}
    if smooth:
        aligners[True] = NoisyCopies(cached, original.spec, smooth, noise, seed)
    likenesses: list[Likeness] = []
    verdicts: list[Verdict] = []
    maps: dict[tuple[str, bool, str], CMS] = {}
    faces = 0
    for smoothed, aligner in aligners.items():
        for method in methods:
            name = name_of(method)
            settings, own = _settings(method, smoothed, models, shared)
            runs = vary(listed, settings, place, progress=progress, aligner=aligner, **own)
            named = dict(zip(models, runs, strict=True))
            found = _likenesses(name, smoothed, named, networks, layers)
            likenesses += found
            verdicts.append(verdict_of(found))
            common = _common(named)
            faces = faces if smoothed else len(common)
            maps |= {(name, smoothed, network): _map(run, common) for network, run in named.items()}
    notes = _notes(layers, likenesses, seed)
    return Randomization(tuple(likenesses), tuple(verdicts), maps, layers, faces, notes)


def _settings(
    method: Any, smoothed: bool, models: Mapping[str, Model], shared: Mapping[str, Any]
) -> tuple[list[Setting], dict[str, Any]]:
    """Return a setting for each network, and the options that they share."""
    name = name_of(method)
    kind = f"{name}, smooth" if smoothed else name
    settings = [Setting(f"{kind}, {network}", {"model": model}) for network, model in models.items()]
    if name == CANONICAL:
        return settings, dict(shared)
    own = {key: value for key, value in shared.items() if key not in OCCLUSION_OPTIONS}
    return settings, own | {"method": method}


def cascade(layers: Sequence[Layer], steps: int, draws: int) -> list[RandomisedNetwork]:
    """Return the networks of the cascade: from the output, from the input, and ``draws`` with all layers randomised.

    Each name contains the layer at which the randomised part ends.

    Raises:
        OptionError: ``steps`` is below 1.
    """
    groups = grouped(layers, steps)
    networks = []
    for count in range(1, len(groups)):
        last = tuple(layer for group in groups[-count:] for layer in group)
        networks.append(RandomisedNetwork(f"output {count}, from {last[0].name} on", "output", last))
    for count in range(1, len(groups)):
        first = tuple(layer for group in groups[:count] for layer in group)
        networks.append(RandomisedNetwork(f"input {count}, up to {first[-1].name}", "input", first))
    everything = tuple(layers)
    return networks + [
        RandomisedNetwork(
            "all layers" if draw == 0 else f"all layers, draw {draw + 1}", "all", everything, draw
        )
        for draw in range(draws)
    ]


def name_of(method: Any) -> str:
    """Return the name of a method, of a function, or the text itself."""
    if isinstance(method, str):
        return method
    return str(getattr(method, "name", None) or getattr(method, "__name__", type(method).__name__))


def verdict_of(likenesses: Sequence[Likeness]) -> Verdict:
    """Return the verdict on one method from its likenesses."""
    trained = next(likeness for likeness in likenesses if likeness.network == "trained")
    ends = [likeness for likeness in likenesses if likeness.direction == "all" and likeness is not trained]
    known = [abs(likeness.spearman) for likeness in ends if np.isfinite(likeness.spearman)]
    correlation = float(np.mean(known)) if known else float("nan")
    similar = [likeness.ssim for likeness in ends if np.isfinite(likeness.ssim)]
    entropies = [likeness.entropy for likeness in ends if np.isfinite(likeness.entropy)]
    rise = (
        float(np.mean(entropies)) / trained.entropy - 1 if entropies and trained.entropy > 0 else float("nan")
    )
    judged = np.isfinite(trained.spearman)
    return Verdict(
        method=trained.method,
        smooth=trained.smooth,
        passed=bool(not known or correlation < DEPENDS) if judged else None,
        spearman=correlation,
        ssim=float(np.mean(similar)) if similar else float("nan"),
        rise=rise,
        flat=len(ends) - len(known),
        draws=len(ends),
    )


def _likenesses(
    method: str,
    smooth: bool,
    runs: Mapping[str, Run],
    networks: Sequence[RandomisedNetwork],
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
                spearman=spearman(trained.vertex_values[probes], cms.vertex_values[probes]),
                ssim=structural_similarity(np.nan_to_num(trained.map), np.nan_to_num(cms.map), inside),
                largest=float(np.abs(np.nan_to_num(cms.map[inside])).max(initial=0.0)),
                entropy=_entropy(run, shared),
            )
        )
    return found


def _common(runs: Mapping[str, Run]) -> set[str]:
    """Return the faces that every network's run has explained."""
    found = set.intersection(*(set(run.faces.column("face_id").to_pylist()) for run in runs.values()))
    if not found:
        run = runs["trained"]
        raise OptionError(
            f"A map needs at least one face that every network has explained; {run.folder} and the runs next to it "
            "have none: look at their rows."
        )
    return found


def _rows(run: Run, shared: set[str]) -> Any:
    return np.isin(run.faces.column("face_id").to_pylist(), sorted(shared))


def _map(run: Run, shared: set[str]) -> CMS:
    return map_of(run, _rows(run, shared))


def _entropy(run: Run, shared: set[str]) -> float:
    """Return the mean complexity of the faces' rows."""
    rows = run.drops()[_rows(run, shared)]
    return float(np.mean([complexity(row) for row in rows]))


def _notes(layers: Sequence[Layer], likenesses: Sequence[Likeness], seed: int) -> tuple[str, ...]:
    notes = [f"Seed {seed}."]
    if shuffled := [name for layer in layers for name in layer.shuffled]:
        shown = ", ".join(shuffled[:4]) + (", ..." if len(shuffled) > 4 else "")
        notes.append(f"Shuffled, since they have no initialisation of their own: {shown}.")
    largest = {
        like.network: like.largest for like in likenesses if like.method == CANONICAL and not like.smooth
    }
    ends = [value for name, value in largest.items() if name.startswith("all layers")]
    if ends and largest.get("trained"):
        notes.append(
            f"Largest value of the canonical map: {largest['trained']:.2g} trained, {max(ends):.2g} with all layers "
            "randomised."
        )
    if faint := [name for name, value in largest.items() if 0 < value < ROUNDING]:
        notes.append(f"Not above rounding error (below {ROUNDING:g}): {', '.join(faint)}.")
    return tuple(notes)


def _seed(seed: int, draw: int) -> int:
    return seed * 1000 + draw
