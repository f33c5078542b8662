"""Make the rows of many files in parallel, in the order of the files."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from hashlens.model import Skipped
from hashlens.parallel.pool import Crashed, Results, schedule
from hashlens.rows.maker import Row, RowMaker, skipped_row, stamp_of

BATCH = 256  # rows that are finished at once
BATCH_SECONDS = 0.2  # a batch is finished after this time, even if it has fewer rows
SIMPLEJPEG_FROM = 3_000  # files: with fewer, importing numpy takes a worker longer than it saves


class RowStream:
    """The rows of some files, in the order of the files: iterate once, within `with`.

    Workers read the files (see `RowMaker`); this process finishes the rows in batches.
    """

    def __init__(
        self, make: RowMaker, items: Sequence[str | Skipped], workers: int | None = None
    ) -> None:
        self._make = make
        self._items = items
        chosen = schedule(len(items), workers)
        # A forked worker has numpy already if this process has; other workers must import it.
        # Only simplejpeg tells whether a JPEG is damaged, which is one of the facts.
        simplejpeg = (
            make.facts
            or len(items) >= SIMPLEJPEG_FROM
            or chosen.kind in ("serial", "threads")
            or (chosen.kind == "fork" and "numpy" in sys.modules)
        )
        if chosen.kind == "fork" and simplejpeg:
            from hashlens.images.jpeg_draft import use_simplejpeg  # noqa: PLC0415  loads Pillow

            use_simplejpeg()  # imported once, before the forks
        paths = [item for item in items if isinstance(item, str)]
        dedicated = chosen.kind in ("fork", "processes")
        job = replace(make, simplejpeg=simplejpeg, dedicated=dedicated)
        self._results = Results(job, paths, chosen)
        from hashlens.hashing import kernels  # noqa: F401, PLC0415  imported while workers read

    def __enter__(self) -> RowStream:
        """Return the stream itself."""
        return self

    def __exit__(self, *details: object) -> None:
        """Stop the workers."""
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
        """Yield a row with samples for each item."""
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
