"""The documents are true: links lead somewhere, commands exist, the README's examples run."""

import csv
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import canonface
from canonface.cli.main import app
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


def commands_of(page):
    """Yield the canonface commands of a page: lines of code that begin with the word, comments left out."""
    for line in page.read_text(encoding="utf-8").splitlines():
        if found := re.match(r"(?: {4}|\$ )(?:\.venv/bin/|\.\./\.venv/bin/)?canonface (.+)", line):
            yield found[1].partition("  #")[0].strip()


COMMANDS = sorted({(page.relative_to(ROOT).as_posix(), line) for page in PAGES for line in commands_of(page)})


@pytest.mark.parametrize(("page", "line"), COMMANDS, ids=lambda text: text[:60])
def test_every_command_of_the_documents_is_one(page, line):
    """The command line is parsed as typer would parse it; nothing runs."""
    words = shlex.split(line.replace(" ...", ""))
    command, name = typer.main.get_command(app), ""
    while words and hasattr(command, "commands"):
        name, *words = words
        assert name in command.commands, f"{page}: there is no command {name!r}"
        command = command.commands[name]
    known = {
        option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
    }
    for word in words:
        option = word.partition("=")[0]
        if re.fullmatch(r"--?[a-z][a-z-]*", option):
            assert option in {*known, "--help", "-h"}, f"{page}: canonface {name} has no option {option}"


@pytest.mark.slow
def test_the_readmes_examples_run_one_after_another(tmp_path, monkeypatch):
    try:
        canonface.load_model("expression")
        canonface.load_model("gender")
    except AssetError as error:
        pytest.skip(f"the zoo's weights cannot be had here: {error}")
    monkeypatch.chdir(tmp_path)
    with (demo_folder() / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    wanted = ["op_P001_emo_happy", "op_P001_studio", "op_P002_studio", "op_P005_studio", "op_P007_studio"]
    chosen = [row for row in rows if Path(row["path"]).stem in wanted]
    Path("photos").mkdir()
    for row in chosen:
        shutil.copy(demo_folder() / row["path"], row["path"])
    with Path("labels.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(chosen[0]))
        writer.writeheader()
        writer.writerows(chosen)
    examples = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Five examples")[2]
    examples = examples.partition("\n## ")[0]
    names = {}
    ran = 0
    for block in re.findall(
        r"```python\n(.*?)```|^ {4}(canonface [^\n]*)$", examples, re.DOTALL | re.MULTILINE
    ):
        code, line = block
        if code:
            exec(code, names)
        else:
            done = subprocess.run(
                [sys.executable, "-m", *shlex.split(line)], capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{line}\n{done.stderr}"
        ran += 1
    assert ran == 7
    assert Path("one.png").stat().st_size > 10_000
    peak = names["cis"].peak()
    assert peak.value > 0
    assert {"upper_lip", "lower_lip", "right_mouth_corner", "left_mouth_corner"} & set(peak.regions)
    assert names["run"].faces.num_rows == 5
    assert set(canonface.Run.open("my-run").cms(by="gender")) == {"female", "male"}
