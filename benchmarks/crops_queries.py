"""Ask a collection for attacked photos in all ways, and watch what a search looks at."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

from crops_collection import Split
from PIL import Image

from hashlens import ImageIndex
from hashlens.crops.find import find_matches
from hashlens.evaluation import attacks
from hashlens.index.txtai_quirks import crop_index_of

ATTACKS = ("crop30", "crop15", "strong30", "screenshot", "fliph")
LIMIT = 10
SQL = "select path, score, box from txtai where similar(:image, 'crops')"


@dataclass
class Asked:
    """A query.

    attack: how its photo was attacked, or absent
    data: the attacked file
    path: of the right answer; None if the photo is not in the collection
    """

    attack: str
    data: bytes
    path: str | None


def queries(split: Split, count: int, seed: int) -> list[Asked]:
    """Return the queries: each asked photo in all attacks, and each kept-out photo in one."""
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
    """The answers to a query, by the ways in which it was asked.

    paths: of matches, by way
    seconds: of the processor, by way and step
    waited: seconds of the clock, by way and step
    voted: pictures that got votes
    verified: pictures whose geometry was verified
    mirrored: whether a match is a mirror image
    """

    asked: Asked
    paths: dict[str, list[str]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    waited: dict[str, float] = field(default_factory=dict)
    voted: int = 0
    verified: int = 0
    mirrored: bool = False

    @property
    def accepted(self) -> list[str]:
        """Return the paths of matches, the best first."""
        return self.paths["find"]


class Watch:
    """Count the candidates of searches.

    voted: pictures that got votes
    verified: pictures whose geometry was verified
    """

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
    """Ask in all ways, one step after the other."""
    crops: Any = crop_index_of(index._store._embeddings)
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
    known = index.sql(f"select indexid, path from txtai where indexid in ({listed(rows)})")
    paths = {row["indexid"]: row["path"] for row in known}
    answer.paths["find"] = [paths[row] for row in rows]
    matches = timed("search", lambda: index.search(asked.data, limit=LIMIT))
    placed = sorted((m for m in matches if m.place), key=lambda m: -(m.correlation or 0))
    answer.paths["search"] = [match.path for match in placed]
    rows = timed("sql", lambda: index.sql(SQL, {"image": asked.data}))
    answer.paths["sql"] = [row["path"] for row in rows][:LIMIT]
    return answer


def listed(numbers: Iterable[int]) -> str:
    """Return numbers for the `in (…)` of a query."""
    return ", ".join(map(str, numbers)) or "-1"
