from __future__ import annotations

import json
import os
import subprocess
import sys
from base64 import b64decode
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote_to_bytes

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from drawing import draw
from hashlens import ParameterError, Skipped
from hashlens.images.sharpness import sharpness
from hashlens.model import Group, Link, Match, Member, Place, Progress
from hashlens.names import as_text, name_of, text_of
from hashlens.report.contact_sheet import save_html
from hashlens.report.matches import draw_matches, save_matches
from hashlens.report.mosaic import KEEP, mosaic, save_mosaics
from hashlens.report.thumbnails import LEAST_SIDE, SIDES, side_of
from running import importing_first
from suites import examples

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
NAMESPACE = "http://www.w3.org/2000/svg"  # a name, which no browser loads
NAMES = [
    "plain.png",
    "\"quoted\" and 'quoted'.png",
    "<script>alert(1)<script>.png",
    "<!-- <script> -->.png",
    "&lt;script&gt; &amp;.png",
    "two\nlines\tand\r.png",
    "back\\slash #1 100%.png",
    "zażółć 写真 🖼️ \u202egpj.png",
    "\u2028${name}`.png",
    os.fsdecode(b"no text \xff\xfe.png"),
]
RED, GREEN = (255, 45, 85), tuple(bytes.fromhex(KEEP[1:]))


class Page(HTMLParser):
    """What a browser would make of a report."""

    def __init__(self, path):
        super().__init__(convert_charrefs=True)
        self.tags, self.data, self.scripts, self.title = [], {}, [], ""
        self._inside = None
        self.feed(Path(path).read_text("utf-8"))
        self.close()

    def handle_starttag(self, tag, attributes):
        self._inside = (tag, dict(attributes))
        self.tags.append(self._inside)

    def handle_endtag(self, tag):
        self._inside = None

    def handle_data(self, data):
        tag, attributes = self._inside or ("", {})
        if tag == "title":
            self.title += data
        elif tag == "script" and "data-kind" in attributes:
            assert attributes["type"] == "application/json"
            self.data.setdefault(attributes["data-kind"], []).append(json.loads(data))
        elif tag == "script":
            self.scripts.append(data)

    def records(self, kind):
        return [record for block in self.data.get(kind, []) for record in block]

    def thumbnail(self, number):
        return Image.open(BytesIO(b64decode(self.records("pictures")[number])))


def member(path, distance=0, **facts):
    return Member(str(path), str(path), "00", distance, **facts)


def group(*paths, diameter=4, reason="most pixels"):
    return Group(tuple(member(path, place) for place, path in enumerate(paths)), diameter, reason)


def place(outline, **facts):
    box, fractions = (0, 0, 1, 1), (0.0, 0.0, 1.0, 1.0)
    affine = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    given = {"inliers": 31, "correlation": 0.9, "agreement": 0.75, "mirrored": False} | facts
    return Place(box, fractions, outline, affine, **given)


@pytest.fixture
def shelf(tmp_path):
    """A photo with two copies, another one with one, and a part of it."""
    first, second = draw(1, (300, 200)), draw(2, (200, 320))
    first.save(tmp_path / "first.png")
    first.resize((150, 100)).save(tmp_path / "small.jpg", quality=60)
    first.save(tmp_path / "first.webp", lossless=True)
    second.save(tmp_path / "second.png")
    second.save(tmp_path / "second.jpg")
    second.crop((50, 80, 150, 240)).save(tmp_path / "part.png")
    names = ("first.png", "small.jpg", "first.webp", "second.png", "second.jpg", "part.png")
    paths = [str(tmp_path / name) for name in names]
    outline = ((50.0, 80.0), (150.0, 80.0), (150.0, 240.0), (50.0, 240.0))
    return SimpleNamespace(
        folder=tmp_path,
        paths=paths,
        groups=[group(*paths[:3]), group(*paths[3:5], diameter=1.5, reason="sharpest")],
        links=[Link(member(paths[5]), member(paths[3]), place(outline))],
        to=tmp_path / "report.html",
    )


def saved(shelf, **options):
    assert save_html(shelf.to, shelf.groups, shelf.links, **options) == []
    return Page(shelf.to)


