"""Groups between two folders: pictures outside of both change nothing, whatever was decided."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from drawing import draw
from hashlens import Groups, ImageIndex
from hashlens.grouping.collection import read_collection
from hashlens.grouping.scope import Terms
from hashlens.schema import GROUPED

FOLDERS = ("/a", "/a/b", "/a/bc", "/c")


def row(path, code):
    facts = {"path": path, "information": 5.0}
    return (path, f"{code:016x}", *(facts.get(name) for name in GROUPED))


def grouped(rows, decided, terms):
    """Return the paths of each group; `decided` are pairs of paths, as an index finds them."""

    def apart(collection, asked):
        place = {collection.paths[number]: number for number in asked.tolist()}
        found = [sorted((place[a], place[b])) for a, b in decided if {a, b} <= place.keys()]
        return np.array(found, np.int64).reshape(-1, 2)

    blocks = [list(zip(*rows, strict=True))] if rows else []
    found = Groups(terms, read_collection(blocks, 16), apart=apart)
    return {frozenset(member.path for member in group.members) for group in found}


def takes_part(path, between):
    return any(Path(folder) in Path(path).parents for folder in between)


@st.composite
def collections(draw):
    """Rows, pairs of decided paths, and terms with `between`: few bits and folders, so all meet."""
    count = draw(st.integers(2, 12))
    paths = [f"{draw(st.sampled_from(FOLDERS))}/{number}" for number in range(count)]
    rows = [row(path, draw(st.sampled_from([0, 0, 0, 1, 3, 7]))) for path in paths]
    some = st.sampled_from(paths)
    decided = draw(st.lists(st.tuples(some, some).filter(lambda pair: len({*pair}) == 2)))
    terms = Terms(
        draw(st.integers(0, 2)),
        linkage=draw(st.sampled_from(["complete", "connected"])),
        between=draw(st.sampled_from([("/a", "/c"), ("/a/b", "/a"), ("/a/b", "/a/bc")])),
        not_same_folder=draw(st.booleans()),
    )
    return rows, decided, terms


EQUAL = [row(path, 0) for path in ("/a/0", "/a/b/1", "/a/b/2", "/a/bc/4", "/a/bc/8")]
DECIDED = [("/a/0", "/a/bc/8"), ("/a/b/1", "/a/bc/4")]
BESIDE = Terms(0, between=("/a/b", "/a/bc"))


@given(collections())
@example((EQUAL, DECIDED, BESIDE))
@settings(max_examples=300)
def test_groups_are_those_of_an_index_without_the_pictures_outside(collection):
    rows, decided, terms = collection
    inside = [item for item in rows if takes_part(item[0], terms.between)]
    counted = [pair for pair in decided if all(takes_part(path, terms.between) for path in pair)]
    assert grouped(rows, decided, terms) == grouped(inside, counted, terms)


def test_a_decision_on_a_picture_outside_of_both_folders_changes_no_group():
    wanted = {frozenset(("/a/b/1", "/a/b/2", "/a/bc/8"))}
    assert grouped(EQUAL, DECIDED, BESIDE) == wanted
    assert grouped(EQUAL, DECIDED[1:], BESIDE) == wanted
    assert grouped(EQUAL[1:], DECIDED[1:], BESIDE) == wanted


@pytest.mark.parametrize("pixel_digests", [False, True])
def test_a_decision_holds_for_copies_in_the_folders_and_copies_outside_mean_nothing(
    tmp_path, pixel_digests
):
    photos = tmp_path / "photos"
    first = draw(0)
    for folder in ("b", "bc", "elsewhere"):
        (photos / folder).mkdir(parents=True)
    for number in range(3):
        first.putpixel((0, 0), (number, number, number))
        first.save(photos / "elsewhere" / f"{number}.png")
    shutil.copy(photos / "elsewhere" / "0.png", photos / "b")
    shutil.copy(photos / "elsewhere" / "1.png", photos / "bc")
    with ImageIndex.open(tmp_path / "index", pixel_digests=pixel_digests) as index:
        index.index([photos])

        def names():
            found = index.groups(4, between=(str(photos / "b"), str(photos / "bc")))
            return [sorted(Path(member.path).name for member in group.members) for group in found]

        assert names() == [["0.png", "1.png"]]
        index.decide(photos / "elsewhere" / "0.png", photos / "elsewhere" / "2.png", "keep-both")
        assert names() == [["0.png", "1.png"]]
        index.decide(photos / "elsewhere" / "0.png", photos / "elsewhere" / "1.png", "keep-both")
        assert names() == []
