"""Measure crop search by the size of the collection: what it finds, how fast, on how many bytes.

    python benchmarks/crops.py FOLDER [--sizes N,N,…] [--queries N] [--seed S] [--dry]

FOLDER holds photos, some hundreds. A hash of their names, with the seed, tells which are asked
for, which are kept out of the collection and asked for in vain, and of which distractors are made.
One index grows from size to size: real pictures are indexed from files, rows with keypoints made of
real ones are written as the indexer writes its rows. What is timed runs in one thread.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import cycle, islice
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line has it

import cv2
import numpy as np
from PIL import Image, ImageOps
from results import printed, record

from hashlens import ImageIndex
from hashlens.crops import extract
from hashlens.crops.find import find_matches
from hashlens.crops.keypoints import (
    FULL,
    KEYPOINTS,
    MOST_KEYPOINTS,
    OCTAVE,
    PLACE,
    SIDE,
    TURN,
    Keypoints,
    to_text,
)
from hashlens.evaluation import attacks
from hashlens.evaluation.drawings import Random, jpeg, stream
from hashlens.images.decode import decode
from hashlens.index.directory import DOCUMENTS, INDEXES
from hashlens.index.update import BATCH_ROWS
from hashlens.parallel.process import processors
from hashlens.schema import CROPS

TITLE = "Crops: recall and speed by collection size"
COMMAND = "python benchmarks/crops.py FOLDER"
ATTACKS = ("crop30", "crop15", "strong30", "screenshot", "fliph")
ASKED, KEPT_OUT = 0.2, 0.2  # of the photos; distractors are made of the others
TILES = 3000  # at most
SHARE = (0.2, 0.7)  # of a picture's area, that a distractor shows
SOURCE_SIDE = 2 * SIDE  # pixels: as many as are seen of a part
SIDES = (320, 1600)  # pixels: the longer side of a made picture
FLIPPED = 41  # of 1,024 bits of a made code
FURTHER, FURTHER_ROWS = 3, 1000  # batches written on top of each size, and their rows
LIMIT = 10
SQL = "select path, score, box from txtai where similar(:image, 'crops')"
MEGABYTE = 1e6

# Opens an index in a fresh process and asks for a picture, twice.
COLD = """
import json, sys, time
import cv2
from hashlens import ImageIndex
def memory():
    names = ("VmRSS", "RssAnon", "VmHWM")
    try:
        lines = open("/proc/self/status").read().splitlines()
    except OSError:  # not Linux
        return dict.fromkeys(names, 0)
    found = dict(line.split(":", 1) for line in lines)
    return {name: int(found[name].split()[0]) * 1024 for name in names}
cv2.setNumThreads(1)
picture = open(sys.argv[2], "rb").read()
before, began = memory(), time.perf_counter()
index = ImageIndex.open(sys.argv[1])
opened = time.perf_counter() - began
index.search(picture)
first = time.perf_counter() - began
again = time.perf_counter()
found = index.search(picture)
again = time.perf_counter() - again
print(json.dumps({"opened": opened, "first": first, "again": again, "before": before,
                  "after": memory(), "stage": found[0].stage}))
