"""Admit readers and a writer of one file in turns."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

SECONDS_AT_GATE = 0.1  # then a reader looks again whether there is a writer


class Gate:
    """Lets the readers of one file, in this process, in; where a writer is at work, in batches.

    SQLite gives a lock for reading at once where another connection of the process has one, past
    the writers of other processes who wait for it. So while a transaction is being written, which
    its journal tells, readers wait for those before them to be done; then SQLite has them wait for
    the writer, if it is ready to commit.
    """

    def __init__(self, file: str) -> None:
        self._journal = f"{file}-journal"
        self._changed = threading.Condition()
        self._inside = self._batch = 0

    @contextmanager
    def passed(self) -> Iterator[None]:
        """Be a reader."""
        inside = False
        try:
            with self._changed:
                batch = self._batch
                while self._inside and self._batch == batch and os.path.exists(self._journal):
                    self._changed.wait(SECONDS_AT_GATE)
                self._inside += 1
                inside = True
            yield
        finally:
            with self._changed:
                self._inside -= inside
                if not self._inside:
                    self._batch += 1
                    self._changed.notify_all()

    @staticmethod
    @cache
    def of(file: str) -> Gate:
        """Return the gate of a file: one for all who read it."""
        return Gate(file)
