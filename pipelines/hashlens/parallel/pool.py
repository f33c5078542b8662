"""Do a job on many items in parallel: results in order, memory bounded, a crash costs one item.

One thread of the caller's process stands for each worker. It works itself, or it has a process of
its own to which it hands items in chunks: that costs more to start, and scales to all cores.
"""

from __future__ import annotations

import pickle
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from hashlens.errors import HashlensError, ParameterError
from hashlens.parallel.process import Process, can_fork, early, fork, processors, take_early

CHUNK_SECONDS = 0.01  # long against the handing over of a chunk, short against a run
MOST_ITEMS = 64  # in a chunk
AHEAD = 3  # chunks that a process has at once, so that it never waits for the next
PIPE_BYTES = 16_384  # what a pipe holds at least: more is sent to a process that is idle only
WINDOW = 256  # chunks that are done before one that is not: the bound of memory
SMALL_JOB = 1_000  # items that threads do sooner than new interpreters start


class Crashed(NamedTuple):
    """What stands in the place of a result: the worker process died with this item."""

    item: Any
    reason: str = "a decoder crashed on it"


class Schedule(NamedTuple):
    """How a job is done: `kind` is serial, threads, fork or processes (new interpreters)."""

    kind: str
    workers: int


def schedule(items: int, workers: int | None = None) -> Schedule:
    """Choose how to do a job on so many items; raises ParameterError for an unusable `workers`.

    `workers` is how many items are done at a time; None means one for each processor.
    """
    if workers is not None and (type(workers) is not int or not 1 <= workers <= 1024):
        msg = f"workers must be a whole number 1 to 1024, not {workers!r}"
        raise ParameterError(msg)
    count = max(1, min(workers or processors(), items))
    if early or (items > 1 and can_fork()):
        return Schedule("fork", count)
    if count == 1:
        return Schedule("serial", 1)
    return Schedule("threads" if items < SMALL_JOB else "processes", count)