def test_a_report_has_all_that_is_known(shelf):
    page = saved(shelf, facts={"max distance": 8, "linkage": "complete"}, workers=2)
    assert [image["path"] for image in page.records("images")] == shelf.paths
    assert page.records("groups") == [
        {"diameter": 4, "reason": "most pixels", "members": [[0, 0], [1, 1], [2, 2]]},
        {"diameter": 1.5, "reason": "sharpest", "members": [[3, 0], [4, 1]]},
    ]
    (head,) = page.records("head")
    assert head["facts"] == [["max distance", "8"], ["linkage", "complete"]]
    for image in page.records("images"):
        with Image.open(image["path"]) as original:
            assert (image["width"], image["height"]) == original.size
            assert image["format"] == original.format
        assert image["bytes"] == os.path.getsize(image["path"])
        assert image["sharpness"] == pytest.approx(sharpness(image["path"]), abs=0.051)
        assert image["uri"] == Path(image["path"]).as_uri()
        assert image["error"] == ""


def test_thumbnails_show_the_images(shelf):
    page = saved(shelf)
    for number, path in enumerate(shelf.paths):
        small = page.thumbnail(number)
        with Image.open(path) as original:
            assert small.format == "JPEG"
            assert small.width / small.height == pytest.approx(
                original.width / original.height, 0.02
            )
            again = original.convert("RGB").resize(small.size)
        assert abs(np.asarray(small, int) - np.asarray(again, int)).mean() < 6


def test_thumbnails_are_smaller_where_there_are_many():
    assert [side_of(count) for count in (0, 1, 500, 501, 5000)] == [320, 320, 320, 160, 160]
    sides = [side_of(most + 1) for most in (0, *SIDES)]
    assert sides == sorted(sides, reverse=True)
    assert side_of(10**9) == LEAST_SIDE


def test_an_image_of_several_groups_and_links_is_there_once(shelf):
    shelf.groups.append(group(shelf.paths[4], shelf.paths[0]))
    page = saved(shelf)
    assert len(page.records("images")) == len(page.records("pictures")) == len(shelf.paths)
    assert page.records("groups")[2]["members"] == [[4, 0], [0, 1]]


