"""What is left out below a folder."""

from __future__ import annotations

import os
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawing import draw
from hashlens import ImageIndex
from hashlens.errors import ParameterError
from hashlens.images.exclude import DEFAULTS, Excludes
from hashlens.images.walk import LeftOut, find_images, walk
from trees import put

TRASH = (
    ".Trash-1000/files",
    ".Trashes/501",
    "$RECYCLE.BIN/S-1-5",
    "#recycle",
    "@Recycle",
    ".dtrash/files",
    "@eaDir/1.jpg",
    ".thumbnails/large",
    ".stversions",
    ".zfs/snapshot/old",
    ".snapshots/1",
    "lost+found",
)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    put(folder / "1.jpg", b"1")
    for name in TRASH:
        put(folder / name / "1.jpg", b"1")
        put(folder / "album" / name / "1.jpg", b"1")
    put(folder / "._1.jpg", b"1")
    put(folder / "album" / "lost" / "2.jpg", b"2")
    return folder


def found(folder, *patterns):
    kept = find_images([folder], excludes=Excludes(patterns))
    return sorted(os.path.relpath(item, folder) for item in kept if isinstance(item, str))


def test_what_was_thrown_away_is_left_out_and_counted(photos):
    assert found(photos) == ["1.jpg", "album/lost/2.jpg"]
    left_out = [item for item in walk([photos]) if isinstance(item, LeftOut)]
    assert len(left_out) == 2 * len(TRASH) + 1
    assert {item.pattern for item in left_out} <= set(DEFAULTS)


@pytest.mark.parametrize("name", TRASH)
def test_what_is_named_is_taken_in(photos, name):
    assert found(photos / name) == ["1.jpg"]
    named = str(photos / "._1.jpg")
    assert list(find_images([named])) == [named]


def test_patterns_are_those_of_gitignore(photos):
    assert found(photos, "/1.jpg") == ["album/lost/2.jpg"]
    assert found(photos, "lost/") == ["1.jpg"]
    assert found(photos, "album/**/2.*") == ["1.jpg"]
    assert found(photos, "*.jpg", "!2.jpg") == ["album/lost/2.jpg"]
    assert "@Recycle/1.jpg" in found(photos, "!@Recycle/")
    for wrong in ("", " ", "a\nb", 3):
        with pytest.raises(ParameterError, match="a pattern of what to leave out is a text"):
            Excludes([wrong])
    with pytest.raises(ParameterError, match=r"no pattern as in \.gitignore"):
        Excludes(["!"])


NAMES = [
    "a",
    " a",
    "b.jpg",
    ".Trash-1",
    ".TRASH",
    "@eaDir",
    "._x",
    "x.jpg",
    "#Recycle",
    "$x",
    "Trash",
]
PATTERNS = ["*.jpg", "a/", "/a", "a/**", "!*.jpg", "x*", "**/a/x.jpg", "[ab]*", r"\#Recycle", "!a",
            "b.jpg ", "?.jpg", r"\$x", "*", "!.Trash*/", "a/*.jpg", ".trash*",
            "[!a]*", "[a-c]*", "[^x]*", " a", r"[\]x]*"]  # fmt: skip


@given(
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=4),
    st.lists(st.sampled_from(PATTERNS), max_size=3),
    st.booleans(),
)
def test_the_quick_look_at_names_finds_what_all_patterns_find(names, patterns, is_folder):
    path = "/".join(names) + "/" * is_folder
    excludes = Excludes(patterns)
    above = ["/".join(names[:n]) + "/" for n in range(1, len(names))]
    if not any(map(excludes._spec.match_file, above)):  # else the walk does not come here
        may_fit = excludes.may_fit(names[-1], is_file=not is_folder)
        found = excludes.pattern_for(path) if may_fit else None
        assert (found is not None) == excludes._spec.match_file(path)


@pytest.mark.parametrize(
    "name",
    [
        *(".local/share/Trash", ".trash", ".TRASHES", "$Recycle.bin", "#RECYCLE", "@recycle"),
        *("LOST+FOUND", ".Thumbnails", ".cache/thumbnails", "System Volume Information"),
        *(".Snapshots", "~snapshot", "Network Trash Folder", ".sync/Archive", ".digikam/trash"),
    ],
)
def test_trash_is_left_out_in_any_case_of_letters(photos, name):
    (photos / name).mkdir(parents=True)
    shutil.copy(photos / "1.jpg", photos / name / "9.jpg")
    assert not [path for path in found(photos) if path.endswith("9.jpg")]


@pytest.mark.parametrize("patterns", [(), ("zzz",), ("*.gif",)])
def test_what_is_named_beside_its_parent_is_taken_in_with_any_patterns(photos, patterns):
    trash = photos / ".Trash-1"
    trash.mkdir(exist_ok=True)
    shutil.copy(photos / "1.jpg", trash / "9.jpg")
    for given_paths in ([photos, trash], [trash, photos]):
        items = find_images(map(str, given_paths), excludes=Excludes(patterns))
        assert str(trash / "9.jpg") in list(items)


def test_an_index_remembers_its_patterns(tmp_path):
    pictures, where = tmp_path / "pictures", tmp_path / "index"
    for number, name in enumerate(("a.png", "b.gif", "thumbs/c.png", "@eaDir/d.png")):
        (pictures / name).parent.mkdir(parents=True, exist_ok=True)
        draw(number).save(pictures / name)

    def names():
        with ImageIndex.open(where) as index:
            return sorted(os.path.relpath(row["path"], pictures) for row in rows(index))

    def rows(index):
        return index.sql("select path from txtai", limit=100)

    with ImageIndex.open(where) as index:
        report = index.index(pictures, exclude=["thumbs/", "*.webp"])
        assert report.left_out == {"thumbs/": 1, "@eaDir/": 1}
    assert names() == ["a.png", "b.gif"]
    with ImageIndex.open(where) as index:
        assert index.index(pictures).left_out == {"thumbs/": 1, "@eaDir/": 1}
        index.save(tmp_path / "copy")
    assert names() == ["a.png", "b.gif"]
    with ImageIndex.open(tmp_path / "copy") as index:
        assert index.index(pictures).left_out == {"thumbs/": 1, "@eaDir/": 1}
    with ImageIndex.open(where) as index:
        assert index.index(pictures, exclude="*.gif").removed == 1
    assert names() == ["a.png", "thumbs/c.png"]
    (where / "exclude").write_text("# by hand\n\n*.png\n")
    with ImageIndex.open(where) as index:
        index.index(pictures)
    assert names() == ["b.gif"]
    with ImageIndex.open(where) as index:
        index.index(pictures, exclude=[])
    assert names() == ["a.png", "b.gif", "thumbs/c.png"]