"""


# The collection


@dataclass(frozen=True)
class Split:
    """Photos that are asked for, that are kept out, and of which distractors are made."""

    asked: list[Path]
    kept_out: list[Path]
    sources: list[Path]

    @classmethod
    def of(cls, folder: Path, seed: int) -> Split:
        """Split the photos in a folder by their names."""
        split = cls([], [], [])
        for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() == ".jpg"):
            drawn = stream(seed, "split", path.name).random()
            if drawn < ASKED:
                split.asked.append(path)
            elif drawn < ASKED + KEPT_OUT:
                split.kept_out.append(path)
            else:
                split.sources.append(path)
        return split


def tile(sources: Sequence[Path], number: int, seed: int) -> bytes:
    """Return the file of a distractor: a part of a photo, mirrored or not, in any of 4 turns."""
    random = stream(seed, "tile", str(number))
    with Image.open(sources[int(random.integers(len(sources)))]) as photo:
        image = ImageOps.exif_transpose(photo).convert("RGB")
    side = random.uniform(*SHARE) ** 0.5
    size = [max(1, round(side * length)) for length in image.size]
    left, top = (
        int(random.integers(long - short + 1)) for long, short in zip(image.size, size, strict=True)
    )
    image = image.crop((left, top, left + size[0], top + size[1]))
    if random.random() < 0.5:
        image = ImageOps.mirror(image)
    return jpeg(image.rotate(90 * int(random.integers(4)), expand=True))


@dataclass(frozen=True)
class Source:
    """A photo or its mirror image: all its keypoints, and the frame in which they were found."""

    found: Keypoints
    frame: Any

    @cached_property
    def places(self) -> Any:
        """Return the places as complex numbers, in longer sides."""
        return (self.found.places["x"] + 1j * self.found.places["y"]) / FULL


class Maker:
    """Make keypoints of pictures that show a turned part of some photos."""

    def __init__(self, paths: Iterable[Path], seed: int) -> None:
        self.seed = seed
        self.sources = list(_sources(paths))

    def __call__(self, number: int) -> Keypoints:
        """Return those of a picture: real ones of a window, 4 % of whose bits are others."""
        random = stream(self.seed, "made", str(number))
        source = self.sources[random.integers(len(self.sources))]
        turn = random.uniform(0, 2 * np.pi)
        corner, window = _window(source.frame.shape, turn, random)
        within = (source.places - corner) * np.exp(-1j * turn)
        inside = (within.real >= 0) & (within.real <= window.real)
        inside &= (within.imag >= 0) & (within.imag <= window.imag)
        chosen = np.flatnonzero(inside)[:KEYPOINTS]  # the strongest come first
        longer = max(window.real, window.imag)
        old = source.found.places[chosen]
        places = np.zeros(len(chosen), PLACE)
        places["x"] = np.rint(within[chosen].real / longer * FULL)
        places["y"] = np.rint(within[chosen].imag / longer * FULL)
        places["scale"] = np.clip(np.rint(old["scale"] - OCTAVE * np.log2(longer)), 0, 255)
        places["angle"] = np.rint(old["angle"] - turn * TURN / (2 * np.pi)).astype(int) % TURN
        codes = source.found.codes[chosen] ^ flips(len(chosen), random)
        pixels = random.uniform(*SIDES) / longer
        size = round(window.real * pixels), round(window.imag * pixels)
        return Keypoints(codes, places, size, _shown(source.frame, corner, window, turn))


def _window(shape: tuple[int, int], turn: float, random: Random) -> tuple[complex, complex]:
    """Draw a turned window that lies within a frame and has its shape, in longer sides.

    Returns the place of its first corner, and its width and height.
    """
    height, width = np.array(shape) / max(shape)
    across, down = np.abs([np.cos(turn), np.sin(turn)])
    around = np.array([width * across + height * down, width * down + height * across])
    least, most = np.sqrt(SHARE)
    most = min(most, *(np.array([width, height]) / around))
    side = random.uniform(min(least, most), most)
    room = np.array([width, height]) - side * around
    middle = complex(width, height) / 2 + complex(*(random.uniform(-0.5, 0.5, 2) * room))
    window = side * complex(width, height)
    return middle - np.exp(1j * turn) * window / 2, window


def _sources(paths: Iterable[Path]) -> Iterator[Source]:
    for path in paths:
        pixels = decode(path, draft=("L", SOURCE_SIDE))
        frame = extract.frame(pixels.image, pixels.box, SOURCE_SIDE)
        for seen in (frame, np.ascontiguousarray(frame[:, ::-1])):
            found = extract.extract(seen, pixels.size, MOST_KEYPOINTS)
            yield Source(found, seen)


def _shown(frame: Any, corner: complex, window: complex, turn: float) -> bytes:
    """Return the thumbnail of a turned window, made as those of pictures are."""
    long = max(frame.shape)
    way, shift = np.exp(1j * turn), corner * long
    matrix = np.array([[way.real, -way.imag, shift.real], [way.imag, way.real, shift.imag]])
    size = max(1, round(window.real * long)), max(1, round(window.imag * long))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cut = cv2.warpAffine(frame, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    thumbnail: bytes = extract.thumbnail(cut.astype(np.uint8, copy=False))
    return thumbnail


def flips(count: int, random: Random) -> Any:
    """Return so many codes in which each bit is set with a chance of `FLIPPED` in 1,024."""
    bits = np.zeros(count, np.uint64)
    for n in range(10):
        drawn = random.integers(0, 2**64, count, dtype=np.uint64)
        bits = bits | drawn if FLIPPED >> n & 1 else bits & drawn
    return bits


@dataclass
class Batch:
    """Rows that were written at once: how many, and seconds, and those of the commit in them."""

    rows: int
    seconds: float
    commit: float


@dataclass
class Collection:
    """An index that grows, and what went into it."""

    path: Path
    split: Split
    seed: int
    kinds: Counter[str] = field(default_factory=Counter)
    batches: list[Batch] = field(default_factory=list)
    extraction: tuple[int, float] = (0, 0.0)  # real pictures, seconds

    @cached_property
    def maker(self) -> Maker:
        """Return what makes keypoints."""
        return Maker(self.split.sources, self.seed)

    def grow(self, size: int) -> None:
        """Index photos first, then tiles of them, then what is made."""
        with ImageIndex.open(self.path, keypoints=KEYPOINTS) as index:
            if not self.kinds:
                self._index(index, "photos", [*self.split.asked, *self.split.sources])
            count = min(TILES, size - self.kinds["photos"]) - self.kinds["tiles"]
            if count > 0:
                self._index(index, "tiles", self._tiles(count))
            made = self._made(index, size - self.kinds.total())
            while batch := list(islice(made, BATCH_ROWS)):
                self.batches.append(written(index, batch))
                self.kinds["made"] += len(batch)

    def further(self, index: ImageIndex) -> list[Batch]:
        """Write further rows, some times."""
        made = self._made(index, FURTHER * FURTHER_ROWS)
        return [written(index, list(islice(made, FURTHER_ROWS))) for _ in range(FURTHER)]

    def _index(self, index: ImageIndex, kind: str, paths: list[Path]) -> None:
        began = time.perf_counter()
        report = index.index(paths)
        seconds = time.perf_counter() - began
        assert report.hashed == len(paths), report
        self.kinds[kind] += len(paths)
        self.extraction = (self.extraction[0] + len(paths), self.extraction[1] + seconds)

    def _tiles(self, count: int) -> list[Path]:
        folder = self.path.with_name("tiles")
        folder.mkdir(exist_ok=True)
        first = self.kinds["tiles"]
        paths = [folder / f"{number:06}.jpg" for number in range(first, first + count)]
        for number, path in enumerate(paths, first):
            path.write_bytes(tile(self.split.sources, number, self.seed))
        return paths

    def _made(self, index: ImageIndex, count: int) -> Iterator[dict[str, Any]]:
        """Yield rows that are like those of photos in all but keypoints and fingerprints."""
        like = json.loads(index.sql("select data from txtai limit 1")[0]["data"])
        for number in range(self.kinds["made"], self.kinds["made"] + count):
            found = self.maker(number)
            path = str(self.path.with_name("made") / f"{number:06}.jpg")
            width, height = found.size
            text = stream(self.seed, "text", str(number)).bytes(8).hex()
            own = {"id": path, "path": path, "text": text, "width": width, "height": height}
            crops = {"keypoints": len(found.codes), CROPS: to_text(found.to_bytes())}
            yield like | own | crops


def written(index: ImageIndex, rows: list[dict[str, Any]]) -> Batch:
    """Write rows as the indexer does, and time it."""
    store: Any = index._store
    commits: list[float] = []
    plain = store._commit

    def timed() -> None:
        began = time.perf_counter()
        plain()
        commits.append(time.perf_counter() - began)

    store._commit = timed
    with store.writing():
        began = time.perf_counter()
        store.write([(row["id"], row, None) for row in rows])
        seconds = time.perf_counter() - began
    store._commit = plain
    return Batch(len(rows), seconds, sum(commits))


# Queries


@dataclass
class Asked:
    """A query: an attacked photo; the path of the right answer, None where there is none."""

    attack: str
    data: bytes
    path: str | None


def queries(split: Split, count: int, seed: int) -> list[Asked]:
    """Attack photos that are asked for, each in all ways, and photos kept out, each in one."""
    made = [
        Asked(attack, attacked(attack, path, seed), str(path.resolve()))
        for attack in ATTACKS
        for path in split.asked[:count]
    ]
    for path, attack in zip(split.kept_out[:count], cycle(("ident", *ATTACKS)), strict=False):
        made.append(Asked("absent", attacked(attack, path, seed), None))
    return made


def attacked(method: str, path: Path, seed: int) -> bytes:
    """Return the file of an attacked photo."""
    with Image.open(path) as photo:
        return attacks.attack(method, photo, seed=seed, name=path.name).data


@dataclass
class Answer:
    """What came of a query: paths of matches and seconds by way, and what was looked at."""

    asked: Asked
    paths: dict[str, list[str]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)  # of the processor
    waited: dict[str, float] = field(default_factory=dict)
    voted: int = 0
    verified: int = 0
    mirrored: bool = False

    @property
    def accepted(self) -> list[str]:
        """Return the paths of what was found."""
        return self.paths["find"]


class Watch:
    """Count the candidates of searches."""

    def __init__(self) -> None:
        self.voted = self.verified = 0
        module: Any = importlib.import_module(find_matches.__module__)
        votes, verify = module.votes, module.verify

        def counted(*given: Any, **more: Any) -> Any:
            found = votes(*given, **more)
            self.voted += len(found[0])
            return found

        def seen(*given: Any, **more: Any) -> Any:
            self.verified += 1
            return verify(*given, **more)

        module.votes, module.verify = counted, seen


def ask(index: ImageIndex, asked: Asked, watch: Watch) -> Answer:
    """Ask in all ways."""
    crops: Any = index._store._crop_index()
    answer = Answer(asked)

    def timed(way: str, work: Callable[[], Any]) -> Any:
        began, at = time.perf_counter(), time.process_time()
        found = work()
        answer.seconds[way] = time.process_time() - at
        answer.waited[way] = time.perf_counter() - began
        return found

    query = timed("decode", lambda: crops.batchtransform([asked.data])[0])
    timed("extract", lambda: query.keypoints)
    mirrored = query.mirrored()
    timed("mirrored", lambda: mirrored.keypoints)
    query.mirrored = lambda: mirrored
    watch.voted = watch.verified = 0
    found = timed("find", lambda: find_matches(crops.ann.table, query, LIMIT))
    answer.voted, answer.verified = watch.voted, watch.verified
    answer.mirrored = any(item.place.mirrored for item in found)
    rows = [item.row for item in found]
    known = index.sql(f"select indexid, path from txtai where indexid in ({_listed(rows)})")
    paths = {row["indexid"]: row["path"] for row in known}
    answer.paths["find"] = [paths[row] for row in rows]
    matches = timed("search", lambda: index.search(asked.data, limit=LIMIT))
    placed = sorted((m for m in matches if m.place), key=lambda m: -(m.correlation or 0))
    answer.paths["search"] = [match.path for match in placed]
    rows = timed("sql", lambda: index.sql(SQL, {"image": asked.data}))
    answer.paths["sql"] = [row["path"] for row in rows][:LIMIT]
    return answer


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers)) or "-1"


# Measuring


@dataclass
class Measured:
    """All that was measured at one size."""

    kinds: Counter[str]
    extraction: tuple[int, float]
    batches: list[Batch]
    further: list[Batch]
    bytes: dict[str, int]
    codes: int
    segments: int
    buckets: tuple[float, int]
    cold: dict[str, Any]
    answers: list[Answer]
    load: float

    @property
    def size(self) -> int:
        """Return how many pictures there are."""
        return self.kinds.total()

    def of(self, *names: str) -> list[Answer]:
        """Return the answers to some attacks."""
        return [answer for answer in self.answers if answer.asked.attack in names]


def measured(collection: Collection, size: int, asked: list[Asked]) -> Measured:
    """Grow a collection to a size, and measure."""
    collection.grow(size)
    print(f"{size:,} images: {dict(collection.kinds)}", flush=True)
    path = collection.path
    copy = path.with_name("further")
    shutil.copytree(path, copy)
    with ImageIndex.open(copy) as index:
        further = collection.further(index)
    shutil.rmtree(copy)
    picture = path.with_name("query.jpg")
    picture.write_bytes(asked[0].data)
    program = [sys.executable, "-c", COLD, str(path), str(picture)]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    with ImageIndex.open(path) as index:
        table = index._store._crop_index().ann.table
        watch = Watch()
        for segment in table.segments:
            segment.lookup  # noqa: B018  makes the tables
        ask(index, asked[0], watch)  # not counted: what is imported late
        answers = [ask(index, each, watch) for each in asked]
        return Measured(
            Counter(collection.kinds),
            collection.extraction,
            list(collection.batches),
            further,
            on_disk(path),
            sum(len(segment.codes) for segment in table.segments),
            len(table.segments),
            buckets(table),
            json.loads(done.stdout.splitlines()[-1]),
            answers,
            os.getloadavg()[0],
        )


def on_disk(path: Path) -> dict[str, int]:
    """Return the bytes on disk by what they are for."""
    found: Counter[str] = Counter()
    for file in path.rglob("*"):
        if file.is_file():
            kind = "other"
            if INDEXES in file.parts:
                kind = {
                    "codes.npy": "codes",
                    "places.npy": "codes",
                    "thumbnails.npy": "thumbnails",
                }.get(file.name, "other")
            elif file.name.startswith(DOCUMENTS):
                kind = "content"
            found[kind] += file.stat().st_size
    return found


def buckets(table: Any) -> tuple[float, int]:
    """Return the mean and the largest number of codes that are equal in a band."""
    codes = np.concatenate([segment.codes for segment in table.segments])
    counts = [
        np.bincount((codes >> np.uint64(16 * band) & np.uint64(0xFFFF)).astype(np.int64))
        for band in range(4)
    ]
    return len(codes) / 2**16, max(int(each.max()) for each in counts)


# Telling


def told(split: Split, results: Sequence[Measured], seed: int) -> str:
    """Return all tables."""
    last = results[-1]
    parts = [
        f"Photos: {len(split.asked)} that are asked for and {len(split.sources)} of which "
        f"distractors are made are in the collection, {len(split.kept_out)} are kept out and asked "
        f"for in vain; a hash of the name with seed {seed} tells which. *Tiles* are real pictures: "
        "20-70 % of such a photo, half of them mirrored, turned by right angles or not, written as "
        "JPEG and indexed from the file. *Made* rows are no pictures: they have the real "
        f"keypoints (the {KEYPOINTS} strongest) of a window with up to 70 % of such a photo or its "
        "mirror image, moved by a random similarity, 4 % of the bits of codes flipped at random; "
        "the thumbnail of that window; and a random fingerprint. Load: that of the machine, which "
        "is shared. All queries are answered in one thread.",
        _collections(results),
        _building(results),
        "What is on disk, for an image. Targets: at most 3 kB of codes and places, and 2 kB of "
        "thumbnails.\n\n" + _disk(results),
        "A fresh process: opens the index and asks `ImageIndex.search` for a crop, twice; no "
        "lookup tables are there, but files are in the page cache. Memory: resident, of which "
        "anonymous, and the most there was.\n\n" + _starting(results),
        f"Queries: {len(last.of(ATTACKS[0]))} photos attacked in each way, and "
        f"{len(last.of('absent'))} photos that are not there, attacked in turn or as they are. "
        "*Accepted and correct*: the best match is the photo. *Wrong*: queries with a match that "
        "is another photo, or made of one.\n\n" + _recall(results),
        "Milliseconds of a query, of the processor: median, and 95th percentile, with lookup "
        "tables; *waited*: by the clock, on a shared machine. Targets: 75 ms with extraction at "
        "1,000 images, 250 ms after extraction at 100,000. *With extraction*: reading, extraction "
        "and `matching.find`; "
        "of absent pictures and of mirrored ones the mirror image is extracted as well.\n\n"
        + _speed(results),
    ]
    return "\n\n".join(parts)


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join(lines)


def _collections(results: Sequence[Measured]) -> str:
    head = (
        *("images", "photos", "tiles", "made", "keypoints an image", "segments"),
        *("codes in a bucket, mean", "largest", "load"),
    )
    return table(
        head,
        (
            (
                *(f"{r.size:,}", *(f"{r.kinds[kind]:,}" for kind in ("photos", "tiles", "made"))),
                *(f"{r.codes / r.size:.0f}", r.segments, f"{r.buckets[0]:.1f}"),
                *(f"{r.buckets[1]:,}", f"{r.load:.1f}"),
            )
            for r in results
        ),
    )


def _building(results: Sequence[Measured]) -> str:
    text = (
        f"Real pictures were indexed by {processors()} processes, made rows written in batches of "
        f"{BATCH_ROWS:,}, each of which is committed, as by the indexer. *Further rows*: "
        f"{FURTHER} batches of {FURTHER_ROWS:,} on top of that, median and longest."
    )
    head = (
        *("images", "real, images/s", "made, s", "rows/s", "rows/s, last ten batches"),
        *("commit s, mean", "longest", f"{FURTHER_ROWS:,} further rows, s", "of which commit"),
    )
    return (
        text
        + "\n\n"
        + table(
            head,
            (
                (
                    f"{r.size:,}",
                    f"{r.extraction[0] / r.extraction[1]:.0f}",
                    *_batches(r.batches),
                    _both([batch.seconds for batch in r.further]),
                    _both([batch.commit for batch in r.further]),
                )
                for r in results
            ),
        )
    )


def _batches(batches: Sequence[Batch]) -> tuple[str, ...]:
    if not batches:
        return ("",) * 5
    commits = [batch.commit for batch in batches]
    return (
        f"{sum(batch.seconds for batch in batches):.1f}",
        _rate(batches),
        _rate(batches[-10:]),
        f"{statistics.mean(commits):.3f}",
        f"{max(commits):.2f}",
    )


def _rate(batches: Sequence[Batch]) -> str:
    return f"{sum(b.rows for b in batches) / sum(b.seconds for b in batches):,.0f}"


def _both(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f}, {max(values):.2f}"


def _disk(results: Sequence[Measured]) -> str:
    kinds = ("codes", "thumbnails", "other", "content")
    head = (
        "images",
        "codes and places, B",
        "thumbnails, B",
        "rest of the crop index, B",
        "content database, B",
    )
    return table(
        head,
        ((f"{r.size:,}", *(f"{r.bytes[kind] / r.size:,.0f}" for kind in kinds)) for r in results),
    )


def _starting(results: Sequence[Measured]) -> str:
    head = (
        *("images", "opened after s", "first answer after s", "second takes ms"),
        *("MB before opening", "MB after answers", "anonymous", "most"),
    )
    rows = []
    for r in results:
        before, after = r.cold["before"], r.cold["after"]
        memory = (before["VmRSS"], after["VmRSS"], after["RssAnon"], after["VmHWM"])
        rows.append(
            (
                *(f"{r.size:,}", f"{r.cold['opened']:.2f}", f"{r.cold['first']:.2f}"),
                f"{1000 * r.cold['again']:.0f}",
                *(f"{each / MEGABYTE:,.0f}" for each in memory),
            )
        )
    return table(head, rows)


def _recall(results: Sequence[Measured]) -> str:
    head = (
        *("images", *ATTACKS, "all attacks", "wrong", "absent, accepted"),
        *("pictures with votes, median", "verified, median", "most", "ways that agree"),
    )
    rows = []
    for r in results:
        attacked = r.of(*ATTACKS)
        absent = r.of("absent")
        rows.append(
            (
                f"{r.size:,}",
                *(_share(r.of(attack)) for attack in ATTACKS),
                _share(attacked),
                f"{sum(map(_is_wrong, attacked))} of {len(attacked)}",
                f"{sum(map(_is_wrong, absent))} of {len(absent)}",
                f"{statistics.median(answer.voted for answer in r.answers):,.0f}",
                f"{statistics.median(answer.verified for answer in r.answers):.0f}",
                max(answer.verified for answer in r.answers),
                f"{sum(map(_agrees, r.answers))} of {len(r.answers)}",
            )
        )
    return table(head, rows)


def _is_right(answer: Answer) -> bool:
    return answer.accepted[:1] == [answer.asked.path]


def _is_wrong(answer: Answer) -> bool:
    return bool(set(answer.accepted) - {answer.asked.path})


def _agrees(answer: Answer) -> bool:
    """Tell whether all ways gave the same best match, or none."""
    return len({tuple(paths[:1]) for paths in answer.paths.values()}) == 1


def _share(answers: Sequence[Answer]) -> str:
    return f"{100 * sum(map(_is_right, answers)) / len(answers):.1f} %"


def _speed(results: Sequence[Measured]) -> str:
    head = (
        *("images", "queries", "extraction", "`find`, after extraction", "with extraction"),
        *("`ImageIndex.search`", "SQL `similar(…)`", "waited for `find`", "for `search`"),
    )
    groups = {name: (name,) for name in (*ATTACKS, "absent")} | {"all": (*ATTACKS, "absent")}
    return table(
        head,
        (
            (
                f"{r.size:,}",
                name,
                _times(r.of(*names), "decode", "extract"),
                _times(r.of(*names), "find"),
                _times(r.of(*names), "decode", "extract", "mirrored", "find"),
                _times(r.of(*names), "search"),
                _times(r.of(*names), "sql"),
                _times(r.of(*names), "find", waited=True),
                _times(r.of(*names), "search", waited=True),
            )
            for r in results
            for name, names in groups.items()
        ),
    )


def _times(answers: Sequence[Answer], *ways: str, waited: bool = False) -> str:
    spent = [sum(_seconds(answer, way, waited) for way in ways) for answer in answers]
    return f"{1000 * np.median(spent):.0f}, {1000 * np.percentile(spent, 95):.0f}"


def _seconds(answer: Answer, way: str, waited: bool) -> float:
    """Return the seconds of a step; the mirror image is extracted if nothing else was found."""
    if way == "mirrored" and answer.accepted and not answer.mirrored:
        return 0.0
    return (answer.waited if waited else answer.seconds)[way]


def main() -> None:
    """Run the measurement."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sizes", default="1000,10000,100000", help="images, by commas")
    parser.add_argument("--queries", type=int, default=60, help="photos that are asked for")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dry", action="store_true", help="print only")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    split = Split.of(given.folder, given.seed)
    asked = queries(split, given.queries, given.seed)
    with tempfile.TemporaryDirectory() as home:
        collection = Collection(Path(home) / "index", split, given.seed)
        sizes = sorted(map(int, given.sizes.split(",")))
        results = [measured(collection, size, asked) for size in sizes]
    text = told(split, results, given.seed)
    (printed if given.dry else record)(TITLE, COMMAND, text)


if __name__ == "__main__":
    main()