def test_thumbnails_are_in_blocks_that_are_found_by_number(tmp_path):
    paths = [tmp_path / f"{seed}.png" for seed in range(37)]
    for seed, path in enumerate(paths):
        Image.new("RGB", (8, 8), (seed * 6, 0, 0)).save(path)
    save_html(tmp_path / "report.html", [group(*paths)])
    page = Page(tmp_path / "report.html")
    (head,) = page.records("head")
    for number in (0, 15, 16, 36):
        block = page.data["pictures"][number // head["block"]]
        small = Image.open(BytesIO(b64decode(block[number % head["block"]])))
        assert small.getpixel((4, 4))[0] == pytest.approx(number * 6, abs=3)


def test_outlines_are_in_fractions_of_the_whole(shelf):
    outside = ((-20.0, 0.0), (220.0, -32.0), (200.0, 320.0), (0.0, 352.0))
    whole, part = member(shelf.paths[3]), member(shelf.paths[5])
    shelf.links.append(Link(part, whole, place(outside, mirrored=True)))
    first, second = saved(shelf).records("links")
    assert (first["part"], first["whole"]) == (5, 3)
    assert first["outline"] == [[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]]
    assert (first["inliers"], first["agreement"], first["mirrored"]) == (31, 0.75, False)
    assert second["outline"] == [[-0.1, 0], [1.1, -0.1], [1, 1], [0, 1.1]]
    assert second["mirrored"] is True


def test_an_outline_is_of_the_size_that_the_row_says(shelf):
    twice = member(shelf.paths[3], width=400, height=640)  # since then the file was made smaller
    shelf.links = [Link(shelf.links[0].part, twice, shelf.links[0].place)]
    shelf.groups = []
    (link,) = saved(shelf).records("links")
    assert link["outline"] == [[0.125, 0.125], [0.375, 0.125], [0.375, 0.375], [0.125, 0.375]]


def test_what_the_row_says_goes_before_the_file(shelf):
    facts = {"width": 1, "height": 2, "bytes": 3, "format": "GIF", "sharpness": 4.5}
    shelf.groups = [Group((member(shelf.paths[0], **facts), member(shelf.paths[1])), 0)]
    image = saved(shelf).records("images")[0]
    assert {name: image[name] for name in facts} == facts


def test_pictures_are_shown_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    draw(1, (300, 200)).save(tmp_path / "turned.jpg", exif=exif)
    for known in (None, 1.0):  # decoded whole, and as a draft
        save_html(
            tmp_path / "r.html", [Group((member(tmp_path / "turned.jpg", sharpness=known),), 0)]
        )
        page = Page(tmp_path / "r.html")
        (image,) = page.records("images")
        assert (image["width"], image["height"]) == (200, 300)
        assert page.thumbnail(0).size[0] < page.thumbnail(0).size[1]


def test_any_name_is_a_name_and_nothing_else(tmp_path):
    plain = tmp_path / "report0.html"
    draw(1).save(tmp_path / "0.png")
    save_html(plain, [group(tmp_path / "0.png")])
    paths = [str(tmp_path / name) for name in NAMES]
    for path in paths:
        draw(1).save(path)
    paths.append(f"{tmp_path}/</script><img src=x onerror=alert(1)>/</title>.png")
    os.makedirs(os.path.dirname(paths[-1]))
    draw(1).save(paths[-1])
    report = tmp_path / "report.html"
    assert save_html(report, [group(path, reason=path) for path in paths]) == []
    page = Page(report)
    assert [image["path"] for image in page.records("images")] == as_text(paths)
    assert [record["reason"] for record in page.records("groups")] == as_text(paths)
    for image in page.records("images"):
        assert image["uri"].startswith("file:///")
        assert unquote_to_bytes(image["uri"][7:]) == os.fsencode(name_of(image["path"]))
    assert [tag for tag, _ in page.tags if tag != "script"] == [
        tag for tag, _ in Page(plain).tags if tag != "script"
    ]


@example(["\udcff", "\udd00"], "", "")  # a byte that is not UTF-8, and what no name can hold
@given(st.lists(st.text(st.characters(codec=None)), min_size=1, max_size=4), st.text(), st.text())
@settings(max_examples=examples(60))
def test_any_text_comes_through(tmp_path_factory, names, title, fact):
    report = tmp_path_factory.getbasetemp() / "any.html"
    paths = list(dict.fromkeys(f"/nowhere/{name}" for name in names))
    skipped = save_html(
        report, [group(*paths, reason=title)], title=title, facts={fact: title}, workers=1
    )
    assert [item.path for item in skipped] == paths
    page = Page(report)
    assert [image["path"] for image in page.records("images")] == as_text(paths)
    (head,) = page.records("head")
    assert head["title"] == title
    assert head["facts"] == [[fact, title]]
    assert page.records("groups")[0]["reason"] == text_of(title)


def test_a_title_is_text(shelf):
    page = saved(shelf, title="</title><script>1</script> & <!-- data --> \udcff", facts={"<b>": 1})
    assert page.title == "</title><script>1</script> & <!-- data --> \\udcff"
    assert page.records("head")[0]["facts"] == [["<b>", "1"]]


def test_nothing_is_loaded(shelf):
    page = saved(shelf)
    policies = [a["content"] for _, a in page.tags if a.get("http-equiv")]
    assert policies == [POLICY]
    text = shelf.to.read_text()
    assert text.replace(NAMESPACE, "").count("://") == len(shelf.paths)  # file://, of each image
    assert "@import" not in text
    assert "url(" not in text
    sources = [a for _, a in page.tags if a.keys() & {"src", "href", "srcset", "action", "data"}]
    assert sources == [{"rel": "icon", "href": "data:,"}]
    assert not [name for _, a in page.tags for name in a if name.startswith("on")]
    assert len(page.scripts) == 1


def test_controls_are_named_for_those_who_do_not_see(shelf):
    page = saved(shelf)
    labels = {a["for"] for tag, a in page.tags if tag == "label"}
    controls = [a for tag, a in page.tags if tag in ("input", "select")]
    assert {a["id"] for a in controls} == labels
    assert ("html", {"lang": "en"}) in page.tags
    assert "noscript" in [tag for tag, _ in page.tags]


def test_what_cannot_be_read_is_shown_with_the_reason(shelf, tmp_path):
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "cut.png").write_bytes(Path(shelf.paths[0]).read_bytes()[:2000])
    (tmp_path / "folder.png").mkdir()
    bad = [str(tmp_path / name) for name in ("gone.png", "empty.jpg", "text.png", "cut.png")]
    bad += [str(tmp_path / "folder.png"), "nul\0.png", ""]
    groups = [group(shelf.paths[0], *bad), group(*bad[:2])]
    links = [Link(member(bad[0]), member(bad[1]), place(((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))))]
    skipped = save_html(shelf.to, groups, links)
    assert all(isinstance(item, Skipped) for item in skipped)
    assert [item.path for item in skipped] == bad
    assert skipped[0].reason == "No such file or directory"
    assert skipped[1].reason == "empty file"
    page = Page(shelf.to)
    assert [image["error"] for image in page.records("images")] == [
        "", *(item.reason for item in skipped)
    ]  # fmt: skip
    assert page.records("pictures")[1:] == [""] * len(bad)
    assert all(item.reason for item in skipped)


