"""Files that hold more than their first picture, damaged files, and groups of exact copies."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from drawing import draw, saved, sequence
from hashlens import ImageIndex, ParameterError, pixel_digest

SIZE = (320, 240)


@pytest.fixture
def groups_of(tmp_path):
    """Write files, index them, and return the names in each group, the keeper's first."""

    def groups(files, **terms):
        photos = tmp_path / "photos"
        photos.mkdir(exist_ok=True)
        for name, data in files.items():
            (photos / name).write_bytes(data)
        with ImageIndex.open(tmp_path / "index") as index:
            index.index([photos])
            found = index.groups(**terms)
            return [[Path(member.path).name for member in group.members] for group in found]

    return groups


def scan(*seeds, kind="TIFF"):
    return sequence(kind, *seeds, size=SIZE)


def test_documents_with_one_cover_are_no_duplicates(groups_of):
    files = {"a.tif": scan(1, 2), "b.tif": scan(1, 3, 4), "c.tif": scan(1, 5)}
    assert groups_of(files) == []


def test_documents_whose_pages_are_all_alike_are(groups_of):
    files = {
        "a.tif": scan(1, 2, 3),
        "b.tif": sequence("TIFF", 1, 2, 3, size=SIZE, compression="tiff_lzw"),
        "c.tif": scan(1, 2, 4),
    }
    assert groups_of(files) == [["a.tif", "b.tif"]]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_a_still_never_stands_for_an_animation(groups_of, kind):
    still = saved("PNG")
    ending = kind.lower()
    files = {
        f"one.{ending}": scan(1, 2, kind=kind),
        f"other.{ending}": scan(1, 3, kind=kind),
        "still.png": still,
        "large.png": sequence("PNG", 1, size=(640, 480)),
    }
    grouped = {name for group in groups_of(files) for name in group}
    assert grouped == {"still.png", "large.png"}


def test_an_animation_with_one_other_frame_at_its_end_is_not_the_same(groups_of):
    many = list(range(10, 50))
    files = {"a.gif": scan(*many, kind="GIF"), "b.gif": scan(*many[:-1], 99, kind="GIF")}
    assert groups_of(files) == []


def test_frames_that_show_nothing_are_compared_by_their_grey():
    from hashlens.hashing.frames import agree

    assert agree("ff flat:80", "ff flat:84", "hamming", 0)
    assert not agree("ff flat:80", "ff flat:ff", "hamming", 64)
    assert not agree("ff flat:80", "ff 00", "hamming", 64)
    assert not agree("", "", "hamming", 64)


def test_rows_have_frames_and_duplicates_heed_them(groups_of, tmp_path):
    files = {"a.tif": scan(1, 2), "b.tif": scan(1), "c.png": saved("PNG"), "d.tif": scan(1, 2)}
    groups_of(files)
    with ImageIndex.open(tmp_path / "index") as index:
        query = "select path, frames, frame_hashes from txtai order by path"
        rows = index.sql(query)
        assert [row["frames"] for row in rows] == [2, 1, 1, 2]
        assert [bool(row["frame_hashes"]) for row in rows] == [True, False, False, True]
        assert [[Path(path).name for path in found.paths] for found in index.duplicates()] == [
            ["a.tif", "d.tif"],
            ["b.tif", "c.png"],
        ]


def test_a_damaged_file_is_never_kept_against_a_sound_one(groups_of, tmp_path):
    sound = saved("JPEG", quality=92)
    broken = bytearray(sound)
    broken[-40:-38] = b"\xff\xd0"
    unchecked = bytearray(saved("PNG"))
    unchecked[-1] ^= 1
    files = {"0.jpg": bytes(broken), "1.jpg": sound, "2.png": bytes(unchecked)}
    for keep in ("pixels", "bytes", "path", "newest", "oldest", "sharpness"):
        assert groups_of(files, keep=keep)[0][0] == "1.jpg"
    with ImageIndex.open(tmp_path / "index") as index:
        reason = index.groups()[0].reason
        assert reason.startswith("not damaged (the other: ")
        damaged = index.sql("select path from txtai where damaged is not null order by path")
        assert [Path(row["path"]).name for row in damaged] == ["0.jpg", "2.png"]


def damaged_files():
    """Return a JPEG and a PNG of one picture, and both with damage."""
    sound = saved("JPEG", quality=92)
    zeroed = bytearray(sound)
    zeroed[-160:-20] = bytes(140)
    unchecked = bytearray(saved("PNG"))
    unchecked[-1] ^= 1
    files = {"sound.jpg": sound, "sound.png": saved("PNG")}
    return files | {"zeroed.jpg": bytes(zeroed), "png.png": bytes(unchecked)}


@pytest.mark.parametrize("name", ["zeroed.jpg", "png.png"])
def test_a_damaged_file_is_not_decided_as_keeper(groups_of, tmp_path, name):
    groups_of(damaged_files())
    with ImageIndex.open(tmp_path / "index") as index:
        [row] = index.sql("select damaged from txtai where path like :p", {"p": f"%/{name}"})
        with pytest.raises(ParameterError) as caught:
            index.decide(tmp_path / "photos" / name)
        assert f"{name} is damaged ({row['damaged']})" in str(caught.value)
        assert "decide on a sound copy" in str(caught.value)
        assert list(index.decisions) == []
        index.decide(tmp_path / "photos" / "sound.jpg")
        index.decide(tmp_path / "photos" / name, tmp_path / "photos" / "sound.jpg", "keep-both")


