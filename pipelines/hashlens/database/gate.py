"""Admit readers and a writer of one file in turns."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

SECONDS_AT_GATE = 0.1  # until a waiting reader looks again whether a transaction is being written


class Gate:
    """Admits this process's readers of a file.

    While a transaction is being written, readers are admitted in batches, so that the writer gets
    its turn. SQLite grants a lock for reading at once if another connection of the process has one,
    ahead of writers of other processes that wait for it. So while the file has a journal, readers
    wait until those before them are done. Then SQLite lets a writer that is ready commit first.
    """

    def __init__(self, file: str) -> None:
        self._journal = f"{file}-journal"
        self._changed = threading.Condition()
        self._inside = self._batch = 0

    @contextmanager
    def passed(self) -> Iterator[None]:
        """Be a reader until the end."""
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
        """Return the gate of a file, which all its readers share."""
        return Gate(file)
