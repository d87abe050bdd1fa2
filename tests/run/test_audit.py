"""The loop over photos: rows, reasons, resuming, refusing, groups."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from canonface import functional
from canonface.confidence import pose_bin
from canonface.errors import (
    ConfigurationChangedError,
    LabelsError,
    OptionError,
    PhotoError,
    RunError,
    TargetError,
)
from canonface.mesh import Canvas, load_mesh, make_mesh, save_mesh
from canonface.models import load_model
from canonface.pipeline import audit, loop
from canonface.run import Run
from canonface.types import InputSpec

SPEC = InputSpec(size_hw=(32, 32))
WEIGHTS = np.random.default_rng(1).normal(size=(2, 3, 32, 32))
PHOTOS = ("cc0_lisa2", "op_P001_studio", "op_P005_studio", "op_P007_emo_happy", "op_P009_view_profile_a")


def toy(batch):
    return np.einsum("nchw,kchw->nk", batch, WEIGHTS) / 8


@pytest.fixture
def model():
    return load_model(toy, spec=SPEC, labels=("no", "yes"), name="toy")


@pytest.fixture
def folder(tmp_path):
    from canonface.demo import demo_folder

    target = tmp_path / "my photos"
    target.mkdir()
    for name in PHOTOS:
        shutil.copy(demo_folder() / "photos" / f"{name}.jpg", target)
    lines = ["path,gender", "cc0_lisa2.jpg,female", "op_P001_studio.jpg,female", "op_P005_studio.jpg,male"]
    lines += ["op_P007_emo_happy.jpg,male", "op_P009_view_profile_a.jpg,female"]
    (target / "labels.csv").write_text("\n".join(lines) + "\n")
    return target


def run_of(folder, model, out, **options):
    return audit(folder, model, out, **({"stride": 10, "target": "yes"} | options))


def test_a_run_holds_one_row_a_face_and_its_map_is_eq_6(folder, model, tmp_path):
    run = run_of(folder, model, tmp_path / "run", labels=folder / "labels.csv")
    assert run.faces.num_rows == 5
    assert run.failures.num_rows == 0
    drops = run.drops()
    assert drops.shape == (5, 184)
    assert np.isnan(drops[4]).mean() > 0.3, "the profile hides many probes"
    canonical = Canvas().project(load_mesh(1))[run.probes]
    patches = run.canonical_patches
    assert patches == pytest.approx(functional.canonical_patch(5, 512, 32)), "the margins are the same"
    maps = [functional.cis(row, canonical, (512, 512), p) for row, p in zip(drops, patches, strict=True)]
    expected = functional.cms([m for m, _ in maps], [c for _, c in maps])
    expected[sum(c for _, c in maps) == 0] = np.nan
    np.testing.assert_allclose(run.cms().map, expected, atol=1e-12)
    assert run.cms().faces == 5
    assert run.unit == "probability of yes"
    row = run.faces.slice(1, 1).to_pylist()[0]
    assert row["path"] == "op_P001_studio.jpg"
    assert row["label_gender"] == "female"
    assert len(row["sha256"]) == 64
    assert row["model_calls"] > 100
    assert run.vertices_xy().shape == (5, 1833, 2)


def test_a_run_is_read_back_without_model_and_photos(folder, model, tmp_path):
    run = run_of(folder, model, tmp_path / "run", labels=folder / "labels.csv")
    shutil.rmtree(folder)
    again = Run.open(tmp_path / "run")
    np.testing.assert_array_equal(again.drops(), run.drops())
    np.testing.assert_array_equal(again.cms().map, run.cms().map)
    with pytest.raises(PhotoError):
        again.cis(0)


def test_the_map_of_one_face_comes_back_from_its_row(folder, model, tmp_path, aligner):
    from canonface.explanation import explain

    run = run_of(folder, model, tmp_path / "run")
    direct = explain(aligner(folder / "op_P001_studio.jpg")[0], model, "yes", stride=10)
    stored = run.cis(1)
    np.testing.assert_allclose(stored.map, direct.map, atol=1e-6)
    np.testing.assert_allclose(stored.on_photo()[0], direct.on_photo()[0], atol=1e-4)
    np.testing.assert_array_equal(stored.face.visible, direct.face.visible)


def test_groups_split_the_faces_and_merge_to_the_whole(folder, model, tmp_path):
    run = run_of(folder, model, tmp_path / "run", labels=folder / "labels.csv", by="gender")
    groups = run.cms(by="gender")
    assert {name: cms.faces for name, cms in groups.items()} == {"female": 3, "male": 2}
    merged = groups["female"].merge(groups["male"])
    np.testing.assert_allclose(merged.map, run.cms().map, atol=1e-12)
    assert set(run.cms(by="predicted")) <= {"yes", "no"}


def test_a_killed_run_goes_on_and_ends_with_the_same_map(folder, model, tmp_path, monkeypatch):
    unbroken = run_of(folder, model, tmp_path / "unbroken")
    monkeypatch.setattr(loop._Writer, "max_rows", 1)

    def kill_after_two(state):
        if state.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_of(folder, model, tmp_path / "broken", progress=kill_after_two)
    assert Run.open(tmp_path / "broken").table.num_rows == 2
    states = []
    resumed = run_of(folder, model, tmp_path / "broken", progress=states.append)
    assert [state.done for state in states] == [3, 4, 5]
    assert {state.resumed for state in states} == {2}
    np.testing.assert_array_equal(resumed.drops(), unbroken.drops())
    np.testing.assert_array_equal(resumed.cms().map, unbroken.cms().map)
    assert run_of(folder, model, tmp_path / "broken").manifest.created == resumed.manifest.created


def test_what_was_computed_is_kept_when_the_model_breaks_the_loop(folder, tmp_path):
    def breaks(batch):
        breaks.calls += 1
        if breaks.calls > 40:
            raise KeyboardInterrupt
        return toy(batch)

    breaks.calls = 0
    with pytest.raises(KeyboardInterrupt):
        run_of(folder, load_model(breaks, spec=SPEC, labels=("no", "yes")), tmp_path / "run", batch=16)
    assert Run.open(tmp_path / "run").table.num_rows >= 1


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"patch": 9.0}, r"settings\.occluder\.patch: null then, 9\.0 now"),
        ({"target": "no"}, r'settings\.confidence\.target: "yes" then, "no" now'),
        ({"subdivision": 0}, r"mesh.name: .*468/1.*468/0"),
        ({"preset": "paper"}, r'settings\.occluder\.fill: "mean" then, "black" now'),
        ({"faces": "all"}, "aligner"),
    ],
)
def test_another_configuration_is_refused(folder, model, tmp_path, changed, words):
    run_of(folder, model, tmp_path / "run")
    with pytest.raises(ConfigurationChangedError, match=words):
        run_of(folder, model, tmp_path / "run", **changed)
    assert run_of(folder, model, tmp_path / "run", batch=3).faces.num_rows == 5, "the batch changes no result"


def test_engines_take_turns_in_a_run(folder, model, tmp_path):
    run = run_of(folder, model, tmp_path / "run", engine="dense")
    assert "engine" not in run.manifest.configuration
    for engine in ("auto", "incremental", "native"):
        assert run_of(folder, model, tmp_path / "run", engine=engine).faces.num_rows == 5


def test_a_run_of_an_engine_that_is_gone_opens_and_is_not_continued(folder, model, tmp_path):
    run = run_of(folder, model, tmp_path / "run")
    manifest = json.loads((run.folder / "run.json").read_text())
    manifest["configuration"]["engine"] = "bfloat16"
    (run.folder / "run.json").write_text(json.dumps(manifest))
    assert Run.open(run.folder).faces.num_rows == 5
    with pytest.raises(ConfigurationChangedError, match='engine: "bfloat16" then, null now'):
        run_of(folder, model, tmp_path / "run")


def test_other_photos_another_model_or_changed_labels_are_refused(folder, model, tmp_path):
    run_of(folder, model, tmp_path / "run", labels=folder / "labels.csv")
    other = load_model(lambda b: toy(b) * 2, spec=SPEC, labels=("no", "yes"), name="toy")
    with pytest.raises(ConfigurationChangedError, match=r"model\.fingerprint"):
        run_of(folder, other, tmp_path / "run", labels=folder / "labels.csv")
    with pytest.raises(ConfigurationChangedError, match=r"labels\.columns"):
        run_of(folder, model, tmp_path / "run")
    (folder / "cc0_lisa2.jpg").unlink()
    with pytest.raises(ConfigurationChangedError, match=r"photos\.count: 5 then, 4 now"):
        run_of(folder, model, tmp_path / "run", labels=folder / "labels.csv")


def test_a_photo_that_was_changed_is_refused(folder, model, tmp_path):
    run_of(folder, model, tmp_path / "run")
    shutil.copy(folder / "op_P001_studio.jpg", folder / "cc0_lisa2.jpg")
    with pytest.raises(RunError, match=r"cc0_lisa2\.jpg was changed since"):
        run_of(folder, model, tmp_path / "run")


def test_bad_photos_are_rows_with_reasons_and_the_others_go_on(folder, model, tmp_path):
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.jpg").write_text("hello")
    content = (folder / "op_P001_studio.jpg").read_bytes()
    (folder / "truncated.jpg").write_bytes(content[: len(content) // 2])
    from PIL import Image

    Image.new("RGB", (200, 200), "grey").save(folder / "wall.png")
    paths = [*sorted(folder.glob("*.[jp][pn]g")), folder / "missing.jpg"]
    run = audit(paths, model, tmp_path / "run", stride=40)
    reasons = dict(zip(*(run.failures.column(c).to_pylist() for c in ("path", "reason")), strict=True))
    assert reasons == {
        "empty.jpg": "photo-unreadable",
        "missing.jpg": "photo-unreadable",
        "text.jpg": "photo-unreadable",
        "truncated.jpg": "photo-unreadable",
        "wall.png": "no-face",
    }
    assert all(len(m) > 30 for m in run.failures.column("message").to_pylist())
    assert run.faces.num_rows == 5


def test_failed_photos_are_asked_again_on_request(folder, model, tmp_path):
    content = (folder / "op_P001_studio.jpg").read_bytes()
    (folder / "op_P001_studio.jpg").unlink()
    paths = [folder / f"{name}.jpg" for name in PHOTOS]
    assert audit(paths, model, tmp_path / "run", stride=40).failures.num_rows == 1
    (folder / "op_P001_studio.jpg").write_bytes(content)
    assert audit(paths, model, tmp_path / "run", stride=40).failures.num_rows == 1
    run = audit(paths, model, tmp_path / "run", stride=40, retry_failed=True)
    assert (run.failures.num_rows, run.faces.num_rows) == (0, 5)


@pytest.mark.parametrize(
    ("prediction", "reason"),
    [
        (lambda b: np.full((len(b), 2), np.nan), "model-output"),
        (lambda b: np.zeros((len(b), 2, 2)), "model-output"),
        (lambda b: 1 / 0, "model-failed"),
    ],
)
def test_a_model_that_fails_makes_rows_with_a_reason(folder, tmp_path, prediction, reason):
    run = audit(folder, load_model(prediction, spec=SPEC), tmp_path / "run")
    assert run.failures.column("reason").to_pylist() == [reason] * 5
    with pytest.raises(RunError, match=r"all 5 rows .* failed, e\.g\."):
        run.cms()


def test_a_model_that_fails_on_one_photo_only(folder, tmp_path, aligner):
    from canonface.models import prepare

    hated = prepare(aligner(folder / "op_P005_studio.jpg")[0], SPEC).x

    def picky(batch):
        return np.where(np.allclose(batch[0], hated), np.nan, 1.0) * toy(batch)

    run = audit(folder, load_model(picky, spec=SPEC), tmp_path / "run", stride=40)
    assert run.failures.column("path").to_pylist() == ["op_P005_studio.jpg"]
    assert run.faces.num_rows == 4


def test_arguments_that_do_not_fit_are_refused_before_anything_is_asked(folder, tmp_path):
    def never(batch):
        raise AssertionError("the model was asked")

    model = load_model(never, spec=SPEC, labels=("no", "yes"))
    labels = folder / "labels.csv"
    with pytest.raises(TargetError, match="did you mean 'yes'"):
        audit(folder, model, tmp_path / "run", target="yess")
    with pytest.raises(LabelsError, match="did you mean 'gender'"):
        audit(folder, model, tmp_path / "run", target="label:gendre", labels=labels)
    with pytest.raises(LabelsError, match="did you mean 'gender'"):
        audit(folder, model, tmp_path / "run", labels=labels, by="gendre")
    with pytest.raises(PhotoError, match="at least one photo"):
        audit(folder / "nothing*", model, tmp_path / "run")
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="a folder that can be written to"):
        audit(folder, model, tmp_path / "file" / "run")
    assert not (tmp_path / "run").exists()


def test_an_index_that_an_unnamed_model_lacks_stops_the_run(folder, tmp_path):
    with pytest.raises(OptionError, match="an index from 0 to 1"):
        audit(folder, load_model(toy, spec=SPEC), tmp_path / "run", target=7)


def test_a_function_of_ones_own_is_told_apart_when_a_run_continues(folder, model, tmp_path):
    def output(index):
        return lambda original, occluded: occluded[:, index]

    def run_about(index):
        return audit(folder, model, tmp_path / "run", confidence=output(index), stride=400)

    first = run_about(0)
    np.testing.assert_array_equal(run_about(0).drops(), first.drops())
    with pytest.raises(ConfigurationChangedError, match="fingerprint"):
        run_about(1)


def test_a_function_that_fails_for_one_face_costs_one_row(folder, model, tmp_path):
    faces = []

    def third_is_nan(original, occluded):
        faces.append(original.tobytes())
        return occluded[:, 0] * (np.nan if len(dict.fromkeys(faces)) == 3 else 1)

    run = audit(folder, model, tmp_path / "run", confidence=third_is_nan, stride=400)
    assert run.failures.column("path").to_pylist() == ["op_P005_studio.jpg"]
    assert run.failures.column("reason").to_pylist() == ["model-output"]


def test_a_target_from_the_labels(folder, tmp_path):
    model = load_model(toy, spec=SPEC, labels=("female", "male"))
    lines = (folder / "labels.csv").read_text().replace("cc0_lisa2.jpg,female", "cc0_lisa2.jpg,other")
    (folder / "labels.csv").write_text(lines)
    run = audit(
        folder, model, tmp_path / "run", target="label:gender", labels=folder / "labels.csv", stride=40
    )
    assert run.failures.column("path").to_pylist() == ["cc0_lisa2.jpg"]
    assert run.failures.column("reason").to_pylist() == ["bad-target"]
    assert run.faces.column("target").to_pylist() == ["female", "male", "male", "female"]
    assert run.unit == "probability of the labelled gender"


@pytest.mark.parametrize("options", [{"preset": "paper"}, {"normalise": False}, {"unseen": "zero"}])
def test_every_choice_reaches_the_model_map(folder, model, tmp_path, options):
    run = run_of(folder, model, tmp_path / "run", **options)
    canonical = Canvas().project(load_mesh(1))[run.probes]
    normalise = options.get("normalise", True)
    pairs = zip(run.drops(), run.canonical_patches, strict=True)
    maps = [functional.cis(row, canonical, (512, 512), patch, normalise) for row, patch in pairs]
    unseen = "omit" if options == {"normalise": False} else "zero"
    expected = functional.cms([m for m, _ in maps], [c for _, c in maps], unseen)
    if unseen == "omit":
        expected[sum(c for _, c in maps) == 0] = np.nan
    np.testing.assert_allclose(run.cms().map, expected, atol=1e-12)
    assert run.settings["occluder"]["fill"] == ("black" if options == {"preset": "paper"} else "mean")


def test_the_papers_map_differs_where_faces_turn_away(folder, model, tmp_path):
    omit = run_of(folder, model, tmp_path / "omit").cms()
    zero = run_of(folder, model, tmp_path / "zero", unseen="zero").cms()
    some = (omit.seen > 0) & (omit.seen < 5)
    assert some.sum() > 1000
    np.testing.assert_allclose(zero.map[some] * 5, (omit.map * omit.seen)[some], atol=1e-12)
    assert np.abs(zero.map - omit.map)[some].max() > 1e-6


def test_the_patch_on_the_photo_has_the_size_that_hid_the_face(folder, model, tmp_path, aligner):
    run = run_of(folder, model, tmp_path / "run", patch=5)
    face = aligner(folder / "op_P001_studio.jpg")[0]
    side = np.ptp(face.vertices_xy, axis=0).max() * 1.3
    assert run.cis(1).patch_in_photo == pytest.approx(5 * side / 32, rel=1e-6)


def test_of_two_faces_one_that_failed_is_asked_again(tmp_path, folder):
    from PIL import Image

    pair = Image.new("RGB", (820, 420), "grey")
    for x, name in ((0, "op_P001_studio"), (420, "op_P005_studio")):
        pair.paste(Image.open(folder / f"{name}.jpg").resize((400, 400)), (x, 10))
    pair.save(tmp_path / "pair.png")
    state = {"calls": 0}

    class Flaky:
        name, spec, labels, outputs = "flaky", SPEC, ("no", "yes"), "logits"

        def __call__(self, batch):
            state["calls"] += 1
            return toy(batch) * (np.nan if state["calls"] == 1 else 1)

        def to_device(self, x):
            return np.array(x, np.float32)

        def fingerprint(self):
            return "flaky"

    first = audit(tmp_path / "pair.png", Flaky(), tmp_path / "run", faces="all", stride=40)
    assert first.table.column("status").to_pylist() == ["failed", "ok"]
    again = audit(tmp_path / "pair.png", Flaky(), tmp_path / "run", faces="all", stride=40, retry_failed=True)
    assert again.table.column("status").to_pylist() == ["ok", "ok"]


def test_a_photo_that_was_repaired_waits_for_the_request(folder, model, tmp_path):
    content = (folder / "cc0_lisa2.jpg").read_bytes()
    (folder / "cc0_lisa2.jpg").write_bytes(content[:100])
    assert run_of(folder, model, tmp_path / "run").failures.num_rows == 1
    (folder / "cc0_lisa2.jpg").write_bytes(content)
    assert run_of(folder, model, tmp_path / "run").failures.num_rows == 1
    assert run_of(folder, model, tmp_path / "run", retry_failed=True).failures.num_rows == 0


def test_memory_that_ends_at_the_first_question_is_a_row(folder, tmp_path):
    def hungry(batch):
        raise MemoryError

    run = audit(folder, load_model(hungry, spec=SPEC), tmp_path / "run", stride=1)
    assert run.failures.column("reason").to_pylist() == ["out-of-memory"] * 5
    assert run.drops().shape == (0, 1833)
    assert run.vertices_xy().shape == (0, 1833, 2)
    assert run.examples() == []


def test_options_that_fit_no_photo_stop_the_run(folder, model, tmp_path):
    with pytest.raises(OptionError, match="stride"):
        run_of(folder, model, tmp_path / "run", stride=99999)
    sure = load_model(lambda b: np.tile([0.9, 0.1], (len(b), 1)), spec=SPEC, outputs="probabilities")
    with pytest.raises(OptionError, match="raw outputs"):
        audit(folder, sure, tmp_path / "run", confidence="logit")
    assert not (tmp_path / "run").exists()


def test_the_same_number_of_other_photos_is_another_configuration(folder, model, tmp_path):
    run_of(folder, model, tmp_path / "run")
    (folder / "cc0_lisa2.jpg").rename(folder / "renamed.jpg")
    with pytest.raises(ConfigurationChangedError, match=r"photos\.sha256"):
        run_of(folder, model, tmp_path / "run")


def test_photos_without_a_label_are_in_no_group(folder, model, tmp_path):
    lines = (folder / "labels.csv").read_text().replace("cc0_lisa2.jpg,female", "cc0_lisa2.jpg,")
    (folder / "labels.csv").write_text(lines)
    groups = run_of(folder, model, tmp_path / "run", labels=folder / "labels.csv").cms(by="gender")
    assert {name: cms.faces for name, cms in groups.items()} == {"female": 2, "male": 2}


def test_a_name_that_is_no_utf_8_is_a_row_like_others(folder, model, tmp_path):
    (folder / "cc0_lisa2.jpg").rename(folder / b"l\xefsa.jpg".decode(errors="surrogateescape"))
    run = run_of(folder, model, tmp_path / "run")
    assert run.faces.num_rows == 5
    assert any("xef" in path for path in run.faces.column("path").to_pylist())
    assert run_of(folder, model, tmp_path / "run").faces.num_rows == 5


def test_photos_of_every_kind_end_as_a_face_or_as_a_reason(folder, model, tmp_path):
    from PIL import Image

    photo = Image.open(folder / "op_P001_studio.jpg")
    odd = tmp_path / "odd"
    odd.mkdir()
    photo.convert("L").save(odd / "grey.png")
    photo.convert("RGBA").save(odd / "rgba.png")
    photo.convert("CMYK").save(odd / "cmyk.jpg")
    grey = np.asarray(photo.convert("L"))
    Image.fromarray(grey.astype(np.uint16) * 257).save(odd / "sixteen.png")
    photo.save(odd / "moving.gif", save_all=True, append_images=[photo.rotate(90)])
    Image.new("L", (10_000, 10_000)).save(odd / "huge.png")
    width = photo.width
    photo.crop((round(0.52 * width), 0, width, photo.height)).save(odd / "cut.png")
    run = audit(odd, model, tmp_path / "run", stride=40)
    assert run.faces.column("path").to_pylist() == [
        "cmyk.jpg",
        "grey.png",
        "moving.gif",
        "rgba.png",
        "sixteen.png",
    ]
    reasons = dict(zip(*(run.failures.column(c).to_pylist() for c in ("path", "reason")), strict=True))
    assert reasons["huge.png"] == "photo-unreadable"
    assert reasons["cut.png"] in ("face-cut", "no-face")
    assert "100" in run.failures.column("message")[1].as_py()


def test_a_full_disk_keeps_what_was_written(folder, model, tmp_path, monkeypatch):
    import errno

    monkeypatch.setattr(loop._Writer, "max_rows", 1)
    import pyarrow.parquet as pq

    write, calls = pq.write_table, []

    def full_at_the_third(*args, **kwargs):
        calls.append(1)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(*args, **kwargs)

    monkeypatch.setattr(pq, "write_table", full_at_the_third)
    with pytest.raises(RunError, match="room on the disk"):
        run_of(folder, model, tmp_path / "run")
    kept = Run.open(tmp_path / "run").table.num_rows
    assert kept >= 2
    assert run_of(folder, model, tmp_path / "run").faces.num_rows == 5


def test_two_faces_in_a_photo(model, tmp_path, folder):
    from PIL import Image

    pair = Image.new("RGB", (820, 420), "grey")
    for x, name in ((0, "op_P001_studio"), (420, "op_P005_studio")):
        pair.paste(Image.open(folder / f"{name}.jpg").resize((400, 400)), (x, 10))
    pair.save(tmp_path / "pair.png")
    run = audit(tmp_path / "pair.png", model, tmp_path / "all", faces="all", stride=40)
    assert run.faces.column("face_id").to_pylist() == ["pair.png#0", "pair.png#1"]
    assert audit(tmp_path / "pair.png", model, tmp_path / "one", stride=40).faces.num_rows == 1


class OnAMeshOfItsOwn:
    """The landmarker's faces on a mesh that no name leads to: every fifth vertex of ours."""

    name = "thin"

    def __init__(self, aligner):
        self.aligner = aligner
        kept = np.arange(0, aligner.mesh.face_count, 5)
        self.mesh = make_mesh("thin/1", aligner.mesh.vertices[kept], np.zeros((0, 3), np.int64))
        self.kept = kept

    def describe(self):
        return {"name": self.name}

    def __call__(self, photo, path=""):
        faces = self.aligner(photo, path)
        return [
            replace(
                face,
                vertices_xy=face.vertices_xy[self.kept],
                depth=face.depth[self.kept],
                visible=face.visible[self.kept],
                mesh=self.mesh,
            )
            for face in faces
        ]


