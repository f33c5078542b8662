"""Group the images of an index, and find which pictures show a part of one another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Literal

from hashlens.errors import require_flags
from hashlens.grouping.assign import files_gone
from hashlens.grouping.collection import Collection, read_collection
from hashlens.grouping.decisions import Decisions
from hashlens.grouping.groups import Groups
from hashlens.grouping.keepers import keep_order
from hashlens.grouping.scope import EXACT, Terms
from hashlens.grouping.turned import turned_of
from hashlens.index.arguments import fixed_digits, require_crops, two_folders
from hashlens.index.calibrate import AutoDistance
from hashlens.index.store import Store
from hashlens.model import Place, Progress
from hashlens.parallel.pool import schedule
from hashlens.rows.settings import Settings
from hashlens.schema import GROUPED, TURNED

_OF_TERMS = ("max_distance", "linkage", "metric", "not_same_folder", "only", "turned")


def check_arguments(given: Mapping[str, Any]) -> None:
    """Raise ParameterError for arguments of `ImageIndex.groups` that work with no index."""
    require_flags(**{name: given[name] for name in ("crops", "verify") if name in given})
    schedule(1, given.get("workers"))
    terms: dict[str, Any] = {name: given[name] for name in _OF_TERMS if name in given}
    if terms.get("metric") is None:
        terms.pop("metric", None)
    if terms.get("max_distance", "auto") == "auto":
        terms["max_distance"] = 0
    order = keep_order(given.get("keep", ()), given.get("keep_only"))
    Terms(**terms, keep=order, between=two_folders(given.get("between")))


def find_groups(
    store: Store,
    settings: Settings,
    decisions: Decisions,
    auto: AutoDistance,
    max_distance: float | Literal["auto"],
    *,
    linkage: str,
    metric: str | None,
    between: tuple[str, str] | None,
    not_same_folder: bool,
    crops: bool,
    keep: Iterable[str] | str,
    keep_only: Iterable[str] | str | None,
    only: str | None,
    verify: bool,
    turned: bool,
    workers: int | None,
    progress: Callable[[Progress], None] | None,
) -> Groups:
    """Group the images of an index; see `ImageIndex.groups`."""
    require_flags(crops=crops, verify=verify)
    if crops:
        require_crops(store.path, store.config)
    schedule(1, workers)  # raises for what is no number of workers, also where nothing is read
    metric = metric or settings.metric
    terms = Terms(
        auto.for_groups(
            max_distance,
            metric,
            orientations=8 if turned else 1,
            verify=verify,
            exact=only == EXACT,
        ),
        linkage=linkage,
        metric=metric,
        between=two_folders(between),
        not_same_folder=not_same_folder,
        keep=keep_order(keep, keep_only),
        only=only,
        turned=turned,
    )
    names = (*GROUPED, *TURNED) if turned else GROUPED
    images = read_collection(store.blocks("text", *names), fixed_digits(settings), names)
    images = replace(images, progress=progress)
    if turned:
        hashed, frames = settings.hash, images.numbers["frames"]
        oriented = turned_of(hashed, images.codes, images.turn_hashes, frames)
        images = replace(images, turned=oriented)
    apart = partial(decisions.apart, workers=workers)
    pixels = partial(decisions.pixels, workers=workers, progress=progress)
    chosen = partial(decisions.chosen, workers=workers, progress=progress)
    finders: Any = {"apart": apart, "absent": files_gone, "pixels": pixels, "chosen": chosen}
    upright = settings.hasher.upright
    found = Groups(terms, images, **finders, home=str(store.path), upright=upright)
    if verify:
        found = found.verified(workers=workers, progress=progress)
    if not crops:
        return found
    return found.with_links(_parts(store, settings, images, workers, progress))


def _parts(
    store: Store,
    settings: Settings,
    images: Collection,
    workers: int | None,
    progress: Callable[[Progress], None] | None,
) -> list[tuple[int, int, Place]]:
    """Return the positions of two images, the first a part of the second, and its place there."""
    from hashlens.crops.parts import find_parts  # noqa: PLC0415  loads OpenCV

    position = {uid: number for number, uid in enumerate(images.ids)}
    positions = {
        row["indexid"]: position[row["id"]]
        for row in store.rows("select id, indexid from txtai where text is not null")
        if row["id"] in position
    }
    found = find_parts(
        store.pictures(),
        {row: images.paths[number] for row, number in positions.items()},
        upright=settings.hasher.upright,
        workers=workers,
        progress=progress,
    )
    return [
        (positions[item.part], positions[item.whole], item.place)
        for item in found
        if item.part in positions and item.whole in positions
    ]
