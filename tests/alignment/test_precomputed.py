"""Vertices from files: the authors' layout, use of depth, and every kind of wrong file."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from canonface.alignment import LandmarkerAligner, PrecomputedAligner
from canonface.alignment.vertex_files import read_vertices
from canonface.errors import AlignmentError, FaceCutError, OptionError
from canonface.geometry import rotation_of
from canonface.mesh import fitted_mesh, load_mesh, make_mesh
from canonface.types import Pose

MESH = load_mesh(0)
PHOTO = np.full((300, 320, 3), 90, dtype=np.uint8)
STRAIGHT = Pose(0.0, 0.0, 0.0)


def vertices(pose=STRAIGHT, centre=(160, 150, 40)):
    """Return the canonical face in an image as PRNet writes it: x right, y down, z towards the viewer."""
    return 12 * MESH.vertices @ rotation_of(pose).T * (1, -1, 1) + centre


def aligned(given, mesh=MESH, photo=PHOTO, **options):
    return PrecomputedAligner(mesh, {"me": given}, **options)(photo, "folder/me.jpg")[0]


def write(path, values):
    if path.suffix == ".mat":
        savemat(path, {"vertices": values})
    elif path.suffix == ".npz":
        np.savez(path, vertices_xy=values)
    elif path.suffix == ".npy":
        np.save(path, values)
    else:
        np.savetxt(path, values, delimiter=",", header="x,y,z", comments="", fmt="%.17g")


@pytest.mark.parametrize("name", ["me_mesh.mat", "me.mat", "me.npz", "me_mesh.npz", "me.npy", "me.csv"])
def test_each_kind_of_file_gives_the_same_face(tmp_path, name):
    write(tmp_path / name, vertices())
    [face] = PrecomputedAligner(MESH, tmp_path)(PHOTO, "elsewhere/me.jpg")
    np.testing.assert_array_equal(face.vertices_xy, vertices()[:, :2])
    np.testing.assert_allclose(face.depth, -vertices()[:, 2] + vertices()[:, 2].mean())
    assert face.quality == 1


@pytest.mark.parametrize("key", ["folder/me.jpg", "folder/me", "me.jpg", "me"])
def test_a_mapping_is_looked_up_by_path_name_or_stem(key):
    [face] = PrecomputedAligner(MESH, {key: vertices()})(PHOTO, "folder/me.jpg")
    np.testing.assert_array_equal(face.vertices_xy, vertices()[:, :2])


@pytest.mark.parametrize(("depth", "sign"), [("towards", 1), ("away", -1)])
def test_pose_and_visibility_come_from_depth(depth, sign):
    pose = Pose(60.0, 0.0, 0.0)
    face = aligned(vertices(pose) * (1, 1, sign), depth=depth)
    np.testing.assert_allclose(face.pose_deg, pose, atol=1e-6)
    far, near = MESH.vertices[:, 0] > 4, MESH.vertices[:, 0] < -4  # it looks to the subject's left
    assert face.visible[far].mean() < 0.1
    assert face.visible[near].mean() > 0.9


@pytest.mark.parametrize(
    ("given", "options"),
    [
        (vertices()[:, :2], {}),
        (vertices() * (1, 1, 0), {}),
        (vertices(), {"depth": "none"}),
    ],
)
def test_without_depth_everything_is_visible_and_the_pose_unknown(given, options):
    face = aligned(given, **options)
    assert face.visible.all()
    assert np.isnan(face.depth).all()
    assert np.isnan(face.pose_deg).all()


def test_without_triangles_there_is_no_self_occlusion():
    face = aligned(vertices(Pose(60.0, 0.0, 0.0)), mesh=make_mesh("points", MESH.vertices))
    assert face.visible.all()
    assert face.pose_deg.yaw == pytest.approx(60)


def test_a_stride_selects_vertices_of_the_files():
    thin = make_mesh("thin", MESH.vertices[::3])
    face = aligned(vertices(), mesh=thin, stride=3)
    np.testing.assert_array_equal(face.vertices_xy, vertices()[::3, :2])


def test_faces_below_min_inside_raise():
    half = vertices(centre=(0, 150, 0))
    assert aligned(half, min_inside=0.3).quality == pytest.approx(0.5, abs=0.05)
    with pytest.raises(FaceCutError, match=r"At least 60% .* of the largest face in folder/me\.jpg 5\d%"):
        aligned(half)


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        (
            vertices()[:234],
            {},
            r"'landmarker-468/0' has 468 vertices; vertices\['me'\] has 234, .*every 2th vertex",
        ),
        (np.repeat(vertices(), 20, axis=0), {}, r"has 9360, with stride 1 9360\. stride=20 fits"),
        (vertices()[:400], {}, "Use the mesh that they were made for"),
        (vertices() + 1000, {}, r"span x 1\d{3} to 1\d{3} .* none within folder/me\.jpg of 320 x 300"),
        (np.where(np.arange(468)[:, None] == 7, np.nan, vertices()), {}, "1 are NaN .* the first in row 7"),
        (vertices().T, {}, r"has shape \(3, 468\).*Transpose"),
        (vertices().astype(str), {}, r"Vertices are numbers"),
    ],
)
def test_unusable_vertices_raise(given, options, message):
    with pytest.raises(AlignmentError, match=message):
        aligned(given, **options)


def test_a_photo_without_name_or_without_vertices(tmp_path):
    aligner = PrecomputedAligner(MESH, tmp_path)
    with pytest.raises(AlignmentError, match="this photo has none"):
        aligner(PHOTO)
    with pytest.raises(
        AlignmentError, match=r"for me\.jpg there is none in .*: me_mesh\.mat, or \.mat, \.npz"
    ):
        aligner(PHOTO, "me.jpg")
    write(tmp_path / "me.npz", vertices())
    write(tmp_path / "me.mat", vertices())
    with pytest.raises(AlignmentError, match=r"there are me\.mat, me\.npz in .* Keep one"):
        aligner(PHOTO, "me.jpg")
    with pytest.raises(AlignmentError, match="1 entries and none for you"):
        PrecomputedAligner(MESH, {"me": vertices()})(PHOTO, "you.jpg")


@pytest.fixture(params=["folder", "mapping"])
def source(request, tmp_path):
    """Build a folder of files, or a mapping, from vertices by name."""

    def make(**given):
        named = {name.replace("__", "/"): values for name, values in given.items()}
        if request.param == "mapping":
            return named
        for name, values in named.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            write(tmp_path / f"{name}.npz", values)
        return tmp_path

    return make


def test_photos_of_the_same_name_in_two_folders_have_their_own_vertices(source):
    given = {"u__1": vertices(), "v__1": vertices(centre=(150, 140, 0)), "1": vertices(centre=(140, 130, 0))}
    aligner = PrecomputedAligner(MESH, source(**given))
    for path, name in (("all/u/1.png", "u__1"), ("all/v/1.png", "v__1"), ("all/w/1.png", "1")):
        [face] = aligner(PHOTO, path)
        np.testing.assert_array_equal(face.vertices_xy, given[name][:, :2])


def test_vertices_belong_to_one_photo(source):
    aligner = PrecomputedAligner(MESH, source(**{"1": vertices()}))
    for path in ("u/1.png", "u/../u/1.png"):
        aligner(PHOTO, path)
    with pytest.raises(AlignmentError, match=r"was used for .*u/1\.png, and .*v/1\.png has no other"):
        pickle.loads(pickle.dumps(aligner))(PHOTO, "v/1.png")
    with pytest.raises(AlignmentError, match="Arrange the vertices in folders"):
        aligner(PHOTO, "u/1.jpg")


def test_a_photo_path_cannot_leave_the_folder(tmp_path):
    (tmp_path / "in").mkdir()
    write(tmp_path / "me.npz", vertices())
    with pytest.raises(AlignmentError, match="there is none in"):
        PrecomputedAligner(MESH, tmp_path / "in")(PHOTO, "../me.jpg")
    with pytest.raises(AlignmentError, match="there is none in"):
        PrecomputedAligner(MESH, tmp_path / "in")(PHOTO, "m" * 255)


def test_the_description_covers_all_vertices(source):
    described = [
        PrecomputedAligner(MESH, source(**given)).describe()["vertices"]
        for given in (
            {"u__1": vertices()},
            {"u__1": vertices() + 1},
            {"u__1": vertices() + 1, "v__1": vertices()},
        )
    ]
    assert len(set(described)) == 3


def test_the_description_follows_the_files(tmp_path):
    write(tmp_path / "1.npy", vertices())
    aligner = PrecomputedAligner(MESH, tmp_path)
    first = aligner.describe()
    assert aligner.describe() == first
    (tmp_path / "notes.txt").write_text("no vertices")
    assert aligner.describe() == first
    (tmp_path / "1.npy").rename(tmp_path / "2.npy")
    renamed = aligner.describe()
    write(tmp_path / "2.npy", vertices()[:, :2])
    assert len({one["vertices"] for one in (first, renamed, aligner.describe())}) == 3


def test_an_unusable_mapping_is_described():
    described = [
        PrecomputedAligner(MESH, {"me": np.array(["a", None], dtype=object)}).describe() for _ in range(2)
    ]
    assert described[0] == described[1]


@pytest.mark.parametrize("name", ["me.npz", "me.mat"])
def test_a_file_that_unpacks_to_too_many_vertices_raises(tmp_path, monkeypatch, name):
    monkeypatch.setattr("canonface.alignment.vertex_files.MAX_BYTES", 2**20)
    values = np.zeros((50_000, 3))
    if name == "me.npz":
        np.savez_compressed(tmp_path / name, vertices=values)
    else:
        savemat(tmp_path / name, {"vertices": values}, do_compression=True)
    assert (tmp_path / name).stat().st_size < 2**15
    with pytest.raises(AlignmentError, match="vertices unpack to 1 MiB, more than 1"):
        read_vertices(tmp_path / name)


class Trap:
    def __reduce__(self):
        return (print, ("executed",))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("me.mat", b"MATLAB 7.3 MAT-file, Platform: GLNXA64" + bytes(200), "7.3 file .HDF5., .* '-v7'"),
        ("me.mat", b"\x89HDF\r\n\x1a\n" + bytes(200), "HDF5"),
        ("me.mat", b"no such thing", "not a whole .mat file"),
        ("me.mat", b"", "not a whole .mat file"),
        ("me.npz", b"PK\x03\x04", "not a whole .npz file"),
        ("me.npz", pickle.dumps(Trap()), "not a whole .npz file"),
        ("me.npy", pickle.dumps(Trap()), "not a whole .npy file"),
        ("me.csv", b"x,y\n1,2\n3\n", "differ in length"),
        ("me.csv", b"x,y\n1,two\n", "not a whole .csv file"),
        ("me.csv", b"\xff\xfe\x00", "not a whole .csv file"),
        ("me.csv", b"", r"shape \(0,\)"),
        ("me.txt", b"1 2", "in a file of .mat, .npz, .npy, .csv"),
    ],
)
def test_wrong_files_raise(tmp_path, capsys, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(AlignmentError, match=message):
        read_vertices(tmp_path / name)
    assert capsys.readouterr().out == ""


def test_a_mat_file_of_something_else_and_one_cut_short(tmp_path):
    savemat(tmp_path / "me.mat", {"points": vertices(), "faces": MESH.triangles})
    with pytest.raises(AlignmentError, match="it holds points, faces, and no array 'vertices'"):
        read_vertices(tmp_path / "me.mat")
    savemat(tmp_path / "cut.mat", {"vertices": vertices()})
    (tmp_path / "cut.mat").write_bytes((tmp_path / "cut.mat").read_bytes()[:2000])
    with pytest.raises(AlignmentError, match=r"not a whole \.mat file"):
        read_vertices(tmp_path / "cut.mat")
    savemat(tmp_path / "cell.mat", {"vertices": np.array([[1, "a"]], dtype=object)})
    with pytest.raises(AlignmentError, match="Vertices are numbers"):
        read_vertices(tmp_path / "cell.mat")
    with pytest.raises(AlignmentError, match="there is no"):
        read_vertices(tmp_path / "none.mat")


def test_an_array_of_objects_is_not_unpickled(tmp_path, capsys):
    np.save(tmp_path / "me.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "me.npz", vertices=np.array([Trap()], dtype=object), allow_pickle=True)
    for name in ("me.npy", "me.npz"):
        with pytest.raises(AlignmentError, match="allow_pickle=False"):
            read_vertices(tmp_path / name)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": "near"}, "depth is 'towards', 'away' or 'none'; got 'near'"),
        ({"stride": 0}, "stride is a whole number, at least 1; got 0"),
        ({"min_inside": 0.0}, "min_inside is above 0"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(OptionError, match=message):
        PrecomputedAligner(MESH, {}, **options)


@pytest.mark.data
def test_the_papers_photos_agree_with_the_landmarker(data):
    folder = data / "csm_celeba100"
    landmarker = LandmarkerAligner(load_mesh(1))
    content = loadmat(folder / "frontal_mesh.mat")
    [frontal] = landmarker(folder / "frontal.jpg")
    mesh = fitted_mesh(
        "prnet-43867",
        content["vertices"],
        content["triangles"],
        load_mesh(1),
        frontal.vertices_xy,
        stride=20,
    )
    aligner = PrecomputedAligner(mesh, folder / "meshes")
    photos = sorted((folder / "images").glob("*.jpg"))[::5]
    yaws = []
    for photo in photos:
        [theirs], [ours] = aligner(photo), landmarker(photo)
        yaws.append((theirs.pose_deg.yaw, ours.pose_deg.yaw))
        side = np.ptp(ours.vertices_xy, axis=0).max()
        for region in ("right_eye", "left_eye", "nose_tip", "upper_lip"):
            places = [face.vertices_xy[face.mesh.regions[region]].mean(axis=0) for face in (theirs, ours)]
            assert np.linalg.norm(places[0] - places[1]) < 0.06 * side, (photo.name, region)
    yaws = np.array(yaws)
    assert np.corrcoef(yaws.T)[0, 1] > 0.9
    assert np.abs(yaws[:, 0] - yaws[:, 1]).mean() < 8
