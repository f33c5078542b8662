"""Run SQL on an index, and answer the questions that are a query each."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from PIL import Image

from hashlens.errors import QueryError
from hashlens.grouping.decisions import COLUMNS, Decisions
from hashlens.hashing.metrics import is_hex
from hashlens.index.arguments import at_least_one, fixed_digits, hash_position
from hashlens.index.store import Store
from hashlens.model import Explanation, Progress, Skipped
from hashlens.names import as_names
from hashlens.rows.compare import Duplicates, equal_images
from hashlens.rows.maker import skipped_of
from hashlens.rows.settings import Settings
from hashlens.schema import EQUAL
from hashlens.sql.checks import check_query, hash_parameters, name_pictures, normalize
from hashlens.sql.records import query_tables, sources

if TYPE_CHECKING:
    from hashlens.images.pixels import Source

Parameters: TypeAlias = Mapping[str, Any] | None


def fingerprint(settings: Settings, source: Source, column: str) -> str:
    """Return the fingerprint of an image for a column; see `ImageIndex.fingerprint`."""
    return settings.hasher(source)[hash_position(settings, column)]


def run_sql(
    store: Store,
    settings: Settings,
    decisions: Decisions,
    query: str,
    parameters: Parameters,
    limit: int | None,
) -> list[dict[str, Any]]:
    """Run a query on the rows or on the decisions; see `ImageIndex.sql`."""
    if sources(query) == {"decisions"}:
        columns = {"decisions": COLUMNS}
        return query_tables(query, tables(decisions), parameters, limit=limit, columns=columns)
    line, bound = _checked(settings, query, parameters)
    return store.query(line, bound, None if limit is None else at_least_one(limit))


def explain_sql(
    store: Store, settings: Settings, query: str, parameters: Parameters, limit: int | None
) -> Explanation:
    """Run a query and return which way it went; see `ImageIndex.explain`."""
    line, bound = _checked(settings, query, parameters)
    return store.explain(line, bound, None if limit is None else at_least_one(limit))


def tables(decisions: Decisions) -> dict[str, list[dict[str, Any]]]:
    """Return the records that can be queried beside `txtai`, by the name of their table."""
    return {"decisions": [asdict(item) for item in decisions]}


def duplicates(store: Store) -> list[Duplicates]:
    """Return the groups of images with equal fingerprints; see `ImageIndex.duplicates`."""
    return equal_images(store.rows(f"select {', '.join(EQUAL)} from txtai where text is not null"))


def skipped(store: Store) -> list[Skipped]:
    """Return the files without a fingerprint, sorted by path."""
    rows = store.rows("select path, skipped from txtai where skipped is not null")
    return sorted(map(skipped_of, rows), key=lambda item: item.path)


def info(store: Store, settings: Settings, policy: str) -> dict[str, Any]:
    """Return what an index is: its place, rows, settings, and bytes on disk."""
    without, rows = len(skipped(store)), store.count()
    files = (file for file in store.path.rglob("*") if file.is_file())
    return {
        "path": str(store.path),
        "images": rows - without,
        "skipped": without,
        **settings.values(),
        "bits": settings.hash.bits,
        "policy": policy,
        "content": store.config["content"],
        "bytes": sum(file.stat().st_size for file in files),
    }


def draw_map(
    store: Store,
    settings: Settings,
    path: str | os.PathLike[str],
    csv: str | os.PathLike[str] | None,
    workers: int | None,
    progress: Callable[[Progress], None] | None,
    *,
    seed: int,
) -> list[Skipped]:
    """Draw all images in two dimensions; see `ImageIndex.map`."""
    from hashlens.report.layout import layout  # noqa: PLC0415  loads scikit-learn
    from hashlens.report.map import save_atlas  # noqa: PLC0415  loads scikit-learn

    digits = fixed_digits(settings)
    rows = [
        row
        for row in store.columns("text", "path")
        if isinstance(row[1], str) and len(row[1]) == digits and is_hex(row[1])
    ]
    places = layout([text for _, text, _ in rows], seed=seed)
    paths = [as_names(path or uid) for uid, _, path in rows]
    return save_atlas(path, csv, paths, places, workers=workers, progress=progress)


def _checked(settings: Settings, query: str, parameters: Parameters) -> tuple[str, dict[str, Any]]:
    """Return a query on one line, and its parameters with fingerprints in place of pictures."""
    if not isinstance(parameters, Mapping | None):
        msg = f"parameters are given by name, in a dict, not as {parameters!r}"
        raise QueryError(msg)
    line, pictures = name_pictures(normalize(query))
    given = dict(parameters or {})
    columns = hash_parameters(line, settings.digits)
    bound = {
        name: fingerprint(settings, value, columns.get(name, "text"))
        if isinstance(value, (Path, Image.Image)) and name not in pictures.values()
        else value
        for name, value in given.items()
    }
    for name, old in pictures.items():
        if old not in given:
            msg = f"the query has :{old}, but no such parameter was given: {query!r}"
            raise QueryError(msg)
        value = given[old]
        bound[name] = os.fspath(value) if isinstance(value, Path) else value
        if old in columns and isinstance(value, (Path, Image.Image)):
            bound[old] = fingerprint(settings, value, columns[old])
    check_query(line, bound, digits=settings.digits, metric=settings.metric)
    return line, bound