CRASHING = """
import os, signal
from PIL import Image
def accept(start):
    if start.startswith(b"CRASH"):
        os.kill(os.getpid(), signal.SIGSEGV)
    return False
Image.register_open("CRASHING", None, accept)
"""
SCRIPT = """
import sys
from hashlens.model import Group, Member
from hashlens.report.contact_sheet import save_html
members = tuple(Member(path, path, "") for path in sys.argv[2:])
print(*save_html(sys.argv[1], [Group(members, 0)], workers=2), sep="\\n")
loaded = {"cv2", "numpy", "PIL", "txtai"} & sys.modules.keys()
assert not loaded, loaded
"""


def test_a_file_that_crashes_the_decoder_costs_itself_only(shelf):
    (shelf.folder / "sitecustomize.py").write_text(
        CRASHING.replace("from PIL", "import PIL; from PIL")
    )
    (shelf.folder / "crash.png").write_bytes(b"CRASH")
    paths = [*shelf.paths[:2], str(shelf.folder / "crash.png"), *shelf.paths[2:]]
    env = importing_first(shelf.folder)
    script = SCRIPT.partition("loaded")[0]
    command = [sys.executable, "-c", script, str(shelf.to), *paths]
    run = subprocess.run(command, capture_output=True, text=True, env=env)
    assert run.stdout == f"{Skipped(paths[2], 'a decoder crashed on it')}\n", run.stderr
    errors = [image["error"] for image in Page(shelf.to).records("images")]
    assert errors == ["", "", "a decoder crashed on it", *[""] * 4]


def test_decoding_is_left_to_the_workers(shelf):
    command = [sys.executable, "-c", SCRIPT, str(shelf.to), *shelf.paths]
    subprocess.run(command, check=True)
    assert len(Page(shelf.to).records("pictures")) == len(shelf.paths)


def test_the_same_input_gives_the_same_bytes(shelf):
    written = []
    for workers in (1, 3, None):
        saved(shelf, workers=workers, facts={"images": 6})
        written.append(shelf.to.read_bytes())
    assert written[0] == written[1] == written[2]


def test_progress_is_told_for_each_image(shelf):
    told = []
    saved(shelf, progress=told.append)
    assert told == [Progress(n, 6, path) for n, path in enumerate(shelf.paths, 1)]


def test_a_report_is_whole_or_the_one_before(shelf):
    saved(shelf)
    before = shelf.to.read_bytes()

    def stop(now):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save_html(shelf.to, shelf.groups[:1], progress=stop)
    assert shelf.to.read_bytes() == before
    left = {path.name for path in shelf.folder.iterdir()}
    assert left == {*(Path(path).name for path in shelf.paths), "report.html"}


def test_a_report_has_the_rights_of_other_files(shelf):
    saved(shelf)
    (shelf.folder / "other").touch()
    assert shelf.to.stat().st_mode == (shelf.folder / "other").stat().st_mode


@pytest.mark.parametrize("name", ["missing/report.html", "taken"])
def test_where_nothing_can_be_written_is_an_error(shelf, name):
    (shelf.folder / "taken").mkdir()
    with pytest.raises(ParameterError, match=f"no report can be written to .*{name}"):
        save_html(shelf.folder / name, shelf.groups)
    assert not list(shelf.folder.glob("*.new"))


def test_workers_are_checked(shelf):
    with pytest.raises(ParameterError, match="workers must be a whole number"):
        save_html(shelf.to, shelf.groups, workers=0)
    assert not shelf.to.exists()


def test_a_report_may_be_of_nothing(tmp_path):
    assert save_html(tmp_path / "report.html", []) == []
    page = Page(tmp_path / "report.html")
    assert page.records("groups") == page.records("images") == page.records("links") == []
    assert page.title == "hashlens"


def opened(path):
    with Image.open(path) as image:
        return image.convert("RGB")


def pixels(image):
    return np.asarray(image.convert("RGB")).astype(int)


def near(image, color):
    return abs(pixels(image) - color).sum(axis=2) < 40


def test_mosaics_are_one_file_each(shelf):
    told = []
    to = shelf.folder / "new" / "mosaics"
    paths = save_mosaics(to, shelf.groups, shelf.links, progress=told.append)
    names = ["group-0001.png", "group-0002.png", "part-0001.png"]
    assert paths == [str(to / name) for name in names]
    assert [item.path for item in told] == paths
    assert sorted(path.name for path in to.iterdir()) == names
    assert [opened(path).width for path in paths] == [3 * (128 + 8), 2 * (128 + 8), 2 * (128 + 8)]
    before = [Path(path).read_bytes() for path in paths]
    save_mosaics(to, shelf.groups, shelf.links)
    assert [Path(path).read_bytes() for path in paths] == before