class Results:
    """The results of a job on some items, in their order: iterate once, within `with`.

    The work begins at once, and `with` ends it, whether all results were taken or not. An
    exception of the job or of the items is raised from the iteration.
    """

    def __init__(
        self,
        job: Callable[[Any], Any],
        items: Sequence[Any],
        schedule: Schedule,
    ) -> None:
        self._job = job
        self._items = items
        self._position = 0  # of the first item that is in no chunk
        self._share = 2 * AHEAD * schedule.workers
        self._changed = threading.Condition()
        self._done: dict[int, list[Any]] = {}
        self._taken = self._given = 0  # chunks: by workers, to the caller
        self._chunk, self._ahead = 1, AHEAD
        self._stopped = False
        self._error: BaseException | None = None
        self._processes: list[Process] = []
        self._threads: list[threading.Thread] = []
        if schedule.kind in ("fork", "processes"):
            self._processes = _processes(schedule)
            for process in self._processes:
                self._start(self._hand_over, process)
        elif schedule.kind == "threads":
            for _ in range(schedule.workers):
                self._start(self._work)

    def _start(self, target: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=self._guarded, args=(target, *arguments), daemon=True)
        self._threads.append(thread)
        thread.start()

    def __enter__(self) -> Results:
        """Return the results themselves."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop what is still at work."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        for process in self._processes:
            process.end()
        for thread in self._threads:
            while thread.is_alive():
                thread.join(0.1)
                for process in self._processes:  # it may just have started another one
                    process.end()

    def __iter__(self) -> Iterator[Any]:
        """Yield the results."""
        if not self._threads:
            yield from map(self._job, self._items)
            return
        while True:
            with self._changed:
                while not (self._given in self._done or self._is_over()):
                    self._changed.wait()
                if self._error:
                    raise self._error
                if self._given not in self._done:
                    return
                results = self._done.pop(self._given)
                self._given += 1
                self._changed.notify_all()
            yield from results

    def _is_over(self) -> bool:
        return bool(self._error) or (
            self._position >= len(self._items) and self._given == self._taken
        )

    def _guarded(self, target: Callable[..., None], *arguments: Any) -> None:
        try:
            target(*arguments)
        except BaseException as error:  # noqa: BLE001  it is raised where the results are taken
            with self._changed:
                self._error = self._error or error
                self._changed.notify_all()

    def _next(self, *, wait: bool) -> tuple[int, Sequence[Any]] | None:
        """Take the next chunk, when the caller is not too far behind; None if there is none."""
        with self._changed:
            while self._taken - self._given >= WINDOW and wait and not self._stopped:
                self._changed.wait()
            if self._stopped or self._taken - self._given >= WINDOW:
                return None
            # Towards the end chunks get smaller, so that all workers end at about the same time.
            left = len(self._items) - self._position
            size = max(1, min(self._chunk, left // self._share))
            items = self._items[self._position : self._position + size]
            if not items:
                return None
            self._position += size
            self._taken += 1
            return self._taken - 1, items

    def _put(self, number: int, results: list[Any], seconds: float) -> None:
        with self._changed:
            self._done[number] = results
            wanted = CHUNK_SECONDS * len(results) / max(seconds, 1e-9)
            # No more than doubled: the first items may be quicker than those to come.
            self._chunk = int(max(1, min(wanted, 2 * self._chunk, MOST_ITEMS)))
            # A process with a long item has no other waiting, which an idle one could do.
            self._ahead = int(max(1, min(AHEAD, AHEAD * CHUNK_SECONDS / max(seconds, 1e-9))))
            self._changed.notify_all()

    def _work(self) -> None:
        """Do chunks in this thread."""
        while chunk := self._next(wait=True):
            number, items = chunk
            began = time.perf_counter()
            results = []
            for item in items:
                if self._stopped:
                    return
                results.append(self._job(item))
            self._put(number, results, time.perf_counter() - began)

    def _hand_over(self, process: Process) -> None:
        """Have chunks done by a process, several of them on their way."""
        job = pickle.dumps(self._job)
        if not process.begin(job) and not self._stopped:
            process.replace(job)
        pending: deque[tuple[int, Sequence[Any], int]] = deque()
        following: tuple[int, Sequence[Any]] | None = None
        while True:
            while len(pending) < self._ahead:
                following = following or self._next(wait=not pending)
                if following is None:
                    break
                data = pickle.dumps(following[1])
                if pending and sum(size for *_, size in pending) + len(data) > PIPE_BYTES:
                    break
                pending.append((*following, len(data)))
                following = None
                process.send(data)
            if not pending:
                return
            answer = process.receive()
            if answer is None:
                if self._stopped:
                    return
                self._recover(process, job, pending)
            else:
                number, *_ = pending.popleft()
                self._put(number, *answer)

    def _recover(
        self, process: Process, job: bytes, pending: deque[tuple[int, Sequence[Any], int]]
    ) -> None:
        """Do the chunk that a process died with once more, item by item, and send the others."""
        number, items, _ = pending.popleft()
        process.replace(job)
        results: list[Any] = []
        for item in items:
            process.send(pickle.dumps([item]))
            answer = process.receive()
            if answer is None and self._stopped:
                return
            if answer is None:
                process.replace(job)
            results += answer[0] if answer else [Crashed(item)]
        self._put(number, results, CHUNK_SECONDS)  # the crash and the start are no measure
        for _, waiting, _ in pending:
            process.send(pickle.dumps(waiting))


def _processes(schedule: Schedule) -> list[Process]:
    """Return the processes of a plan: those that were started early first."""
    found = take_early(schedule.workers)
    missing = schedule.workers - len(found)
    try:
        if schedule.kind == "fork":
            return found + fork(missing)
        return found + [Process.new() for _ in range(missing)]
    except OSError as error:
        reason = error.strerror or error
        msg = f"{schedule.workers} workers cannot be started, ask for fewer: {reason}"
        raise HashlensError(msg) from error
