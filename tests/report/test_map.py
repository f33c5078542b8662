from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from drawing import draw
from hashlens import FingerprintError, ParameterError, Progress, hash_files
from hashlens.images.pixels import MAX_PIXELS
from hashlens.report import map as atlas_module
from hashlens.report.layout import layout
from hashlens.report.map import FRAME, PAPER, draw_atlas, save_atlas
from suites import examples


def random_fingerprints(count, digits=16, seed=0):
    random = np.random.default_rng(seed)
    return [bytes(row).hex()[:digits] for row in random.integers(0, 256, (count, digits), np.uint8)]


def planted(families, size, bits=3, seed=0):
    """Families of near-duplicates: each fingerprint differs from the head's in a few bits."""
    random = np.random.default_rng(seed)
    found = []
    for head in random_fingerprints(families, seed=seed):
        for _ in range(size):
            flips = random.choice(64, random.integers(0, bits + 1), replace=False).tolist()
            found.append(f"{int(head, 16) ^ sum(1 << bit for bit in flips):016x}")
    return found


def family_ranks(points, size):
    """Return, for each point, by how many of another family it is parted from its own."""
    apart = np.linalg.norm(points[:, None] - points, axis=2)
    family = np.arange(len(points)) // size
    own = family[:, None] == family
    furthest = np.where(own, apart, 0).max(axis=1)
    return ((apart < furthest[:, None]) & ~own).sum(axis=1)


