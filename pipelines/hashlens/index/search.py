"""One image against all of an index: the rows that match it, in the order of how sure that is.

The stages of a match are those of `STAGES`: equal files, near fingerprints, pictures of which one
shows a part of the other, and the nearest of the others, which may be anything.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from hashlens.errors import QueryError
from hashlens.hashing.metrics import total_similarity
from hashlens.images import decode, digests
from hashlens.index.store import Store
from hashlens.model import LOW_INFORMATION, Match, Place
from hashlens.rows.settings import Settings, crop_index
from hashlens.schema import MATCHED, PLACE_JSON, PLACE_TYPES
from hashlens.sql.checks import check_fingerprint

if TYPE_CHECKING:
    from hashlens.images.pixels import Pixels, Source

STAGES = ("digest", "hash", "crop", "nearest")
_COLUMNS = ", ".join(MATCHED)
_PLACE = tuple(PLACE_TYPES)


class SearchImage(NamedTuple):
    """What is searched for: a fingerprint, and of an image the digest and the picture."""

    fingerprint: str
    digest: str | None = None
    picture: Pixels | None = None


def read_search_image(query: Source, settings: Settings, *, picture: bool) -> SearchImage:
    """Read a query as the index with these settings reads its rows; with its `picture` or without.

    Raises QueryError for a text that is neither a file nor a fingerprint, and ImageError for an
    image that cannot be read.
    """
    if isinstance(query, str) and not os.path.exists(query):
        try:
            fits = settings.hash.digits if settings.metric == "hamming" else None
            return SearchImage(check_fingerprint(query, fits))
        except QueryError as error:
            msg = f"{query!r} is neither an existing file nor a fingerprint: {error}"
            raise QueryError(msg) from error
    name = os.fspath(query) if isinstance(query, (str, os.PathLike)) else None
    data = query if isinstance(query, bytes) else decode.read(name) if name else None
    pixels = settings.hasher.decode(query if data is None else data, name=name)
    fingerprint = settings.hasher.fingerprints([settings.hasher.samples(pixels)])[0][0]
    digest = digests.file_digest(data) if data else None
    return SearchImage(fingerprint, digest, pixels if picture else None)


def search(
    store: Store, wanted: SearchImage, metric: str, *, limit: int, most: float | None
) -> list[Match]:
    """Return the first matches; `most` is the largest distance, where None has the nearest too."""
    bound = "" if most is None else "and distance(text, :q) <= :most"
    rows = store.query(
        f"select {_COLUMNS}, distance(text, :q) d from txtai "
        f"where text is not null {bound} order by d, indexid",
        {"q": wanted.fingerprint} | ({} if most is None else {"most": most}),
        limit,
    )
    if wanted.digest and len(rows) == limit and rows[-1]["d"] == 0:
        rows = [*_equal(store, wanted, limit), *rows]  # one of which may come after these
    found = {row["id"]: _match(row, wanted, metric, most) for row in rows}
    every = list(found.values())
    if wanted.picture is not None:
        every = _with_crops(store, every, wanted, metric, limit)
    return sorted(every, key=lambda match: STAGES.index(match.stage))[:limit]


def _equal(store: Store, wanted: SearchImage, limit: int) -> list[dict[str, Any]]:
    """Return the rows of equal files."""
    return store.query(
        f"select {_COLUMNS}, distance(text, :q) d from txtai "
        "where distance(text, :q) <= 0 and file_digest = :digest order by indexid",
        {"q": wanted.fingerprint, "digest": wanted.digest},
        limit,
    )


def _with_crops(
    store: Store, found: list[Match], wanted: SearchImage, metric: str, limit: int
) -> list[Match]:
    """Return matches with those of the crop index, and with the places of those that it has."""
    accepted = {match.id for match in found if match.stage in ("digest", "hash")}
    most = limit + len(accepted)  # so many of these are no news
    rows = store.query(
        f"select {_COLUMNS}, distance(text, :q) d, {', '.join(_PLACE)} from txtai "
        f"where similar(:image, {most}, '{crop_index(store.config)}') order by score desc, indexid",
        {"q": wanted.fingerprint, "image": wanted.picture},
        most,
    )
    located = {row["id"]: (row, _place(row)) for row in rows}
    known = [
        replace(match, place=located[match.id][1]) if match.id in located else match
        for match in found
        if match.id in accepted or match.id not in located
    ]
    return known + [
        replace(_match(row, wanted, metric, None), stage="crop", place=place)
        for uid, (row, place) in located.items()
        if uid not in accepted
    ]


def _match(row: dict[str, Any], wanted: SearchImage, metric: str, most: float | None) -> Match:
    """Return the match of a row; `most` is the largest distance of one by hash."""
    alike = total_similarity(wanted.fingerprint, row["text"], metric)
    says_much = (row["information"] or 0) >= LOW_INFORMATION
    if wanted.digest and row["file_digest"] == wanted.digest:
        stage = "digest"
    elif most is not None or (row["d"] == 0 and says_much):
        stage = "hash"
    else:
        stage = "nearest"
    apart = ("id", "path", "d", *_PLACE)
    rest = {key: row[key] for key in row if key not in apart}
    return Match(row["id"], row["path"], row["d"], alike, rest, stage)


def _place(row: Mapping[str, Any]) -> Place:
    box, fractions, outline, transform = (json.loads(row[name]) for name in PLACE_JSON)
    return Place(
        box=tuple(box),
        fractions=tuple(fractions),
        outline=tuple(map(tuple, outline)),
        transform=(tuple(transform[0]), tuple(transform[1])),
        inliers=row["inliers"],
        correlation=row["correlation"],
        agreement=row["agreement"],
        mirrored=bool(row["mirrored"]),
    )
