"""Rows of many files, in their order, made in parallel."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from hashlens.model import Skipped
from hashlens.parallel.pool import Crashed, Results, schedule
from hashlens.rows.maker import Row, RowMaker, skipped_row, stamp_of

BATCH = 256  # rows whose fingerprints are computed at once,
BATCH_SECONDS = 0.2  # unless they take longer to come
QUICK_FROM = 3_000  # files for which a worker process may take the time to import numpy


class RowStream:
    """Rows in the making, in the order of their files: iterate once, within `with`."""

    def __init__(
        self, make: RowMaker, items: Sequence[str | Skipped], workers: int | None = None
    ) -> None:
        self._make = make
        self._items = items
        chosen = schedule(len(items), workers)
        # A forked worker has numpy if this process has it; others take their time to import it.
        quick = (
            len(items) >= QUICK_FROM
            or chosen.kind in ("serial", "threads")
            or (chosen.kind == "fork" and "numpy" in sys.modules)
        )
        if chosen.kind == "fork" and quick:
            from hashlens.images.decode import use_simplejpeg  # noqa: PLC0415

            use_simplejpeg()  # once, before the forks
        paths = [item for item in items if isinstance(item, str)]
        apart = chosen.kind in ("fork", "processes")
        self._results = Results(replace(make, quick=quick, apart=apart), paths, chosen)
        from hashlens.hashing import kernels  # noqa: F401, PLC0415  while the workers are at work

    def __enter__(self) -> RowStream:
        """Return the stream itself."""
        return self

    def __exit__(self, *details: object) -> None:
        """Stop what is still at work."""
        self._results.__exit__(*details)

    def __iter__(self) -> Iterator[Row]:
        """Yield a row for each item."""
        batch: list[Row] = []
        began = time.monotonic()
        for row in self._raw():
            batch.append(row)
            if len(batch) >= BATCH or time.monotonic() - began > BATCH_SECONDS:
                yield from self._make.finish(batch)
                batch, began = [], time.monotonic()
        yield from self._make.finish(batch)

    def _raw(self) -> Iterator[Row]:
        results = iter(self._results)
        for item in self._items:
            if isinstance(item, Skipped):
                yield skipped_row(item)
            else:
                row = next(results)
                if isinstance(row, Crashed):
                    row = skipped_row(Skipped(item, row.reason))
                    row |= stamp_of(item)
                yield row
