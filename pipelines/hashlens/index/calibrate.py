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
    from hashlens.hashing.perceptual import PerceptualHash
    from hashlens.neighbors.calibration import Calibration

Bound: TypeAlias = "float | Literal['auto'] | None"


def calibrate(store: Store, settings: Settings, column: str, *, seed: int) -> Calibration:
    """Estimate how many false matches each distance gives; see `ImageIndex.calibrate`."""
    hashed = settings.hasher.hashes[hash_position(settings, column)]
    return _measured(store, settings.metric, column, hashed, seed)


def _measured(
    store: Store, metric: str, column: str, hashed: PerceptualHash, seed: int
) -> Calibration:
    """Measure the distances between the fingerprints of a column, by the hash that made them."""
    from hashlens.neighbors import pack  # noqa: PLC0415  loads numpy
    from hashlens.neighbors.calibration import calibrate  # noqa: PLC0415  likewise
    from hashlens.neighbors.reach import copy_reach  # noqa: PLC0415  likewise

    if metric != "hamming":
        msg = f"calibration is for Hamming distances; the index has {metric}"
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
        self._known: dict[str, tuple[tuple[int, int] | None, Calibration]] = {}  # by column

    def for_search(self, max_distance: Bound) -> float | None:
        """Return the bound of a search; raises ParameterError if there is none to recommend."""
        if max_distance != "auto":
            return distance_bound(max_distance)
        found = self._calibration("text", self._settings.hash)
        if found.max_distance is None:
            raise ParameterError(_none(found, "give a number"))
        return found.max_distance

    def for_groups(
        self,
        max_distance: float | Literal["auto"],
        metric: str,
        *,
        orientations: int = 1,
        verify: bool = False,
        exact: bool = False,
    ) -> float:
        """Return the bound of groups: `auto` is stricter than that of a search.

        Pictures are compared in so many `orientations`. With few images, `auto` is a sixteenth of
        the bits. It is larger for groups that a second look will `verify`. Where even equal hashes
        say nothing, it is 0 for these and for `exact` groups. Raises ParameterError for others, and
        if `auto` has no meaning for the metric.
        """
        if max_distance != "auto":
            return max_distance
        if metric != "hamming":
            msg = f"max_distance='auto' is for Hamming distances; give a number for {metric}"
            raise ParameterError(msg)
        from hashlens.neighbors.calibration import TooFewError, few_images_distance  # noqa: PLC0415
        from hashlens.neighbors.reach import copy_reach, turn_bits  # noqa: PLC0415

        column, hashed = "text", self._settings.hash
        if orientations > 1 and hashed.turn_hash and hashed.algorithm == "perceptual":
            column, hashed = "turn_hash", hashed.turn_hash  # distances are those of its bits
        bits = hashed.bits or 0
        try:
            found = self._calibration(column, hashed)
        except TooFewError:
            return few_images_distance(bits, copy_reach(hashed.algorithm, bits))
        turn = turn_bits(hashed.algorithm, bits) if orientations > 1 else 0
        bound = found.group_distance(orientations, turn, verified=verify)
        if bound is None and exact:
            return 0
        if bound is None:
            how = (
                "give verify=True (--verify) to look at the files, only='exact' (--only exact) for "
                "equal files, or a number"
            )
            raise ParameterError(_none(found, how))
        return bound

    def _calibration(self, column: str, hashed: PerceptualHash) -> Calibration:
        path = self._store.path
        now = commit_stamp(path) if exists(path) else None
        known = self._known.get(column)
        if known is None or known[0] != now:
            found = _measured(self._store, self._settings.metric, column, hashed, 0)
            known = self._known[column] = now, found
        return known[1]


def _none(found: Calibration, how: str) -> str:
    return (
        f"max_distance='auto' finds none: even with equal hashes only, a query has about "
        f"{found.false_matches(0):.2g} false matches here; {how}, or make an index with a hash "
        f"that tells these pictures apart, such as perceptual with hash_size 16"
    )
