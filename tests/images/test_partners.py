"""Files that belong to a picture."""

from __future__ import annotations

import os

import pytest

from hashlens.images.partners import Folders, have_raw, renamed


@pytest.mark.parametrize(
    ("picture", "partner", "new", "goes_to"),
    [
        ("IMG_1.jpg", "IMG_1.xmp", "a-2.jpg", "a-2.xmp"),
        ("IMG_1.jpg", "IMG_1.jpg.xmp", "a-2.jpg", "a-2.jpg.xmp"),
        ("IMG_1.JPG", "img_1.xmp", "IMG_1.JPG", "IMG_1.xmp"),
        ("IMG_1.HEIC", "IMG_1.MOV", "IMG_1-2.HEIC", "IMG_1-2.MOV"),
        ("IMG_1.HEIC", "IMG_1.AAE", "IMG_1.HEIC", "IMG_1.AAE"),
        ("DSC_5.jpg", "DSC_5.NEF", "DSC_5.jpg", "DSC_5.NEF"),
        ("DSC_5.jpg", "DSC_5.jpg.pp3", "DSC_5-3.jpg", "DSC_5-3.jpg.pp3"),
        ("a.b.c.jpg", "a.b.c.xmp", "a.b.c.jpg", "a.b.c.xmp"),
        ("x.jpg", "x.jpg.json", "x.jpg", "x.jpg.json"),
        ("x.jpg", "x.jpg.supplemental-metadata.json", "y.jpg", "y.jpg.supplemental-metadata.json"),
        ("x.jpg", "x.jpg.supplem.json", "x.jpg", "x.jpg.supplem.json"),
        ("y(1).jpg", "y.jpg(1).json", "y(1).jpg", "y.jpg(1).json"),
        ("y(1).jpg", "y.jpg(1).json", "y(1)-2.jpg", "y(1)-2.jpg.json"),
        ("y(2).jpg", "y.jpg.supplemental-metadata(2).json", "z.jpg", "z.jpg.json"),
        ("P.MP.jpg", "P.MP", "Q.MP.jpg", "Q.MP"),
        ("P.jpg", "P.m4v", "Q.jpg", "Q.m4v"),
    ],
)
def test_partners_are_found_and_stay_partners(tmp_path, picture, partner, new, goes_to):
    for name in (picture, partner, "other.xmp", "IMG_10.xmp", "IMG_1_edit.jpg", "x.jpg.txt"):
        (tmp_path / name).touch()
    path = str(tmp_path / picture)
    found = Folders().partners(path)
    assert found == [str(tmp_path / partner)]
    assert renamed(found[0], path, f"/to/{new}") == f"/to/{goes_to}"


def test_what_is_no_partner(tmp_path):
    names = (
        "a.jpg",
        "a.png",
        "a.txt",
        "ab.xmp",
        "b.a.jpg.xmp",
        "A.jpgx",
        "a.jpg.mov",
        "a.jpg.x.json",
        "a.jpg(1).json",
    )
    for name in names:
        (tmp_path / name).touch()
    assert Folders().partners(str(tmp_path / "a.jpg")) == []
    assert Folders().partners(str(tmp_path / "nowhere" / "a.jpg")) == []


def test_a_partner_may_be_shared(tmp_path):
    for name in ("a.jpg", "a.heic", "a.xmp", "a.jpg.xmp", "a.nef"):
        (tmp_path / name).touch()
    folders = Folders()

    def sharers(partner):
        found = folders.sharers(str(tmp_path / "a.jpg"), str(tmp_path / partner))
        return [os.path.basename(path) for path in found]

    assert sharers("a.xmp") == ["a.heic"]
    assert sharers("a.nef") == ["a.heic"]
    assert sharers("a.jpg.xmp") == []


@pytest.mark.parametrize(
    ("names", "partner", "owners"),
    [
        (("x.jpg", "X.JPG"), "x.xmp", ["x.jpg"]),
        (("x.jpg", "X.JPG"), "X.xmp", ["X.JPG"]),
        (("x.jpg", "x.JPG"), "x.jpg.xmp", ["x.jpg"]),
        (("x.jpg", "x.JPG"), "x.xmp", ["x.JPG", "x.jpg"]),
        (("x.jpg", "X.JPG", "x.png"), "x.nef", ["x.jpg", "x.png"]),
        (("xy.jpg", "XY.JPG"), "xY.xmp", ["XY.JPG", "xy.jpg"]),
        (("y(1).jpg", "Y(1).JPG"), "y.jpg(1).json", ["y(1).jpg"]),
    ],
)
def test_capitals_tell_to_which_of_two_pictures_a_file_belongs(tmp_path, names, partner, owners):
    for name in (*names, partner):
        (tmp_path / name).touch()
    folders, path = Folders(), str(tmp_path / partner)
    having = [name for name in names if path in folders.partners(str(tmp_path / name))]
    assert sorted(having) == owners
    others = folders.sharers(str(tmp_path / having[0]), path)
    assert sorted([having[0], *map(os.path.basename, others)]) == owners


def test_a_picture_has_a_raw_file_if_one_of_its_name_lies_beside_it(tmp_path):
    names = ("IMG_1.JPG", "IMG_2.jpg", "raw/IMG_1.nef", "IMG_3.dng", "a.b.jpg")
    (tmp_path / "raw").mkdir()
    for name in (*names, "img_1.NEF", "a.b.cr2"):
        (tmp_path / name).touch()
    paths = [str(tmp_path / name) for name in (*names, "away/IMG_1.jpg")]
    assert have_raw(paths) == [True, False, True, True, True, False]
    (tmp_path / "IMG_2.arw").touch()
    os.utime(tmp_path, (1, 1))
    assert have_raw(paths[1:2]) == [True]
    assert have_raw([]) == []
