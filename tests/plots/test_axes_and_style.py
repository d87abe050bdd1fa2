"""Maps in axes of one's own, and the drawing options that all pictures share."""

import re
import zlib
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from test_pictures import XY, a_cis, a_cms, bump, redness, texts

from canonface.errors import OptionError
from canonface.plots import Scale, Style, canonical, figure6, groups, overlay, reprojection, save, scale_of
from canonface.plots.panels import canonical_panel
from canonface.plots.sheet import bar_pixels, number

DRAW = {
    "canonical": lambda **options: canonical(a_cms(bump("chin")), **options),
    "overlay": lambda **options: overlay(a_cis(bump("chin")), **options),
    "reprojection": lambda **options: reprojection(a_cms(bump("chin")), a_cis(bump("chin")).face, **options),
}


@pytest.fixture(params=DRAW)
def draw(request):
    return DRAW[request.param]


def test_axes_hold_the_picture_of_the_whole_figure(draw):
    figure = Figure()
    left, right = figure.subplots(1, 2)
    assert draw(ax=left) is left
    [whole, *_] = [axes.images[0].get_array() for axes in draw().axes]
    np.testing.assert_array_equal(left.images[0].get_array(), whole)
    assert not right.images
    assert not left.axison


def test_a_colour_bar_under_axes_has_the_limits_and_the_unit(draw):
    figure = Figure()
    axes = draw(ax=figure.add_subplot(), limit=0.25)
    [bar] = [other for other in figure.axes if other is not axes]
    assert bar.get_xlabel() == "drop in probability of happy"
    assert [label.get_text() for label in bar.get_xticklabels()] == ["−0.25", "0", "+0.25"]
    assert bar.get_xlim() == (-0.25, 0.25)
    alone = Figure()
    draw(ax=alone.add_subplot(), colorbar=False)
    assert len(alone.axes) == 1


def test_a_one_sided_map_has_a_one_sided_bar():
    figure = Figure()
    attribution = replace(a_cms(bump("chin")), method="gradcam", unit="GradCAM of happy")
    axes = canonical(attribution, ax=figure.add_subplot())
    [bar] = [other for other in figure.axes if other is not axes]
    assert bar.get_xlim() == (0.0, scale_of([attribution]).limit)
    assert bar.get_xlabel() == "GradCAM of happy"


def test_the_title_of_axes(draw):
    axes = draw(ax=Figure().add_subplot())
    assert "one" in axes.get_title() or axes.get_title() == "mean of 1 face"
    assert draw(ax=Figure().add_subplot(), title="Mine").get_title() == "Mine"
    assert draw(ax=Figure().add_subplot(), title="").get_title() == ""


def test_axes_have_the_dpi_of_their_figure(draw):
    with pytest.raises(OptionError, match="dpi of their figure; got dpi=300 and ax=: set it on the figure"):
        draw(ax=Figure().add_subplot(), dpi=300)


@pytest.mark.parametrize("cmap", ["PuOr_r", matplotlib.colormaps["PuOr_r"]])
def test_the_colours_of_a_colour_map_reach_both_ends(cmap):
    scale = Scale(0.5, cmap=cmap)
    expected = matplotlib.colormaps["PuOr_r"]([0.0, 0.5, 1.0])[:, :3]
    np.testing.assert_allclose(scale.colours(np.array([-0.5, 0.0, 0.5])), expected)
    np.testing.assert_allclose(scale.colours(np.array([-9.0, 0.0, 9.0])), expected)
    one_sided = Scale(0.5, one_sided=True, cmap=cmap)
    np.testing.assert_allclose(one_sided.colours(np.array([0.0, 0.25, 0.5])), expected)


def test_a_colour_map_changes_the_picture_and_its_bar_and_not_the_bare_face(draw):
    first, *_, bar = draw(cmap="viridis").axes
    red, *_, red_bar = draw().axes
    changed = (np.asarray(first.images[0].get_array()) != red.images[0].get_array()).any(axis=2)
    assert 0.01 < changed.mean() < 0.5
    assert (np.asarray(bar.images[0].get_array()) != red_bar.images[0].get_array()).any()
    np.testing.assert_array_equal(
        bar.images[0].get_array(), bar_pixels(scale_of([a_cms(bump("chin"))], cmap="viridis"))
    )


