"""The images of an index as columns: each of a million rows takes some 200 bytes."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from sys import intern
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashlens.grouping.many import many
from hashlens.grouping.rule import Texts, ranks
from hashlens.grouping.turned import Turned
from hashlens.hashing.metrics import is_hex
from hashlens.model import LOW_INFORMATION, Member, Progress
from hashlens.names import names_of
from hashlens.neighbors import pack, unpack
from hashlens.neighbors.codes import Codes, Ints, pack_joined
from hashlens.schema import EXIF_NUMBERS, EXIF_TEXTS, GROUPED, GROUPED_NUMBERS, TURNED


@dataclass(frozen=True, slots=True)
class Collection:
    """Images as columns, sorted by id: their fingerprints, packed, and the facts of their rows.

    `turned`: their orientations, if distances allow for turns; see `hashlens.grouping.turned`.
    `progress`: called for the files that rules read to choose keepers.
    """

    ids: Sequence[str]
    paths: Sequence[str]
    codes: Codes
    digits: int
    information: NDArray[np.float64]
    numbers: dict[str, Ints]
    formats: Sequence[str]
    file_digests: NDArray[np.bytes_]
    pixel_digests: NDArray[np.bytes_]
    damaged: Sequence[str]
    frame_hashes: Sequence[str]
    exif: Mapping[str, Ints | Texts]
    turn_hashes: Sequence[str] = ()
    turned: Turned | None = None
    progress: Callable[[Progress], None] | None = None

    def __len__(self) -> int:
        """Count the images."""
        return len(self.ids)

    def fingerprints(self, rows: Ints | slice = slice(None)) -> list[str]:
        """Return the fingerprints of some rows in hex."""
        return unpack(self.codes[rows], self.digits)

    def flat_files(self, counted: NDArray[np.bool_]) -> tuple[Ints, Ints]:
        """Return the flat pictures among the counted rows, and the number of the file of each.

        Pictures with equal files have the same number; pictures whose files are not known are left
        out.
        """
        is_flat = (self.information < LOW_INFORMATION) & counted & (self.file_digests != b"")
        rows = np.flatnonzero(is_flat)
        return rows, np.unique(self.file_digests[rows], return_inverse=True)[1]

    def facts(self) -> dict[str, Any]:
        """Return the columns that keeper rules look at."""
        texts = {"path": self.paths, "format": self.formats, "damaged": self.damaged}
        more = {"file_digest": self.file_digests, "turned": self.turned, "progress": self.progress}
        return {**texts, **self.numbers, **self.exif, **more}

    def members(
        self,
        rows: Ints,
        distances: Iterable[float],
        same: Iterable[str],
        turns: Iterable[str] = repeat(""),
    ) -> list[Member]:
        """Return some rows as members of groups, with what each has in common with its keeper."""
        places = rows.tolist()
        ids = [self.ids[row] for row in places]
        return many(
            Member,
            len(rows),
            id=ids,
            path=ids if self.paths is self.ids else [self.paths[row] for row in places],
            fingerprint=self.fingerprints(rows),
            distance=distances,
            format=[self.formats[row] for row in places],
            information=self.information[rows].tolist(),
            file_digest=map(bytes.decode, self.file_digests[rows].tolist()),
            damaged=[self.damaged[row] for row in places],
            same=same,
            turn=turns,
            sharpness=repeat(None),
            **{name: numbers[rows].tolist() for name, numbers in self.numbers.items()},
        )

    def path_order(self, rows: Ints) -> Ints:
        """Return numbers that sort as the paths of some rows."""
        return rows if self.paths is self.ids else ranks([self.paths[row] for row in rows.tolist()])


@contextmanager
def gc_paused() -> Iterator[None]:
    """Pause the garbage collector: its passes over millions of objects find no garbage."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@gc_paused()