@pytest.mark.parametrize("pixel_digests", [False, True])
@pytest.mark.parametrize("verify", [False, True])
def test_a_damaged_picture_chosen_elsewhere_takes_no_sound_file_away(
    tmp_path, pixel_digests, verify
):
    photos = tmp_path / "photos"
    photos.mkdir()
    for name, data in damaged_files().items():
        (photos / name).write_bytes(data)
    shutil.copy(photos / "zeroed.jpg", photos / "also.jpg")
    chosen = {
        "first": pixel_digest(photos / "zeroed.jpg"),
        "second": "",
        "verdict": "keeper",
        "decided": "2026-01-01",
        "sizes": [[320, 240]],
    }
    (tmp_path / "d.jsonl").write_text(json.dumps(chosen) + "\n")
    with ImageIndex.open(tmp_path / "index", pixel_digests=pixel_digests) as index:
        index.index([photos])
        assert index.decisions.load(tmp_path / "d.jsonl") == 1
        found = index.groups(4, verify=verify)
        groups = [[Path(member.path).name for member in group.members] for group in found]
    together = {frozenset(names) for names in groups}
    assert frozenset(("also.jpg", "zeroed.jpg")) in together
    assert not any("sound" in name for names in groups for name in names[1:] if names[0][0] in "az")
    sound = next(names for names in groups if names[0].startswith("sound"))
    assert {"sound.jpg", "sound.png", "png.png"} == set(sound)


@pytest.mark.parametrize("grade", ["fast", "exact"])
@pytest.mark.parametrize("turned", [False, True])
def test_damage_is_seen_in_both_grades_and_with_metadata(tmp_path, grade, turned):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = bytearray(saved("JPEG", **({"exif": exif} if turned else {})))
    at = int(len(data) * 0.8)
    data[at : at + 2] = b"\xff\xd0"
    (tmp_path / "a.jpg").write_bytes(bytes(data))
    with ImageIndex.open(tmp_path / "index", grade=grade) as index:
        index.index([tmp_path / "a.jpg"])
        row = index.sql("select damaged, width from txtai")[0]
        assert row["damaged"].startswith("Corrupt JPEG data")
        assert row["width"] == (SIZE[1] if turned else SIZE[0])


@pytest.mark.parametrize("grade", ["fast", "exact"])
def test_damage_of_a_later_picture_of_an_mpo_is_seen(tmp_path, grade):
    data = bytearray(sequence("MPO", 1, 2, 3, size=SIZE))
    data[-80:-78] = b"\xff\xd0"
    (tmp_path / "a.mpo").write_bytes(bytes(data))
    with ImageIndex.open(tmp_path / "index", grade=grade) as index:
        index.index([tmp_path / "a.mpo"])
        [row] = index.sql("select damaged, frames from txtai")
        assert row["damaged"].startswith("Corrupt JPEG data")
        assert row["frames"] == 3


def test_only_exact_takes_equal_bytes_and_equal_pixels(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    draw(1, SIZE).save(photos / "a.png")
    shutil.copy(photos / "a.png", photos / "b.png")
    note = PngInfo()
    note.add_text("note", "other metadata")
    draw(1, SIZE).save(photos / "c.png", pnginfo=note)
    draw(1, SIZE).save(photos / "d.bmp")
    draw(1, SIZE).save(photos / "e.jpg", quality=85)
    for digests in (False, True):
        with ImageIndex.open(tmp_path / f"index{digests}", pixel_digests=digests) as index:
            index.index([photos])
            all_of_them = index.groups()
            assert [len(group.members) for group in all_of_them] == [5]
            exact = index.groups(only="exact")
            assert len(exact) == 1
            marks = {Path(member.path).name: member.same for member in exact[0].members}
            kept = Path(exact[0].keeper.path).name
            assert marks.pop(kept) == ""
            equal = {"a.png": "bytes", "b.png": "bytes"} if kept in ("a.png", "b.png") else {}
            assert marks == {
                name: equal.get(name, "pixels")
                for name in ("a.png", "b.png", "c.png", "d.bmp")
                if name != kept
            }
            marked = {Path(item.path).name: item.same for item in all_of_them[0].members}
            assert marked["e.jpg"] == ""
            if digests:
                assert {name: mark for name, mark in marked.items() if name in marks} == marks


def test_a_row_of_an_earlier_version_is_grouped_but_never_acted_on(groups_of, tmp_path):
    groups_of({"a.png": saved("PNG"), "b.png": saved("PNG", compress_level=1)})
    with ImageIndex.open(tmp_path / "index") as index:
        import json

        for row in index.sql("select id, data from txtai"):
            data = json.loads(row["data"]) if isinstance(row["data"], str) else row["data"]
            del data["frames"]
            with index._store.writing():
                index._store.write([(row["id"], data, None)])
        found = index.groups()
        assert len(found) == 1
        plan = found.plan("delete")
        assert {step.action for step in plan.steps} == {"keep"}
        assert "index again" in plan.skipped[0].reason