def test_pages_take_colour_map_limit_dpi_and_title():
    cis, cms = a_cis(bump("chin")), a_cms(bump("chin"))
    page = groups({"a": cms}, limit=0.7, cmap="viridis", dpi=50, title="Mine")
    assert page.dpi == 50
    assert "Mine" in texts(page)
    assert number(0.7) in texts(page)
    scale = scale_of([cms], 0.7, cmap="viridis")
    np.testing.assert_array_equal(page.axes[0].images[0].get_array(), canonical_panel(cms, scale))
    assert figure6(cis, cms, cmap="viridis", dpi=50).dpi == 50
    assert canonical(cms).dpi == 160


@pytest.mark.parametrize(("options", "words"), [
    ({"cmap": "virdis"}, "one of matplotlib's, .* got 'virdis': did you mean 'viridis'"),
    ({"cmap": "redblue"}, "got 'redblue'"),
    ({"limit": 0}, "above 0 and finite; got 0"),
    ({"limit": -1.0}, "above 0 and finite; got -1.0"),
    ({"limit": float("nan")}, "above 0 and finite; got nan"),
    ({"dpi": 19}, "number of pixels per inch, 20 to 1200; got 19"),
    ({"dpi": 1201}, "20 to 1200; got 1201"),
    ({"dpi": float("nan")}, "20 to 1200; got nan"),
])  # fmt: skip
def test_options_that_cannot_be_used_are_refused_in_words(tmp_path, draw, options, words):
    with pytest.raises(OptionError, match=words):
        draw(**options)
    with pytest.raises(OptionError, match=words):
        Style(**options)
    with pytest.raises(OptionError, match=words):
        save(a_cms(bump("chin")), tmp_path / "map.png", **options)
    assert not list(tmp_path.iterdir())


def test_the_dpi_of_a_file_is_the_number_given(tmp_path):
    cms, figure = a_cms(bump("chin")), canonical(a_cms(bump("chin")))
    sizes = []
    for name, result in (("map", cms), ("figure", figure)):
        with Image.open(save(result, tmp_path / f"{name}.png", dpi=40)) as image:
            sizes.append(image.size)
    assert sizes[0] == sizes[1] == tuple(np.floor(figure.get_size_inches() * 40 + 1e-6).astype(int))
    assert figure.dpi == 160


def test_text_in_svg_and_pdf_stays_text(tmp_path):
    cms = a_cms(bump("chin"))
    svg = save(cms, tmp_path / "map.svg", title="A title & more").read_text()
    assert re.search(r"<text[^>]*>A title &amp; more</text>", svg)
    assert "font-family: 'DejaVu Sans', Verdana, sans-serif" in svg
    pdf = save(cms, tmp_path / "map.pdf", title="A title").read_bytes()
    assert pdf.startswith(b"%PDF")
    assert b"CreationDate" not in pdf
    streams = re.findall(rb"stream\n(.*?)endstream", pdf, re.DOTALL)
    unpacked = b"".join(zlib.decompressobj().decompress(stream) for stream in streams if stream[:1] == b"x")
    assert b"/FontFile2" in pdf + unpacked, "TrueType, which editors can search and change"
    assert b"/Type3" not in pdf


def test_a_process_of_its_own_gives_the_same_svg(tmp_path):
    import subprocess
    import sys

    code = (
        "import sys; sys.path.insert(0, 'tests/plots')\n"
        "from test_pictures import *\n"
        "from canonface.plots import save\n"
        f"save(a_cms(bump('chin')), {str(tmp_path / 'other.svg')!r})\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)
    mine = save(a_cms(bump("chin")), tmp_path / "mine.svg")
    assert mine.read_bytes() == (tmp_path / "other.svg").read_bytes()


def test_saving_leaves_the_settings_of_matplotlib_alone(tmp_path):
    before = matplotlib.rcParams.copy()
    for suffix in ("svg", "pdf", "png"):
        save(a_cms(bump("chin")), tmp_path / f"map.{suffix}")
    assert matplotlib.rcParams.copy() == before


def test_places_that_no_face_showed_stay_bare_in_any_colours():
    hidden = a_cms(np.full(len(XY), 0.3), visible=XY[:, 0] < 48)
    panel = canonical_panel(hidden, Scale(0.3, cmap="viridis"))
    assert np.isnan(hidden.map).any()
    assert (redness(panel[:, 2 * panel.shape[1] // 3 :]) == 0).all()
