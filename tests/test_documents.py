"""What the documents say is true: links lead somewhere, the README's Python runs."""

import re
import shutil
from pathlib import Path

import pytest

import canonface
from canonface.demo import demo_folder
from canonface.errors import AssetError

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_within_the_repository_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text) + re.findall(r'src="([^"]+)"', text)
    for target in targets:
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_pages_are_known():
    assert {"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "method.md"} <= {page.name for page in PAGES}


def test_the_readmes_first_python_runs_as_it_stands(tmp_path, monkeypatch):
    try:
        canonface.load_model("expression")
        canonface.load_model("gender")
    except AssetError as error:
        pytest.skip(f"the zoo's weights cannot be had here: {error}")
    monkeypatch.chdir(tmp_path)
    photos = demo_folder() / "photos"
    shutil.copy(photos / "op_P005_emo_happy.jpg", "me.jpg")
    Path("photos").mkdir()
    shutil.copy(photos / "op_P005_studio.jpg", "photos")
    shutil.copy(photos / "op_P001_studio.jpg", "photos")
    Path("labels.csv").write_text("path,gender\nop_P005_studio.jpg,male\nop_P001_studio.jpg,female\n")
    code = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)[0]
    assert "canonface.audit" in code
    names = {}
    exec(code, names)
    assert Path("me.png").stat().st_size > 10_000
    assert names["run"].drops().shape == (2, len(names["run"].probes))
    assert len(names["run"].probes) > 100
    assert set(names["run"].cms(by="gender")) == {"female", "male"}
    peak = names["cis"].peak()
    assert peak.value > 0.05


def test_the_readmes_pairs_run_as_they_stand_with_another_model(tmp_path, monkeypatch):
    """A small model in the place of FaceNet: what is tested are the names and the columns."""
    monkeypatch.chdir(tmp_path)
    for name in ("op_P005_studio.jpg", "op_P005_emo_happy.jpg", "op_P001_studio.jpg"):
        shutil.copy(demo_folder() / "photos" / name, name)
    lines = ["path_a,path_b,same", "op_P005_studio.jpg,op_P005_emo_happy.jpg,1"]
    Path("pairs.csv").write_text("\n".join([*lines, "op_P005_studio.jpg,op_P001_studio.jpg,0"]) + "\n")
    spec = canonface.InputSpec(size_hw=(24, 24))
    model = canonface.load_model(
        lambda batch: batch.mean(axis=2).reshape(len(batch), -1), spec=spec, outputs="embedding"
    )
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    [code] = [block for block in blocks if "canonface.verify" in block]
    assert '"facenet"' in code
    names = {"canonface": canonface, "model": model}
    exec(code.replace('"facenet"', "model"), names)
    assert names["pairs"].labels("target") == ["same", "different"]