def test_a_mosaic_shows_the_images_with_the_first_in_a_frame(shelf):
    sheet = mosaic(shelf.groups[0].members, width=90, height=60)
    assert sheet.width == 3 * 98
    assert sheet.height == 60 + 8 + 32
    for number, path in enumerate(shelf.paths[:3]):
        cell = sheet.crop((98 * number + 4, 4, 98 * number + 94, 64))
        with Image.open(path) as original:
            assert abs(pixels(cell) - pixels(original.resize((90, 60)))).mean() < 6
    green = near(sheet, GREEN)
    assert green[:68, :98].any()
    assert green[0, :98].all()
    assert green[:68, 0].all()
    assert not green[:, 98:].any()


def test_an_image_keeps_its_shape_in_the_middle_of_its_cell(shelf):
    sheet = mosaic([shelf.paths[0], shelf.paths[3]], width=60, height=60)
    second = near(sheet.crop((72, 4, 132, 64)), (255, 255, 255)).all(axis=0)
    assert list(np.flatnonzero(~second)[[0, -1]]) == pytest.approx([11, 48], abs=1)


def test_captions_may_be_given(shelf):
    plain = mosaic(shelf.paths[:2])
    named = mosaic(shelf.paths[:2], [Path(path).name for path in shelf.paths[:2]])
    assert pixels(plain).tolist() == pixels(named).tolist()
    other = pixels(mosaic(shelf.paths[:2], ["", "another\none"]))
    assert (other[:136] == pixels(plain)[:136]).all()
    assert (other[136:, :136] == 255).all()
    assert not (other[136:, 136:] == 255).all()


def test_a_mosaic_shows_the_outline_of_a_part(shelf):
    (path,) = save_mosaics(shelf.folder, [], shelf.links, width=200, height=320)
    red = near(opened(path), RED)
    down, across = red.nonzero()
    found = [across.min(), down.min(), across.max(), down.max()]
    assert found == pytest.approx([54, 84, 154, 244], abs=3)
    assert not red[92:236, 62:146].any()


def test_a_mosaic_shows_what_cannot_be_read_in_grey(shelf):
    sheet = mosaic([shelf.paths[0], shelf.folder / "gone.png"])
    assert near(sheet.crop((140, 4, 264, 132)), (204, 204, 204)).any()


def test_a_mosaic_of_very_many_says_how_many_more(shelf):
    path = shelf.folder / "tiny.png"
    Image.new("RGB", (16, 16)).save(path)
    few = mosaic([path] * 400, width=16, height=16)
    assert few.width == 20 * 24
    many = mosaic([path] * 1000, width=16, height=16)
    assert many.width == 21 * 24


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        ([], {}, "takes an image or more, each with a caption, not 0 images and 0 captions"),
        (["a"], {"captions": []}, "not 1 images and 0 captions"),
        (["a"], {"width": 15}, "width must be a whole number 16 to 2048, not 15"),
        (["a"], {"height": 10.5}, "height must be a whole number 16 to 2048, not 10.5"),
    ],
)
def test_a_mosaic_checks_what_it_is_given(images, options, message):
    with pytest.raises(ParameterError, match=message):
        mosaic(images, **options)


def test_where_no_mosaic_can_be_written_is_an_error(shelf):
    with pytest.raises(ParameterError, match=r"no folder .*first\.png can be made"):
        save_mosaics(shelf.paths[0], shelf.groups)
    (shelf.folder / "group-0001.png").mkdir()
    with pytest.raises(ParameterError, match=r"nothing can be drawn to .*group-0001\.png"):
        save_mosaics(shelf.folder, shelf.groups)


def test_matches_are_drawn_with_the_query_first(shelf):
    match = Match("1", shelf.paths[3], 3, 0.9, stage="hash")
    alone = draw_matches([match])
    for query in (shelf.paths[0], Path(shelf.paths[0]), opened(shelf.paths[0])):
        both = draw_matches([match], query=query)
        assert both.size == (2 * 488, alone.height)
        shown = opened(shelf.paths[0]).resize((480, 320))
        assert abs(pixels(both.crop((4, 4, 484, 324))) - pixels(shown)).mean() < 3
        second = pixels(both)[:, 488 : 488 + alone.width]
        assert (second == pixels(alone)).all()
    save_matches([match], shelf.folder / "drawn.png", query=shelf.folder / "gone.png")
    drawn = opened(shelf.folder / "drawn.png")
    assert near(drawn.crop((4, 4, 484, 244)), (204, 204, 204)).mean() > 0.9
    with pytest.raises(ParameterError, match="there is no match to draw"):
        draw_matches([], query=shelf.paths[0])
