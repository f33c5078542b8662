"""Do a job on many items in parallel: results in order, memory bounded, a crash costs one item.

Where things run: the caller's process has one thread for each worker. With the kind `threads`, this
thread runs the job itself. With `fork` and `processes`, it hands chunks of items to a worker
process of its own, which runs the job and sends the results back; that costs more to start, and
scales to all cores. With `serial`, the caller's thread runs the job, when it asks for a result.
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

CHUNK_SECONDS = 0.01  # work in a chunk: far more than its handing over costs, far less than a run
MAX_CHUNK_ITEMS = 64
CHUNKS_AHEAD = 3  # chunks that a process has at once, so that it never waits for the next one
PIPE_BYTES = 16_384  # the least that a pipe holds: a larger request is sent only to an idle process
WINDOW = 256  # chunks between the one the caller waits for and the last one taken: bounds memory
SMALL_JOB = 1_000  # items: threads do fewer sooner than new interpreters start


class Crashed(NamedTuple):
    """The result of an item with which a worker process died.

    item: the item.
    reason: what happened, in words.
    """

    item: Any
    reason: str = "a decoder crashed on it"


class Schedule(NamedTuple):
    """How a job is done.

    kind: `serial`, `threads`, `fork` (forked processes) or `processes` (new interpreters).
    workers: items that are done at a time.
    """

    kind: str
    workers: int


def schedule(items: int, workers: int | None = None) -> Schedule:
    """Choose how to do a job on a number of items.

    `workers` is the number of items that are done at a time; None means one for each processor.
    Raises ParameterError for an unusable `workers`.
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
    """The results of a job on some items, in the order of the items: iterate once, within `with`.

    The workers begin at once; the end of `with` stops them, even if results were not taken. An
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
        self._position = 0  # of the first item that is not in a chunk yet
        self._last_chunks = 2 * CHUNKS_AHEAD * schedule.workers
        self._changed = threading.Condition()  # guards the fields from here on
        self._done: dict[int, list[Any]] = {}  # results by the number of their chunk
        self._taken = 0  # chunks that workers have taken
        self._given = 0  # chunks whose results the caller has taken
        self._chunk_size, self._ahead = 1, CHUNKS_AHEAD
        self._stopped = False
        self._error: BaseException | None = None
        self._processes: list[Process] = []
        self._threads: list[threading.Thread] = []
        if schedule.kind in ("fork", "processes"):
            self._processes = _processes(schedule)
            for process in self._processes:
                self._start(self._feed, process)
        elif schedule.kind == "threads":
            for _ in range(schedule.workers):
                self._start(self._work)

    def _start(self, target: Callable[..., None], *arguments: Any) -> None:
        """Start the thread of a worker, in this process."""
        thread = threading.Thread(target=self._guarded, args=(target, *arguments), daemon=True)
        self._threads.append(thread)
        thread.start()

    def __enter__(self) -> Results:
        """Return the results themselves."""
        return self

    def __exit__(self, *_: object) -> None:
        """End all workers: their processes and their threads."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        for process in self._processes:
            process.end()
        for thread in self._threads:
            while thread.is_alive():
                thread.join(0.1)
                for process in self._processes:  # the thread may just have restarted its own
                    process.end()

    def __iter__(self) -> Iterator[Any]:
        """Yield the results, in the caller's thread."""
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
        """Return whether the caller has taken all results, or an error ended the work."""
        return bool(self._error) or (
            self._position >= len(self._items) and self._given == self._taken
        )

    def _guarded(self, target: Callable[..., None], *arguments: Any) -> None:
        """Run the thread of a worker; keep its exception for the caller."""
        try:
            target(*arguments)
        except BaseException as error:  # noqa: BLE001  raised from the iteration
            with self._changed:
                self._error = self._error or error
                self._changed.notify_all()

    def _next(self, *, wait: bool) -> tuple[int, Sequence[Any]] | None:
        """Take the next chunk; return None if there is none, or the work was stopped.

        If the caller is WINDOW chunks behind, wait for the caller, or return None without `wait`.
        """
        with self._changed:
            while self._taken - self._given >= WINDOW and wait and not self._stopped:
                self._changed.wait()
            if self._stopped or self._taken - self._given >= WINDOW:
                return None
            # The last chunks get smaller, so that all workers end at about the same time.
            left = len(self._items) - self._position
            size = max(1, min(self._chunk_size, left // self._last_chunks))
            items = self._items[self._position : self._position + size]
            if not items:
                return None
            self._position += size
            self._taken += 1
            return self._taken - 1, items

    def _put(self, number: int, results: list[Any], seconds: float) -> None:
        """Hand the results of a chunk to the caller, and adapt the size of chunks to their time."""
        with self._changed:
            self._done[number] = results
            relative_speed = CHUNK_SECONDS / max(seconds, 1e-9)
            # At most doubled: the first items may be quicker than later ones.
            size = min(relative_speed * len(results), 2 * self._chunk_size, MAX_CHUNK_ITEMS)
            self._chunk_size = int(max(1, size))
            # Do not queue work behind a long item: an idle process could take it.
            self._ahead = int(max(1, min(CHUNKS_AHEAD, CHUNKS_AHEAD * relative_speed)))
            self._changed.notify_all()

    def _work(self) -> None:
        """Take chunks and run the job on them, in this thread."""
        while chunk := self._next(wait=True):
            number, items = chunk
            began = time.perf_counter()
            results = []
            for item in items:
                if self._stopped:
                    return
                results.append(self._job(item))
            self._put(number, results, time.perf_counter() - began)

    def _feed(self, process: Process) -> None:
        """Send chunks to a process, several ahead, and take its results, in this thread."""
        job = pickle.dumps(self._job)
        if not process.begin(job) and not self._stopped:
            process.restart(job)
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
        """Restart a dead process, repeat its chunk item by item, and send the others again."""
        number, items, _ = pending.popleft()
        process.restart(job)
        results: list[Any] = []
        for item in items:
            process.send(pickle.dumps([item]))
            answer = process.receive()
            if answer is None and self._stopped:
                return
            if answer is None:
                process.restart(job)
            results += answer[0] if answer else [Crashed(item)]
        self._put(number, results, CHUNK_SECONDS)  # the time of crash and restart says nothing
        for _, waiting, _ in pending:
            process.send(pickle.dumps(waiting))


def _processes(schedule: Schedule) -> list[Process]:
    """Return the processes of a schedule: first those that were started early, then new ones."""
    started = take_early(schedule.workers)
    missing = schedule.workers - len(started)
    try:
        if schedule.kind == "fork":
            return started + fork(missing)
        return started + [Process.new() for _ in range(missing)]
    except OSError as error:
        reason = error.strerror or error
        msg = f"{schedule.workers} workers cannot be started, ask for fewer: {reason}"
        raise HashlensError(msg) from error
