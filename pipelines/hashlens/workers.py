"""Do a job on many items in parallel: results in order, memory bounded, a crash costs one item.

One thread of the caller's process stands for each worker. It works itself, or it has a process of
its own to which it hands items in chunks: that costs more to start, and scales to all cores.
Processes are forked where that is safe, else they are new interpreters; neither runs the caller's
`__main__` or imports what it has imported. They end when their pipes are closed.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from importlib import import_module
from typing import IO, Any, NamedTuple, NoReturn

from hashlens.model import HashlensError, ParameterError

CHUNK_SECONDS = 0.01  # long against the handing over of a chunk, short against a run
MOST_ITEMS = 64  # in a chunk
AHEAD = 3  # chunks that a process has at once, so that it never waits for the next
PIPE_BYTES = 16_384  # what a pipe holds at least: more is sent to a process that is idle only
WINDOW = 256  # chunks that are done before one that is not: the bound of memory
SMALL_JOB = 1_000  # items that threads do sooner than new interpreters start
MOST_EARLY = 32  # processes that are started before anyone has asked for them


class Crashed(NamedTuple):
    """What stands in the place of a result: the worker process died with this item."""

    item: Any
    reason: str = "a decoder crashed on it"


class Plan(NamedTuple):
    """How a job is done: `kind` is serial, threads, fork or processes (new interpreters)."""

    kind: str
    workers: int


def plan(items: int, workers: int | None = None) -> Plan:
    """Choose how to do a job on so many items; raises ParameterError for an unusable `workers`.

    `workers` is how many items are done at a time; None means one for each processor.
    """
    if workers is not None and (type(workers) is not int or not 1 <= workers <= 1024):
        msg = f"workers must be a whole number 1 to 1024, not {workers!r}"
        raise ParameterError(msg)
    count = max(1, min(workers or processors(), items))
    if _early or (items > 1 and _can_fork()):
        return Plan("fork", count)
    if count == 1:
        return Plan("serial", 1)
    return Plan("threads" if items < SMALL_JOB else "processes", count)


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _can_fork() -> bool:
    # A fork copies the memory but one thread only: a lock that another one held stays locked.
    return sys.platform == "linux" and threading.active_count() == 1


class Results:
    """The results of a job on some items, in their order: iterate once, within `with`.

    The work begins at once, and `with` ends it, whether all results were taken or not. An
    exception of the job or of the items is raised from the iteration.
    """

    def __init__(
        self,
        job: Callable[[Any], Any],
        items: Sequence[Any],
        plan: Plan,
    ) -> None:
        self._job = job
        self._items = items
        self._position = 0  # of the first item that is in no chunk
        self._share = 2 * AHEAD * plan.workers
        self._changed = threading.Condition()
        self._done: dict[int, list[Any]] = {}
        self._taken = self._given = 0  # chunks: by workers, to the caller
        self._chunk, self._ahead = 1, AHEAD
        self._stopped = False
        self._error: BaseException | None = None
        self._processes: list[_Process] = []
        self._threads: list[threading.Thread] = []
        if plan.kind in ("fork", "processes"):
            self._processes = _processes(plan)
            for process in self._processes:
                self._start(self._hand_over, process)
        elif plan.kind == "threads":
            for _ in range(plan.workers):
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

    def _hand_over(self, process: _Process) -> None:
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
        self, process: _Process, job: bytes, pending: deque[tuple[int, Sequence[Any], int]]
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


class _Process:
    """A worker process, by its pipes and its number."""

    def __init__(self, requests: IO[bytes], answers: IO[bytes], pid: int, handle: Any) -> None:
        self._requests = requests
        self._answers = answers
        self._pid = pid
        self._handle = handle  # of subprocess, for new interpreters

    @classmethod
    def new(cls) -> _Process:
        """Start a new interpreter."""
        import subprocess  # noqa: PLC0415  a forked worker never needs it

        code = "import sys; sys.path[:] = {}; from hashlens.workers import serve; serve()"
        handle = subprocess.Popen(  # noqa: S603  our own interpreter
            [sys.executable, "-c", code.format(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the caller
        )
        assert handle.stdin  # noqa: S101  as asked
        assert handle.stdout  # noqa: S101
        return cls(handle.stdin, handle.stdout, handle.pid, handle)

    def begin(self, job: bytes) -> bool:
        """Tell the process its job; return whether it has come to life."""
        self.send(job)
        answer = self.receive()
        self._pid = answer or self._pid
        return answer is not None

    def send(self, data: bytes) -> None:
        """Send a request; that the process is dead is seen when it is to answer."""
        try:
            self._requests.write(data)
            self._requests.flush()
        except (OSError, ValueError):
            return

    def receive(self) -> Any:
        """Return the next answer, or None if the process is dead; raises what the job raised."""
        try:
            answer = pickle.load(self._answers)  # noqa: S301  what our own process wrote
        except (EOFError, OSError, ValueError, pickle.UnpicklingError):
            return None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def replace(self, job: bytes) -> None:
        """Put a new interpreter in the place of this process, which is dead.

        Raises HashlensError where that does not come to life.
        """
        self.end()
        other = _Process.new()
        self._requests, self._answers = other._requests, other._answers
        self._pid, self._handle = other._pid, other._handle
        self.send(job)
        if self.receive() is None:
            msg = f"a worker process cannot be started: {sys.executable} ends at once"
            raise HashlensError(msg)

    def end(self) -> None:
        """End the process, whatever it does."""
        if self._pid:
            with suppress(OSError):  # it has ended already
                os.kill(self._pid, signal.SIGKILL)
        for pipe in (self._requests, self._answers):
            with suppress(OSError):  # it is dead, and did not read what was left to it
                pipe.close()
        if self._handle:
            self._handle.wait()
        elif self._pid:
            with suppress(ChildProcessError):  # a child of the first worker
                os.waitpid(self._pid, 0)
        self._pid = 0


_early: list[_Process] = []


def start_early(preload: Sequence[str]) -> None:
    """Fork workers for the next job, before anything else is imported.

    They import the modules of `preload` while this process gets ready. Only for a command line
    that has just been started; does nothing where forks are not safe.
    """
    if not _early and _can_fork():
        with suppress(OSError):  # too many of something: it will be told of where workers are used
            _early.extend(_fork(min(processors(), MOST_EARLY), preload))


def _processes(plan: Plan) -> list[_Process]:
    """Return the processes of a plan: those that were started early first."""
    found = _take_early(plan.workers)
    missing = plan.workers - len(found)
    try:
        if plan.kind == "fork":
            return found + _fork(missing)
        return found + [_Process.new() for _ in range(missing)]
    except OSError as error:
        reason = error.strerror or error
        msg = f"{plan.workers} workers cannot be started, ask for fewer: {reason}"
        raise HashlensError(msg) from error


def _take_early(count: int) -> list[_Process]:
    taken = _early[:count]
    for process in _early[count:]:
        process.end()
    _early.clear()
    return taken


def _fork(count: int, preload: Sequence[str] = ()) -> list[_Process]:
    """Fork processes; with `preload`, the first one imports that and then forks the others."""
    ends: list[int] = []
    try:
        for _ in range(2 * count):
            ends += os.pipe()
    except OSError:
        for end in ends:
            os.close(end)
        raise
    pipes = [tuple(ends[start : start + 4]) for start in range(0, len(ends), 4)]
    # Between the fork and its own setting, a child must not take Ctrl-C for its own.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    for number in range(1 if preload else count):
        if _forked():
            _become_worker(pipes, number, preload, before)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    processes = []
    for requests, ask, answers, answer in pipes:
        os.close(requests)
        os.close(answer)
        processes.append(_Process(os.fdopen(ask, "wb"), os.fdopen(answers, "rb"), 0, None))
    return processes


def _forked() -> bool:
    """Fork; tell whether this is the child."""
    with warnings.catch_warnings():
        # Idle threads of numpy's are no danger to a child that uses none of them.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork() == 0


def _become_worker(
    pipes: Sequence[tuple[int, ...]], mine: int, preload: Sequence[str], mask: Any
) -> NoReturn:
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        with suppress(OSError):
            os.dup2(2, 1)  # whatever a decoder prints is no output
        if "faulthandler" in sys.modules:
            sys.modules["faulthandler"].disable()  # a crash is told of in the item's place
        for name in preload:
            import_module(name)
        for number in range(1, len(pipes) if preload else 0):
            if _forked():
                mine = number
                break
        for number, (requests, ask, answers, answer) in enumerate(pipes):
            for end in (ask, answers) if number == mine else (requests, ask, answers, answer):
                os.close(end)
        requests, _, _, answer = pipes[mine]
        _serve(os.fdopen(requests, "rb"), os.fdopen(answer, "wb"))
    except Exception:  # noqa: BLE001  no one else will tell of it
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(1)


def serve() -> None:
    """Be a worker process: requests on standard input, answers on standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a decoder prints is no answer
    _serve(sys.stdin.buffer, answers)


def _serve(requests: IO[bytes], answers: IO[bytes]) -> NoReturn:
    try:
        job = pickle.load(requests)  # noqa: S301  what our own process wrote
        answer: Any = os.getpid()
        while True:
            pickle.dump(answer, answers)
            answers.flush()
            items = pickle.load(requests)  # noqa: S301
            began = time.perf_counter()
            try:
                answer = [job(item) for item in items], time.perf_counter() - began
            except Exception as error:  # noqa: BLE001  raised where the results are taken
                answer = _portable(error)
    except (EOFError, OSError):
        pass  # the other end has closed
    except Exception:  # noqa: BLE001  such as a job that cannot be unpickled here
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(0)


def _portable(error: Exception) -> Exception:
    """Return an exception that survives the way to the other process."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301
    except Exception:  # noqa: BLE001  whatever it raises
        return HashlensError(f"{type(error).__name__}: {error}")
    return error
