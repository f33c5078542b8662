"""A collection that grows: photos, tiles of them, and rows with made keypoints."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from crops_made import SHARE, Maker
from PIL import Image, ImageOps
from timing import timed

from hashlens import ImageIndex
from hashlens.crops.keypoints import KEYPOINTS, bytes_to_text
from hashlens.evaluation.drawings import jpeg, stream
from hashlens.index import store
from hashlens.index.update import BATCH_ROWS
from hashlens.schema import CROPS

ASKED, KEPT_OUT = 0.2, 0.2  # of the photos; distractors are made of the others
TILES = 3000  # at most
FURTHER, FURTHER_ROWS = 3, 1000  # batches that are written on top of each size, and their rows


@dataclass(frozen=True)
class Split:
    """The photos, by their part in the benchmark.

    asked: photos in the collection, whose attacked copies are queries
    kept_out: photos whose copies are queries and that are not in the collection
    sources: photos in the collection, of which distractors are made
    """

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
    """Return the file of a distractor: a part of a photo, perhaps mirrored, in one of 4 turns."""
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


@dataclass
class Batch:
    """Rows that were written at once.

    seconds: of writing, the commit included
    commit: seconds of the commit
    """

    rows: int
    seconds: float
    commit: float


@dataclass
class Collection:
    """An index that grows, and its contents.

    kinds: number of pictures by kind: photos, tiles, made
    batches: made rows as they were written
    extraction: number of real pictures, and the seconds of indexing them
    """

    path: Path
    split: Split
    seed: int
    kinds: Counter[str] = field(default_factory=Counter)
    batches: list[Batch] = field(default_factory=list)
    extraction: tuple[int, float] = (0, 0.0)

    @cached_property
    def maker(self) -> Maker:
        """Return the maker of keypoints."""
        return Maker(self.split.sources, self.seed)

    def grow(self, size: int) -> None:
        """Grow to `size` pictures: photos first, then tiles of them, then made rows."""
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
        """Write further rows in batches."""
        made = self._made(index, FURTHER * FURTHER_ROWS)
        return [written(index, list(islice(made, FURTHER_ROWS))) for _ in range(FURTHER)]

    def _index(self, index: ImageIndex, kind: str, paths: list[Path]) -> None:
        seconds, report = timed(lambda: index.index(paths))
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
        """Yield rows that equal a photo's except for keypoints and fingerprint."""
        like = json.loads(index.sql("select data from txtai limit 1")[0]["data"])
        for number in range(self.kinds["made"], self.kinds["made"] + count):
            found = self.maker(number)
            path = str(self.path.with_name("made") / f"{number:06}.jpg")
            width, height = found.size
            text = stream(self.seed, "text", str(number)).bytes(8).hex()
            own = {"id": path, "path": path, "text": text, "width": width, "height": height}
            crops = {"keypoints": len(found.codes), CROPS: bytes_to_text(found.to_bytes())}
            yield like | own | crops


def written(index: ImageIndex, rows: list[dict[str, Any]]) -> Batch:
    """Write rows as the indexer does; return the seconds."""
    commits: list[float] = []
    plain = store.commit
    store.commit = lambda *given: commits.append(timed(lambda: plain(*given))[0])
    with index._store.writing():
        seconds, _ = timed(lambda: index._store.write([(row["id"], row, None) for row in rows]))
    store.commit = plain
    return Batch(len(rows), seconds, sum(commits))