def places(sheet):
    """Return which pixels of a sheet show a picture."""
    return (np.asarray(sheet) != PAPER).any(axis=2)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Twelve pictures of one colour each, none that of the paper or the frame."""
    folder = tmp_path_factory.mktemp("pictures")
    paths = []
    for number in range(12):
        paths.append(str(folder / f"{number}.png"))
        Image.new("RGB", (90, 60), (20 * number, 255 - 20 * number, 128)).save(paths[-1])
    return paths


def corners(count):
    return np.array([(0, 0), (1, 0), (0, 1), (1, 1)], float)[:count]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 9, 10, 11, 12, 30, 31, 100])
@pytest.mark.parametrize("digits", [1, 11, 16, 64])
def test_any_number_of_fingerprints_of_any_length_is_laid_out(count, digits):
    fingerprints = random_fingerprints(count, digits)
    points = layout(fingerprints)
    assert points.shape == (count, 2)
    assert ((points >= 0) & (points <= 1)).all()
    if len(set(fingerprints)) > 1:
        assert points.min(axis=0)[0] == 0
        assert points.max(axis=0)[0] == 1


def test_a_seed_gives_one_layout_and_others_give_others():
    fingerprints = planted(30, 3)
    first = layout(fingerprints, seed=1)
    assert np.array_equal(layout(fingerprints, seed=1), first)
    assert not np.allclose(layout(fingerprints, seed=2), first, atol=0.01)


def test_another_process_with_another_number_of_threads_makes_the_same_layout():
    fingerprints = planted(30, 3)
    program = (
        "import sys; from hashlens.report.layout import layout; "
        "print(layout(sys.argv[1:]).tobytes().hex())"
    )
    environment = os.environ | {"OMP_NUM_THREADS": "3", "OPENBLAS_NUM_THREADS": "3"}
    command = [sys.executable, "-c", program, *fingerprints]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == layout(fingerprints).tobytes().hex()


@given(st.randoms(use_true_random=False), st.sampled_from([3, 9, 12]))
@settings(max_examples=examples(10))
def test_order_repetition_and_case_make_no_difference(random, count):
    fingerprints = random_fingerprints(count)
    expected = dict(zip(fingerprints, layout(fingerprints).tolist(), strict=True))
    shuffled = fingerprints + random.choices(fingerprints, k=5)
    random.shuffle(shuffled)
    found = layout([random.choice([str.upper, str.lower])(item) for item in shuffled])
    assert found.tolist() == [expected[item] for item in shuffled]


@pytest.mark.parametrize("count", [1, 2, 50])
def test_equal_fingerprints_have_one_point_in_the_middle(count):
    assert layout(["ab" * 8] * count).tolist() == [[0.5, 0.5]] * count


def test_fingerprints_on_a_line_are_no_trouble():
    points = layout([f"{(1 << count) - 1:016x}" for count in range(40)])
    assert np.isfinite(points).all()
    assert layout(["00", "01"])[:, 1].tolist() == [0.5, 0.5]


@pytest.mark.parametrize("families", [3, 6, 10, 20, 100, pytest.param(300, marks=pytest.mark.slow)])
@pytest.mark.parametrize("seed", [0, 1])
def test_near_duplicates_lie_together(families, seed):
    points = layout(planted(families, 4, seed=seed), seed=seed)
    assert (family_ranks(points, 4) == 0).mean() > 0.95
    shuffled = np.random.default_rng(0).permutation(points)
    assert (family_ranks(shuffled, 4) == 0).mean() < 0.2


def test_families_stay_together_where_only_some_fingerprints_are_laid_out(monkeypatch):
    fingerprints = planted(100, 4, bits=2)
    monkeypatch.setattr("hashlens.report.layout.MOST", 40)
    points = layout(fingerprints)
    assert 20 < len(np.unique(points, axis=0)) <= 40
    assert (family_ranks(points, 4) == 0).mean() > 0.9
    assert np.array_equal(layout(fingerprints[::-1])[::-1], points)
    assert not np.array_equal(layout(fingerprints, seed=1), points)


def test_all_families_are_on_the_map_if_there_is_room(monkeypatch):
    fingerprints = planted(50, 4, bits=2)
    monkeypatch.setattr("hashlens.report.layout.MOST", 60)
    points = layout(fingerprints)
    assert len(np.unique(points, axis=0)) == 60
    heads = np.unique(points.reshape(50, 4, 2)[:, 0].round(9), axis=0)
    assert len(heads) == 50


@pytest.mark.parametrize("bad", [["00", "000"], ["0g"], ["", ""], ["12", " 1"]])
def test_what_is_no_fingerprint_is_an_error(bad):
    with pytest.raises(FingerprintError, match="cannot pack"):
        layout(bad)


@pytest.mark.parametrize("seed", [-1, 0.5, None, True])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(ParameterError, match="seed must be a whole number"):
        layout(["00"], seed=seed)


def test_pictures_lie_at_their_positions(pictures):
    sheet, skipped = draw_atlas(pictures[:4], corners(4), width=400, height=300)
    assert (sheet.size, sheet.mode, skipped) == ((400, 300), "RGB", [])
    for number, (x, y) in enumerate(corners(4).tolist()):
        left, top = int(200 * x), int(150 * y)
        quarter = sheet.crop((left, top, left + 200, top + 150))
        colours = {colour for _, colour in quarter.getcolors()}
        assert colours == {(20 * number, 255 - 20 * number, 128), PAPER, FRAME}


def test_each_picture_is_seen_whole_even_where_all_have_one_position(pictures):
    for positions in ([(0.5, 0.5)] * 12, [(0, 0)] * 12, [(1, 1)] * 12):
        sheet, _ = draw_atlas(pictures, positions, width=600, height=200)
        counts = {colour: count for count, colour in sheet.getcolors()}
        assert len(counts) == 14
        assert len({counts[20 * n, 255 - 20 * n, 128] for n in range(12)}) == 1


@given(
    st.integers(1, 300),
    st.integers(100, 400),
    st.integers(100, 400),
    st.sampled_from([0, 0.01, 1]),
    st.integers(0, 99),
)
def test_each_point_has_a_cell_of_its_own_on_the_sheet(count, width, height, spread, seed):
    random = np.random.default_rng(seed)
    points = (random.uniform(0, 1, 2) + spread * random.uniform(0, 1, (count, 2))).clip(0, 1)
    grid = atlas_module._grid(count, width, height)
    cells = atlas_module._cells(points, grid.columns, grid.rows)
    assert len(np.unique(cells, axis=0)) == count
    assert (cells >= 0).all()
    assert (cells < (grid.columns, grid.rows)).all()
    middles = grid.middles(cells)
    assert (middles >= grid.tile / 2).all()
    assert (middles <= np.subtract((width, height), grid.tile / 2)).all()


def test_points_with_room_around_them_are_in_the_cells_they_lie_in():
    points = (np.array([(3, 4), (0, 0), (9, 5), (7, 1)]) + 0.3) / (10, 6)
    assert atlas_module._cells(points, 10, 6).tolist() == [[3, 4], [0, 0], [9, 5], [7, 1]]


def test_a_sheet_is_the_same_whoever_reads_the_files(pictures):
    positions = np.random.default_rng(0).uniform(0, 1, (12, 2))
    sheets = [
        draw_atlas(pictures, positions, width=300, height=300, workers=workers, tile=tile)[0]
        for workers in (1, 4, None)
        for tile in (None, 150)
    ]
    assert len({sheet.tobytes() for sheet in sheets[::2]}) == 1
    assert len({sheet.tobytes() for sheet in sheets[1::2]}) == 1
    assert places(sheets[1]).sum() > places(sheets[0]).sum()


@pytest.mark.parametrize("tile", [1, 3, 30, 60])
def test_a_tile_is_the_longer_side_of_a_picture(pictures, tile):
    sheet, _ = draw_atlas(pictures[:1], [(0.5, 0.5)], width=200, height=200, tile=tile)
    left, top, right, bottom = Image.fromarray(places(sheet)).getbbox()
    assert right - left == tile
    assert abs(bottom - top - tile * 2 / 3) <= 1


def test_pictures_of_any_mode_shape_and_format_are_drawn(tmp_path):
    draw(1, (300, 2)).save(tmp_path / "wide.png")
    draw(2, (1, 1)).save(tmp_path / "dot.png")
    draw(3, (800, 600)).convert("CMYK").save(tmp_path / "inks.jpg")
    draw(4).convert("P").save(tmp_path / "palette.gif")
    draw(5).convert("L").convert("I;16").save(tmp_path / "deep.png")
    draw(6, mode="RGBA").save(tmp_path / "clear.webp")
    turned = Image.Exif()
    turned[0x0112] = 6
    draw(7, (90, 30)).save(tmp_path / "turned.jpg", exif=turned)
    paths = sorted(map(str, tmp_path.iterdir()))
    sheet, skipped = draw_atlas(paths, [(0.5, 0.5)] * len(paths), width=500, height=500)
    assert not skipped
    assert places(sheet).any()
    upright, _ = draw_atlas([str(tmp_path / "turned.jpg")], [(0, 0)], width=90, height=90)
    left, top, right, bottom = Image.fromarray(places(upright)).getbbox()
    assert bottom - top > 2 * (right - left)


def test_files_that_cannot_be_read_are_told_of_in_their_order(pictures, tmp_path):
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    os.mkfifo(tmp_path / "fifo.png")
    bad = [*map(str, sorted(tmp_path.iterdir())), str(tmp_path / "gone.png"), "nul\0.png"]
    paths = [bad[0], pictures[0], *bad[1:], pictures[1]]
    sheet, skipped = draw_atlas(paths, [(0.5, 0.5)] * len(paths), width=200, height=200)
    assert [item.path for item in skipped] == bad
    assert all(item.reason for item in skipped)
    assert {item.path: item.reason for item in skipped}[str(tmp_path / "fifo.png")] == (
        "not a regular file"
    )
    assert places(sheet).any()


def test_progress_is_told_of_each_file(pictures):
    told: list[Progress] = []
    draw_atlas(pictures, [(0.5, 0.5)] * 12, width=200, height=200, progress=told.append)
    assert [item.done for item in told] == list(range(1, 13))
    assert {item.total for item in told} == {12}
    assert {item.path for item in told} == set(pictures)


def test_nothing_is_a_blank_sheet(tmp_path):
    sheet, skipped = draw_atlas([], [], width=40, height=30)
    assert sheet.getcolors() == [(1200, PAPER)]
    assert not skipped
    assert save_atlas(tmp_path / "a.png", tmp_path / "a.csv", [], layout([])) == []
    assert (tmp_path / "a.csv").read_text() == "path,x,y\n"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"positions": [(0, 0)]}, r"2 paths have positions of shape \(2, 2\), not \(1, 2\)"),
        ({"positions": [(0, 0), (0, 1.1)]}, r"in \[0, 1\], not \(0, 1.1\), the one of row 1"),
        ({"positions": [(0, float("nan")), (0, 1)]}, r"not \(0, nan\), the one of row 0"),
        ({"positions": [(0,), (0, 1)]}, "positions are points"),
        ({"width": 3}, "width must be a whole number, 4 or more, not 3"),
        ({"height": 2.5}, "height must be a whole number"),
        ({"width": MAX_PIXELS}, "a sheet has at most"),
        ({"width": 5, "height": 4}, "5 x 4 pixels are too few for 2 images: 8 x 8 would do"),
        ({"tile": 0}, "tile must be a whole number, 1 or more"),
        ({"tile": 101}, "tile must be at most 100, to lie on a sheet of 200 x 100"),
        ({"workers": 0}, "workers must be a whole number"),
    ],
)
def test_arguments_are_checked(pictures, change, message):
    given = {"positions": corners(2), "width": 200, "height": 100} | change
    with pytest.raises(ParameterError, match=message):
        draw_atlas(pictures[:2], **given)


@given(st.integers(1, 5000))
@settings(max_examples=examples(50))
def test_the_size_that_is_said_to_do_does(count):
    with pytest.raises(ParameterError, match="would do") as caught:
        atlas_module._grid(count, 4, 1 + count // 2)
    side = int(str(caught.value).split()[-3])
    assert atlas_module._grid(count, side, side).cell >= 4


@pytest.mark.parametrize("name", ["map.png", "map.JPG", "map.webp", "map.tiff"])
def test_a_map_is_saved_with_its_positions(pictures, tmp_path, name):
    positions = np.random.default_rng(0).uniform(0, 1, (12, 2))
    size = {"width": 120, "height": 90}
    paths = [*pictures[:11], 'a "quoted", path\n.png']
    skipped = save_atlas(tmp_path / name, tmp_path / "map.csv", paths, positions, **size)
    assert [item.path for item in skipped] == paths[11:]
    with Image.open(tmp_path / name) as sheet:
        assert sheet.size == (120, 90)
    with open(tmp_path / "map.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == paths
    found = [(float(row["x"]), float(row["y"])) for row in rows]
    assert np.allclose(found, positions, atol=1e-6)
    assert set(os.listdir(tmp_path)) == {"map.csv", name}


def test_a_map_is_saved_without_csv_and_names_need_not_be_text(pictures, tmp_path):
    odd = os.fsdecode(os.fsencode(str(tmp_path)) + b"/\xff.png")
    os.symlink(pictures[0], odd)
    size = {"width": 60, "height": 60}
    assert save_atlas(tmp_path / "a.png", None, [odd], [(0, 0)], **size) == []
    assert sorted(os.listdir(tmp_path)) == ["a.png", os.path.basename(odd)]
    save_atlas(tmp_path / "a.png", tmp_path / "a.csv", [odd], [(0, 0)], **size)
    assert f"{tmp_path}/\\udcff.png," in (tmp_path / "a.csv").read_text("utf-8")


@pytest.mark.parametrize(
    ("image", "table", "change", "message"),
    [
        ("a.txt", "a.csv", {}, r"a.txt: no image is written to '.txt'"),
        ("a", "a.csv", {}, "no image is written to ''"),
        ("none/a.png", "a.csv", {}, "cannot be written: No such file"),
        ("a.png", "none/a.csv", {}, "cannot be written: No such file"),
        ("a.png", "folder", {}, "folder cannot be written: it is a folder"),
        ("folder.png", "a.csv", {}, "folder.png cannot be written: it is a folder"),
        ("a.webp", "a.csv", {"width": 20_000}, "a.webp cannot be written as WEBP"),
        ("a.png", "a.csv", {"tile": 0}, "tile must be"),
    ],
)
def test_a_map_is_written_whole_or_not_at_all(pictures, tmp_path, image, table, change, message):
    for name in ("folder", "folder.png"):
        (tmp_path / name).mkdir()
    for name in ("a.png", "a.webp", "a.csv"):
        (tmp_path / name).write_text("old")
    options = {"width": 60, "height": 60} | change
    with pytest.raises(ParameterError, match=message):
        save_atlas(tmp_path / image, tmp_path / table, pictures[:1], [(0, 0)], **options)
    assert sorted(os.listdir(tmp_path)) == ["a.csv", "a.png", "a.webp", "folder", "folder.png"]
    assert {path.read_text() for path in tmp_path.glob("a.*")} == {"old"}


def test_near_duplicates_of_a_folder_lie_together_on_the_map(folder):
    for seed in range(8, 20):
        draw(seed).save(folder / f"{seed}.png")
    rows = {Path(row["path"]).name: row["perceptual"] for row in hash_files(folder)}
    points = dict(zip(rows, layout(list(rows.values())), strict=True))
    nearest = sorted(points, key=lambda name: np.linalg.norm(points[name] - points["0.png"]))
    assert set(nearest[:4]) == {"0.png", "small.png", "bright.png", "recoded.jpg"}


def test_the_module_loads_no_scikit_learn_before_it_is_needed():
    program = (
        "import sys, hashlens.report.map; "
        "print([m for m in ('sklearn', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
