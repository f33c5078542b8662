"""Find the rows that match one image, and order them by how sure each match is.

The stages of a match are those of `STAGES`: equal files, near fingerprints, pictures one of which
shows a part of the other, and the nearest of the others, which may be unrelated.
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
from hashlens.index.arguments import at_least_one, require_crops
from hashlens.index.calibrate import AutoDistance, Bound
from hashlens.index.store import Store
from hashlens.model import LOW_INFORMATION, Match, Place
from hashlens.names import as_names
from hashlens.rows.settings import Settings, crop_index
from hashlens.schema import MATCHED, PLACE_JSON, PLACE_TYPES
from hashlens.sql.checks import check_fingerprint

if TYPE_CHECKING:
    from hashlens.images.pixels import Pixels, Source

STAGES = ("digest", "hash", "crop", "nearest")
_COLUMNS = ", ".join(MATCHED)
_PLACE = tuple(PLACE_TYPES)


def search(
    store: Store,
    settings: Settings,
    auto: AutoDistance,
    query: Source,
    *,
    limit: int,
    max_distance: Bound,
    crops: bool | None,
) -> list[Match]:
    """Find the rows that match an image or a fingerprint; see `ImageIndex.search`."""
    if crops:
        require_crops(store.path, store.config)
    rows, bound = at_least_one(limit), auto.for_search(max_distance)
    seeks_crops = crops is not False and crop_index(store.config) is not None
    wanted = read_search_image(query, settings, picture=seeks_crops)
    return find_matches(store, wanted, settings.metric, limit=rows, max_distance=bound)


class SearchImage(NamedTuple):
    """The query of a search.

    - `fingerprint`: its hash in hex
    - `digest`: the digest of its file's bytes; None if it is not a file
    - `picture`: its pixels, if parts of pictures are to be found
    """

    fingerprint: str
    digest: str | None = None
    picture: Pixels | None = None


def read_search_image(query: Source, settings: Settings, *, picture: bool) -> SearchImage:
    """Read a query as an index with these settings reads its rows, with its `picture` or without.

    Raises QueryError for a text that is neither a file nor a fingerprint, and ImageError for an
    image that cannot be read.
    """
    if isinstance(query, str) and not os.path.exists(query):
        try:
            digits = settings.hash.digits if settings.metric == "hamming" else None
            return SearchImage(check_fingerprint(query, digits))
        except QueryError as error:
            msg = f"{query!r} is neither an existing file nor a fingerprint: {error}"
            raise QueryError(msg) from error
    name = os.fspath(query) if isinstance(query, (str, os.PathLike)) else None
    data = query if isinstance(query, bytes) else decode.read(name) if name else None
    pixels = settings.hasher.decode(query if data is None else data, name=name)
    fingerprint = settings.hasher.fingerprints([settings.hasher.samples(pixels)])[0][0]
    digest = digests.file_digest(data) if data else None
    return SearchImage(fingerprint, digest, pixels if picture else None)


def find_matches(
    store: Store, wanted: SearchImage, metric: str, *, limit: int, max_distance: float | None
) -> list[Match]:
    """Return the first matches; with `max_distance` None, the nearest rows are matches too."""
    bound = "" if max_distance is None else "and distance(text, :q) <= :most"
    rows = store.rows(
        f"select {_COLUMNS}, distance(text, :q) d from txtai "
        f"where text is not null {bound} order by d, indexid",
        {"q": wanted.fingerprint} | ({} if max_distance is None else {"most": max_distance}),
        limit,
    )
    if wanted.digest and len(rows) == limit and rows[-1]["d"] == 0:
        rows = [*_equal_files(store, wanted, limit), *rows]  # an equal file may come after these
    found = {row["id"]: _match(row, wanted, metric, max_distance) for row in rows}
    matches = list(found.values())
    if wanted.picture is not None:
        matches = _with_crops(store, matches, wanted, metric, limit)
    return sorted(matches, key=lambda match: STAGES.index(match.stage))[:limit]


def _equal_files(store: Store, wanted: SearchImage, limit: int) -> list[dict[str, Any]]:
    return store.rows(
        f"select {_COLUMNS}, distance(text, :q) d from txtai "
        "where distance(text, :q) <= 0 and file_digest = :digest order by indexid",
        {"q": wanted.fingerprint, "digest": wanted.digest},
        limit,
    )


def _with_crops(
    store: Store, matches: list[Match], wanted: SearchImage, metric: str, limit: int
) -> list[Match]:
    """Add the matches of the crop index, and the places of the query in earlier matches."""
    accepted = {match.id for match in matches if match.stage in ("digest", "hash")}
    rows_needed = limit + len(accepted)  # the crop index may find all accepted rows first
    rows = store.rows(
        f"select {_COLUMNS}, distance(text, :q) d, {', '.join(_PLACE)} from txtai where "
        f"similar(:image, {rows_needed}, '{crop_index(store.config)}') "
        "order by score desc, indexid",
        {"q": wanted.fingerprint, "image": wanted.picture},
        rows_needed,
    )
    located = {row["id"]: (row, _place(row)) for row in rows}
    earlier = [
        replace(match, place=located[match.id][1]) if match.id in located else match
        for match in matches
        if match.id in accepted or match.id not in located
    ]
    return earlier + [
        replace(_match(row, wanted, metric, None), stage="crop", place=place)
        for uid, (row, place) in located.items()
        if uid not in accepted
    ]


def _match(
    row: dict[str, Any], wanted: SearchImage, metric: str, max_distance: float | None
) -> Match:
    """Return the match of a row; with a `max_distance`, the row is known to be within it."""
    similarity = total_similarity(wanted.fingerprint, row["text"], metric)
    is_flat = (row["information"] or 0) < LOW_INFORMATION
    if wanted.digest and row["file_digest"] == wanted.digest:
        stage = "digest"
    elif max_distance is not None or (row["d"] == 0 and not is_flat):
        stage = "hash"
    else:
        stage = "nearest"
    fields = ("id", "path", "d", *_PLACE)
    more = {key: row[key] for key in row if key not in fields}
    return Match(row["id"], as_names(row["path"]), row["d"], similarity, more, stage)


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