def read_collection(
    blocks: Iterable[Sequence[Sequence[Any]]], digits: int, names: Sequence[str] = GROUPED
) -> Collection:
    """Read blocks of images, in any order: columns of ids, of fingerprints, and of some names.

    The names are those of `GROUPED`; for turned copies, followed by those of `TURNED`. Rows without
    a fingerprint of the length `digits` are left out.
    """
    kept: list[dict[str, Any]] = []
    known: dict[str, dict[str, int]] = {name: {"": 0} for name in EXIF_TEXTS}
    codes = [pack([])[:0] if digits <= 16 else pack(["0" * digits])[:0]]
    for block in blocks:
        columns, packed = block, _packed(block[1], digits)
        if packed is None:
            rows = [row for row in zip(*block, strict=True) if _fits(row[1], digits)]
            columns = list(zip(*rows, strict=True)) or [[] for _ in block]
            packed = pack(columns[1]) if rows else codes[0]
        codes.append(packed)
        facts = dict(zip(names, columns[2:], strict=True))
        numbered = {name: _numbered(facts[name], known[name]) for name in EXIF_TEXTS}
        kept.append(_compact(columns[0], facts) | numbered)
    ids = [uid for block in kept for uid in block["id"]]
    by_id = sorted(range(len(ids)), key=ids.__getitem__)
    order = np.array(by_id, np.int64)

    def texts(name: str) -> list[str]:
        every = [text for block in kept for text in block[name]]
        return [every[row] for row in by_id]

    def values(name: str, kind: Any) -> NDArray[Any]:
        found: NDArray[Any] = np.concatenate([np.empty(0, kind), *(block[name] for block in kept)])
        return found[order]

    ids = [ids[row] for row in by_id]
    are_paths = all(block["path"] is block["id"] for block in kept)
    return Collection(
        ids=ids,
        paths=ids if are_paths else texts("path"),
        codes=np.asfortranarray(np.concatenate(codes)[order]),
        digits=digits,
        information=values("information", np.float64),
        numbers={name: values(name, np.int64) for name in GROUPED_NUMBERS},
        formats=texts("format"),
        file_digests=values("file_digest", "S1"),
        pixel_digests=values("pixel_digest", "S1"),
        damaged=texts("damaged"),
        frame_hashes=texts("frame_hashes"),
        exif={
            **{name: values(name, np.int64) for name in EXIF_NUMBERS},
            **{name: Texts(values(name, np.int32), list(known[name])) for name in EXIF_TEXTS},
        },
        turn_hashes=texts("turn_hash") if "turn_hash" in names else (),
    )


def _packed(texts: Sequence[Any], digits: int) -> Codes | None:
    """Pack fingerprints; None if some do not fit."""
    if set(map(type, texts)) != {str} or set(map(len, texts)) != {digits}:
        return None
    return pack_joined("".join(texts).lower(), digits)


def _fits(text: Any, digits: int) -> bool:
    return isinstance(text, str) and len(text) == digits and is_hex(text)


def _compact(ids: Sequence[str], columns: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """Return ids and columns of a block in the form in which a collection has them."""
    paths = columns["path"]
    if paths != ids:
        paths = [path or uid for path, uid in zip(_only(str, paths, ""), ids, strict=True)]
    names = names_of(list(paths))
    return {
        "id": ids,
        "path": ids if names == ids else names,  # equal texts are kept once
        "information": _numbers(columns["information"], float),
        "format": list(map(intern, _only(str, columns["format"], ""))),
        "damaged": list(map(intern, _only(str, columns["damaged"], ""))),
        "frame_hashes": _only(str, columns["frame_hashes"], ""),
        "file_digest": _digests(columns["file_digest"]),
        "pixel_digest": _digests(columns["pixel_digest"]),
        **{name: _numbers(columns[name], int) for name in (*GROUPED_NUMBERS, *EXIF_NUMBERS)},
        **{name: _only(str, columns[name], "") for name in TURNED if name in columns},
    }


def _numbered(values: Sequence[Any], known: dict[str, int]) -> NDArray[np.int32]:
    """Return the number of each text among those known; new texts are added to them."""
    if set(map(type, values)) == {type(None)}:
        return np.zeros(len(values), np.int32)
    texts = _only(str, values, "")
    return np.fromiter((known.setdefault(text, len(known)) for text in texts), np.int32)


def _numbers(values: Sequence[Any], kind: type[float]) -> NDArray[Any]:
    """Return values as numbers of a kind; 0 stands for anything else."""
    found = np.array(values)
    if found.dtype not in (np.int64, kind):
        found = np.array(_only(int | kind, values, 0))
    return found.astype(kind)


def _only(kind: Any, values: Sequence[Any], other: Any) -> Sequence[Any]:
    """Return values; `other` stands for values of another kind, which foreign code may write."""
    kinds = set(map(type, values))
    if kinds == {kind}:
        return values
    if kinds == {type(None)}:
        return [other] * len(values)
    return [value if isinstance(value, kind) else other for value in values]


def _digests(values: Sequence[Any]) -> NDArray[np.bytes_]:
    texts = _only(str, values, "")
    joined = "".join(texts)
    if set(map(len, texts)) == {64} and joined.isascii():
        return np.frombuffer(joined.encode(), "S64")
    if not joined:
        return np.zeros(len(texts), "S1")
    return np.array([text if text.isascii() and len(text) <= 64 else "" for text in texts], "S")
