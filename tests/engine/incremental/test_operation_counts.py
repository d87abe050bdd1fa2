"""Counted multiply-adds and bytes of known networks, exactly."""

from typing import NamedTuple

import numpy as np
import pytest
import torch
from named_networks import NAMED, centres, named_network

from canonface.engine.incremental.costs import costs, saturated
from canonface.engine.incremental.deltas import windows_of
from canonface.engine.incremental.lowering import lower
from canonface.engine.incremental.trace import trace_module
from canonface.functional import occlusion_boxes
from canonface.occlusions import Occlusions

PROBES = 64


class Counted(NamedTuple):
    """Multiply-adds of a whole image and of all probes together; bytes as in `costs`; see `costs.saturated`."""

    dense: int
    needed: int
    base_bytes: int
    weight_bytes: int
    native_bytes: int
    cell_bytes: int
    probe_bytes: int
    saturated: str = ""


# Of 64 patches, each an eighth of the input's side wide. Whole images cost what is published: 15.5, 4.1, 6.3, 0.3 and
# 1.4 thousand million.
TABLE = {
    "vgg16": Counted(
        15_470_264_320, 33_890_639_872, 84_797_440, 277_732_096, 418_430_976, 411_041_792, 756_544
    ),
    "resnet50": Counted(4_089_184_256, 80_507_751_424, 42_448_896, 208_229_120, 370_463_488, 0, 2_136_192),
    "iresnet50": Counted(
        6_309_330_944, 79_244_292_096, 14_852_096, 552_147_712, 868_974_592, 51_380_224, 835_064
    ),
    "mobilenetv2": Counted(300_774_272, 9_892_425_104, 24_423_168, 8_759_040, 8_780_160, 0, 851_700, "add_4"),
    "inception_resnet_v1": Counted(
        1_418_174_304, 50_455_737_088, 14_924_032, 108_174_720, 213_757_952, 0, 823_024, "cat_5"
    ),
}


def program_of(name):
    """Return the program of a published network, without weights."""
    module, x = named_network(name, full=True, device="meta")
    with torch.no_grad():
        return lower(trace_module(module, x[None]), x[None]), x.shape


def costs_of(name, boxes):
    program, shape = program_of(name)
    return program, costs(program, windows_of(tuple(shape), [Occlusions(boxes(shape[-1]), np.zeros(()))]))


@pytest.mark.parametrize("name", NAMED)
def test_patches_on_a_face_have_the_costs_of_the_table(name):
    program, found = costs_of(
        name, lambda side: occlusion_boxes(centres(side, PROBES), side // 8, (side, side))
    )
    assert program.dense_because == ()
    needed = found.needed * PROBES
    assert needed == pytest.approx(round(needed), rel=1e-12), "a whole number, but for the mean"
    assert TABLE[name] == Counted(
        int(found.dense),
        round(needed),
        found.base_bytes,
        found.weight_bytes,
        found.native_bytes,
        found.cell_bytes,
        found.probe_bytes,
        saturated(program),
    )


@pytest.mark.parametrize("name", NAMED)
def test_no_layer_costs_more_than_whole_and_a_hidden_image_costs_it_all(name):
    _, few = costs_of(name, lambda side: occlusion_boxes(centres(side, 9), side // 8, (side, side)))
    _, whole = costs_of(name, lambda side: np.array([[0, 0, side, side]]))
    assert [layer.layer for layer in few.layers] == [layer.layer for layer in whole.layers]
    for some, everything in zip(few.layers, whole.layers, strict=True):
        assert some.dense == everything.dense
        assert some.needed <= everything.needed <= everything.dense
        if "3x3" not in everything.operator:
            assert everything.needed == everything.dense


@pytest.mark.parametrize("name", NAMED)
def test_empty_boxes_cost_nothing_on_windows(name):
    _, none = costs_of(name, lambda side: np.array([[5, 5, 5, 9]]))
    assert none.needed == sum(layer.dense for layer in none.layers if layer.operator == "dense linear")