def test_a_run_finds_a_mesh_of_ones_own_again(folder, model, tmp_path, aligner):
    run = run_of(folder, model, tmp_path / "run", aligner=OnAMeshOfItsOwn(aligner), stride=1)
    shutil.rmtree(folder)
    again = Run.open(tmp_path / "run")
    assert again.mesh.name == "thin/1"
    np.testing.assert_array_equal(again.mesh.vertices, run.mesh.vertices)
    assert again.drops().shape == (5, 367)
    other = make_mesh("thin/1", run.mesh.vertices * 1.01)
    save_mesh(other, tmp_path / "run" / "mesh.npz")
    with pytest.raises(RunError, match="holds another one"):
        Run.open(tmp_path / "run").mesh  # noqa: B018
    np.testing.assert_array_equal(again.cms().map, run.cms().map)


def test_faces_are_grouped_by_where_they_look(folder, model, tmp_path):
    run = run_of(folder, model, tmp_path / "run", stride=40)
    poses = zip(run.faces.column("yaw").to_pylist(), run.faces.column("pitch").to_pylist(), strict=True)
    assert run.labels("pose-bin") == [pose_bin(yaw, pitch) for yaw, pitch in poses]
    maps = run.cms(by="pose-bin")
    assert len(maps) > 1, "a profile is among them"
    assert sum(cms.faces for cms in maps.values()) == 5
