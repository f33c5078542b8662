"""What users may rely on, checked by mypy and never run: each public name, and the README."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hashlens

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image
    from typing_extensions import assert_type


def the_readme_on_an_index() -> None:
    from hashlens import ImageIndex

    with ImageIndex.open("photos.index") as index:
        index.index(["photos"])
        for match in index.search("copy.jpg", max_distance=10):
            print(match.distance, match.path)

    with ImageIndex.open("crops.index", keypoints=200) as index:
        index.index(["photos"])
        match = index.search("crop.jpg")[0]
        print(match.path, match.box, match.correlation)  # where the crop lies in it, in pixels
        parts = "select path, box from txtai where similar(:image, 'crops')"
        index.sql(parts, {"image": "crop.jpg"})


def the_readme_on_groups() -> None:
    from hashlens import ImageIndex

    with ImageIndex.open("photos.index") as index:
        groups = index.groups(max_distance=8)  # all pairs of a group are within the bound
    for group in groups:
        print(group.keeper.path, group.reason, [member.path for member in group.duplicates])
    groups.plan("quarantine", to="aside").save("plan.jsonl")  # hashlens.apply, hashlens.undo


def the_readme_on_stock_txtai() -> None:
    from txtai import Embeddings  # stock txtai opens the same directory, and knows the functions

    embeddings = Embeddings().load("photos.index")
    embeddings.search("select path from txtai order by distance(text, 'b15fe6465121175e')", limit=5)


def an_index(image: Image, pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> None:
    index = hashlens.ImageIndex.open(
        Path("photos.index"), content="duckdb", also=["color", {"algorithm": "difference"}]
    )
    assert_type(index, hashlens.ImageIndex)
    assert_type(index.index("photos", moved=True, extensions=[".jpg"]), hashlens.Report)
    assert_type(
        index.upsert([Path("a.jpg")], any_name=True, workers=2, progress=on_progress),
        hashlens.Report,
    )
    assert_type(index.delete("a.jpg"), list[str])
    assert_type(index.fingerprint(image, "color"), str)
    assert_type(index.search(pixels, limit=5, max_distance="auto"), list[hashlens.Match])
    assert_type(index.search(b"bytes of a file", crops=False), list[hashlens.Match])
    assert_type(index.sql("select path from txtai", {"q": image}, limit=1), list[dict[str, Any]])
    assert_type(index.explain("select path from txtai"), hashlens.Explanation)
    assert_type(index.duplicates(), list[hashlens.Duplicates])
    assert_type(index.calibrate(seed=1), hashlens.Calibration)
    assert_type(index.decide("a.jpg", "b.jpg", "keep-both"), hashlens.Decision)
    assert_type(index.skipped(), list[hashlens.Skipped])
    assert_type(index.map("map.png", csv="map.csv"), list[hashlens.Skipped])
    assert_type(index.info(), dict[str, Any])
    assert_type(index.path, Path)
    assert_type(index.count(), int)
    index.save("copy.index")
    index.close()


def on_progress(progress: hashlens.Progress) -> None:
    print(f"{progress.done} of {progress.total}: {progress.path}")


def what_an_index_answers(
    report: hashlens.Report,
    match: hashlens.Match,
    same: hashlens.Duplicates,
    found: hashlens.Calibration,
    told: hashlens.Explanation,
) -> None:
    assert_type(report.images, int)
    assert_type([(item.path, item.reason) for item in report.skipped], list[tuple[str, str]])
    assert_type(match.place, hashlens.Place | None)
    assert_type(match.box, tuple[int, int, int, int] | None)
    if match.place:
        assert_type(match.place.box, tuple[int, int, int, int])
        assert_type(match.place.transform[0], tuple[float, float, float])
    assert_type(match.row, dict[str, Any])
    assert_type((same.fingerprint, same.paths), tuple[str, tuple[str, ...]])
    assert_type(found.max_distance, int | None)
    assert_type(found.false_matches(8), float)
    assert_type((told.way, told.candidates), tuple[str, int])


def groups(index: hashlens.ImageIndex) -> None:
    found = index.groups("auto", between=("a", "b"), keep=["folder=originals", "pixels"])
    assert_type(found, hashlens.Groups)
    assert_type(found[0], hashlens.Group)
    assert_type(found[:2], tuple[hashlens.Group, ...])
    assert_type([group.keeper for group in found], list[hashlens.Member])
    assert_type(found[0].duplicates, tuple[hashlens.Member, ...])
    assert_type(found.links, tuple[hashlens.Link, ...])
    assert_type([(item.part, item.place) for item in found.links][0][1], hashlens.Place)
    assert_type(found.rethreshold(4), hashlens.Groups)
    assert_type(found.borderline(20), list[hashlens.Pair])
    assert_type(found.pairs(), Iterator[hashlens.Pair])
    assert_type(found.records(), list[dict[str, Any]])
    assert_type(found.plot(), Image)
    assert_type(found.save_html("report.html"), list[hashlens.Skipped])
    assert_type(found.save_mosaics("mosaics"), list[str])


def a_clean_collection(found: hashlens.Groups) -> None:
    assert_type(found.verified().doubts, tuple[hashlens.Doubt, ...])
    assert_type(found.plan("quarantine", to="aside", protect=["originals"]), hashlens.Plan)
    plan = hashlens.make_plan(found, "hardlink", to=Path("aside"))
    assert_type(plan, hashlens.Plan)
    assert_type(plan.steps, tuple[hashlens.Step, ...])
    assert_type(plan.summary(), dict[str, Any])
    plan.save(Path("plan.jsonl"))
    assert_type(hashlens.Plan.read("plan.jsonl"), hashlens.Plan)
    outcome = hashlens.apply("plan.jsonl", progress=on_progress)
    assert_type(outcome, hashlens.Outcome)
    assert_type(hashlens.undo(outcome.journal), hashlens.Outcome)


def without_an_index(image: Image) -> None:
    assert_type(hashlens.distance("ff00", "ff01", "levenshtein"), float)
    assert_type(hashlens.similarity("ff00", "ff01"), float)
    assert_type(hashlens.file_digest(b"bytes"), str)
    assert_type(hashlens.pixel_digest(image), str)
    assert_type(hashlens.sharpness("photo.jpg"), float)
    assert_type(hashlens.name_of(hashlens.text_of("a.jpg")), str)
    assert_type(hashlens.hash_files(["photos"], ["average"]), Iterator[dict[str, Any]])
    assert_type(hashlens.compare("copy.jpg", ["photos"], first=True), Iterator[dict[str, Any]])
    assert_type(
        hashlens.find_duplicates("photos"), Iterator[hashlens.Duplicates | hashlens.Skipped]
    )
    assert_type(hashlens.PerceptualHash("wavelet", mode="db4")(image), str)
    assert_type([item.extensions for item in hashlens.FORMATS], list[tuple[str, ...]])


def pictures(matches: list[hashlens.Match]) -> None:
    assert_type(hashlens.draw_matches(matches, query="crop.jpg"), Image)
    assert_type(hashlens.draw_hash("photo.jpg", algorithm="wavelet", mode="db4"), Image)


def accuracy() -> None:
    card = hashlens.evaluate("photos", attacks=["crop50"], rivals=False)
    assert_type(card, hashlens.Card)
    assert_type(card.to_markdown(), str)


def for_txtai() -> None:
    assert_type(hashlens.ImageHash()("photo.jpg"), Any)
    assert_type(hashlens.ImageRows("perceptual", workers=2), hashlens.ImageRows)
    vectors: type[hashlens.ImageVectors] = hashlens.ImageVectors
    assert vectors.__name__ == "ImageVectors"
    assert_type(hashlens.SQL_FUNCTIONS[0]["name"], object)


def errors() -> None:
    kinds: tuple[type[hashlens.HashlensError], ...] = (
        hashlens.FingerprintError,
        hashlens.ImageError,
        hashlens.IndexingError,
        hashlens.ParameterError,
        hashlens.PlanError,
        hashlens.QueryError,
    )
    try:
        hashlens.ImageIndex.open("photos.index", create=False)
    except kinds as error:
        print(error)
    also: tuple[type[ValueError], ...] = (hashlens.ParameterError, hashlens.QueryError)
    print(also, hashlens.ImageError("a.jpg", "empty file").reason)


def the_version() -> None:
    assert_type(hashlens.__version__, str)
