"""Results in notebooks: a picture, the numbers that matter, escaped text."""

import base64
import io
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image
from test_bars import evaluation
from test_pictures import XY, a_cis, a_cms, a_face, bump

from canonface.demo import demo_folder
from canonface.maps import AttributionMap
from canonface.models import load_model
from canonface.pipeline import audit
from canonface.plots.html import render
from canonface.types import InputSpec

EVIL = "<script>alert('x')</script>"


def a_run(out):
    weights = np.random.default_rng(3).normal(size=(2, 3, 24, 24)) / 40
    model = load_model(
        lambda batch: np.einsum("nchw,kchw->nk", batch, weights),
        spec=InputSpec(size_hw=(24, 24)),
        labels=("no", "yes"),
        name="toy",
    )
    blank = out.parent / "blank.png"
    Image.new("RGB", (50, 50)).save(blank)
    photo = demo_folder() / "photos" / "op_P005_studio.jpg"
    return audit([photo, blank], model, out, target="yes", stride=40, subdivision=0)


class Reader(HTMLParser):
    """Tags, image and cells of the table."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.open, self.picture, self.words = [], [], None, []
        self.feed(html)
        self.close()
        assert not self.open, "every tag is closed"

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag == "img":
            prefix, data = dict(attributes)["src"].split(",")
            assert prefix == "data:image/png;base64"
            self.picture = Image.open(io.BytesIO(base64.b64decode(data)))
        else:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def numbers(self):
        _, *cells = self.words
        return dict(zip(cells[::2], cells[1::2], strict=True))


def test_a_face_has_its_picture_and_its_numbers():
    cis = a_cis(bump("chin") - bump("left_eye", 0.2), face=a_face(path="/photos/ada.jpg"))
    found = Reader(cis._repr_html_())
    assert found.words[0] == "Drop in probability of happy, toy model"
    assert found.picture.size == (319, 374)
    peak = cis.peak()
    assert found.numbers == {
        "photo": "ada.jpg",
        "target": "happy",
        "confidence": "0.9",
        "highest at": f"chin, +{peak.value:.3g}",
        "most negative region": f"left eye, {min(cis.region_values().values()):.3g}".replace("-", "−"),
        "probes measured": "468 of 468",
    }


def test_a_model_map_has_its_picture_and_its_numbers():
    cms = replace(a_cms(bump("chin"), visible=XY[:, 0] < 60), half_width=0.0456, trusted=False, name="women")
    found = Reader(cms._repr_html_())
    assert found.words[0] == "Drop in probability of happy"
    assert found.numbers["mean of"] == "1 face of women"
    assert found.numbers["most negative region"] == "none"
    assert found.numbers["95% band"] == "±0.046 where widest, not reliable: too few faces"


def test_a_map_of_another_method_says_so():
    attribution = AttributionMap.of(a_cis(bump("chin"), unit="GradCAM of happy"), "gradcam")
    found = Reader(attribution._repr_html_())
    assert found.words[0] == "GradCAM of happy, toy model"
    assert found.numbers["values read at"] == "468 of 468"


def test_a_run_counts_its_faces_and_its_failures(tmp_path):
    run = a_run(tmp_path / "run")
    found = Reader(render(run))
    assert found.words[0] == "Run of the toy model"
    assert found.numbers["faces explained"] == "1"
    assert found.numbers["failed"] == "1 (1 no-face)"
    assert found.numbers["unit"] == "probability of yes"
    assert found.numbers["confidence"] == "probability"
    assert found.numbers["folder"] == str(run.folder)
    assert found.picture is not None


def test_an_evaluation_names_the_best_method_of_each_metric():
    found = evaluation()
    numbers = Reader(render(found)).numbers
    assert numbers["photos"] == "12 of 6 people"
    assert numbers["methods"] == "CMS, CIS, GradCAM, random"
    win = max((e for e in found.estimates() if e.metric.name == "win"), key=lambda e: e.interval.value)
    assert (
        f"{win.interval.value:.3g} (95%: {win.interval.low:.3g} to {win.interval.high:.3g})"
        in numbers["Win % ↑"]
    )


@pytest.mark.parametrize("html", [
    lambda: a_cis(bump("chin"), target=EVIL, unit=EVIL, model=EVIL, face=a_face(path=EVIL))._repr_html_(),
    lambda: replace(a_cms(bump("chin")), name=EVIL, unit=EVIL, model=EVIL, note=EVIL)._repr_html_(),
    lambda: render(replace(evaluation(), model=EVIL, methods=(EVIL, "cis", "gradcam", "random"))),
], ids=["cis", "cms", "evaluation"])  # fmt: skip
def test_text_is_escaped_and_the_page_is_small_and_has_no_script(html):
    page = html()
    assert len(page) < 200_000
    assert set(Reader(page).tags) <= {"div", "img", "table", "tr", "th", "td"}
    assert EVIL not in page
    assert "&lt;script&gt;" in page
    assert not re.search(r"(?<![-\w])color:|background:#|background-color", page), (
        "colours are the notebook's"
    )


def test_a_result_is_one_line_of_text():
    cis = a_cis(bump("chin"), face=a_face(path="/photos/ada.jpg"))
    assert repr(cis) == ("CIS(model='toy', target='happy', confidence=0.9, probes=468/468, face='ada.jpg')")
    assert repr(AttributionMap.of(cis, "rise")).startswith("AttributionMap(model='toy', target='happy'")
    assert "method='rise'" in repr(AttributionMap.of(cis, "rise"))
    cms = replace(a_cms(bump("chin")), model="toy")
    assert repr(cms) == "CMS(model='toy', unit='probability of happy', faces=1)"
    assert repr(replace(cms, name="women", unseen="zero")).endswith("faces=1, name='women', unseen='zero')")


def test_maps_do_not_load_matplotlib_before_html_is_wanted():
    import subprocess

    code = (
        "import sys; from canonface.maps import CIS, CMS; assert hasattr(CIS, '_repr_html_'); "
        "print([name for name in ('matplotlib', 'canonface.plots', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
