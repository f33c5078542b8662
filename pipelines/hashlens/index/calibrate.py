"""Measure how far apart the unrelated pictures of an index are, and what `auto` stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from hashlens.errors import ParameterError
from hashlens.hashing.metrics import is_hex
from hashlens.index.arguments import distance_bound, hash_position
from hashlens.index.directory import commit_stamp, exists
from hashlens.index.store import Store
from hashlens.model import LOW_INFORMATION
from hashlens.rows.settings import Settings

if TYPE_CHECKING:
    from hashlens.neighbors.calibration import Calibration

Bound: TypeAlias = "float | Literal['auto'] | None"


def calibrate(store: Store, settings: Settings, column: str, *, seed: int) -> Calibration:
    """Estimate how many false matches each distance gives; see `ImageIndex.calibrate`."""
    from hashlens.neighbors import pack  # noqa: PLC0415
    from hashlens.neighbors.calibration import calibrate  # noqa: PLC0415  loads numpy
    from hashlens.neighbors.reach import copy_reach  # noqa: PLC0415  as the others

    hashed = settings.hasher.hashes[hash_position(settings, column)]
    if settings.metric != "hamming":
        msg = f"calibration is for Hamming distances; the index has {settings.metric}"
        raise ParameterError(msg)
    rows = store.query(
        f"select {column} code from txtai where {column} is not null and information >= :least",
        {"least": LOW_INFORMATION},
    )
    texts = (row["code"] for row in rows)
    codes = [text for text in texts if len(text) == hashed.digits and is_hex(text)]
    bits = hashed.bits or 0
    return calibrate(pack(codes), bits, seed=seed, reach=copy_reach(hashed.algorithm, bits))


class AutoDistance:
    """What `max_distance="auto"` stands for in an index; measured again after each commit."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._measured: tuple[tuple[int, int] | None, Calibration] | None = None

    def for_search(self, max_distance: Bound) -> float | None:
        """Return the bound of a search; raises ParameterError if there is none to recommend."""
        if max_distance != "auto":
            return distance_bound(max_distance)
        found = self._calibration()
        if found.max_distance is None:
            raise ParameterError(_none(found, "give a number"))
        return found.max_distance

    def for_groups(
        self,
        max_distance: float | Literal["auto"],
        metric: str,
        *,
        orientations: int = 1,
        checked: bool = False,
    ) -> float:
        """Return the bound of groups: `auto` is stricter than that of a search.

        Pictures are compared in so many `orientations`. With few images, `auto` is a sixteenth of
        the bits. Where even equal hashes say nothing, it is 0 for groups whose files are `checked`
        by their bytes or in a second look. Raises ParameterError if they are not, and if `auto` has
        no meaning for the metric.
        """
        if max_distance != "auto":
            return max_distance
        if metric != "hamming":
            msg = f"max_distance='auto' is for Hamming distances; give a number for {metric}"
            raise ParameterError(msg)
        from hashlens.neighbors.calibration import ENOUGH, FEW_IMAGES_SHARE  # noqa: PLC0415
        from hashlens.neighbors.reach import copy_reach, turn_bits  # noqa: PLC0415

        algorithm, bits = self._settings.hash.algorithm, self._settings.hash.bits or 0
        if self._store.count() < ENOUGH:
            return min(bits // FEW_IMAGES_SHARE, copy_reach(algorithm, bits))
        found = self._calibration()
        turn = turn_bits(algorithm, bits) if orientations > 1 else 0
        bound = found.group_distance(orientations, turn)
        if bound is None and checked:
            return 0
        if bound is None:
            how = (
                "give verify=True (--verify) to look at the files, only='exact' (--only exact) for "
                "equal files, or a number"
            )
            raise ParameterError(_none(found, how))
        return bound

    def _calibration(self) -> Calibration:
        path = self._store.path
        now = commit_stamp(path) if exists(path) else None
        if self._measured is None or self._measured[0] != now:
            self._measured = now, calibrate(self._store, self._settings, "text", seed=0)
        return self._measured[1]


def _none(found: Calibration, how: str) -> str:
    return (
        f"max_distance='auto' finds none: even with equal hashes only, a query has about "
        f"{found.false_matches(0):.2g} false matches here; {how}, or make an index with a hash "
        f"that tells these pictures apart, such as perceptual with hash_size 16"
    )
