"""Worker processes: the caller sends a job, then chunks of items; the worker sends the results.

`_become_worker`, `serve` and `_serve` run in the worker, all else in the caller. A worker is forked
if that is safe, else it is a new interpreter; neither runs the caller's `__main__`. It ends when
its pipes are closed.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
import warnings
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import IO, Any, NoReturn

from hashlens.errors import HashlensError

MAX_EARLY = 32  # processes that are started before the number of workers is known


def processors() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def can_fork() -> bool:
    """Return whether this process can be forked without danger."""
    # A fork copies the memory but only one thread. A lock that another thread held stays locked,
    # and OpenCV waits for ever for the threads that it had.
    has_one_thread = threading.active_count() == 1 and "cv2" not in sys.modules
    return sys.platform == "linux" and has_one_thread


class Process:
    """A worker process, as the caller sees it: its pipes and its process id."""

    def __init__(self, requests: IO[bytes], answers: IO[bytes], pid: int, handle: Any) -> None:
        self._requests = requests
        self._answers = answers
        self._pid = pid
        self._handle = handle  # the subprocess.Popen of a new interpreter; None for a fork

    @classmethod
    def new(cls) -> Process:
        """Start a new interpreter."""
        import subprocess  # noqa: PLC0415  forked workers do without

        code = "import sys; sys.path[:] = {}; from hashlens.parallel.process import serve; serve()"
        handle = subprocess.Popen(  # noqa: S603  our own interpreter
            [sys.executable, "-c", code.format(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C must reach the caller only
        )
        assert handle.stdin  # noqa: S101  for the type checker: both are pipes
        assert handle.stdout  # noqa: S101
        return cls(handle.stdin, handle.stdout, handle.pid, handle)

    def begin(self, job: bytes) -> bool:
        """Send the job; return whether the process is alive and can run it."""
        self.send(job)
        answer = self.receive()
        self._pid = answer or self._pid
        return answer is not None

    def send(self, data: bytes) -> None:
        """Send a request; if the process is dead, `receive` will say so."""
        try:
            self._requests.write(data)
            self._requests.flush()
        except (OSError, ValueError):
            return

    def receive(self) -> Any:
        """Return the next answer, or None if the process is dead; raises the job's exception."""
        try:
            answer = pickle.load(self._answers)  # noqa: S301  written by our own process
        except (EOFError, OSError, ValueError, pickle.UnpicklingError):
            return None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def restart(self, job: bytes) -> None:
        """Go on with a new interpreter, after the process has died; send the job.

        Raises HashlensError if the new process dies, too.
        """
        self.end()
        new = Process.new()
        self._requests, self._answers = new._requests, new._answers
        self._pid, self._handle = new._pid, new._handle
        self.send(job)
        if self.receive() is None:
            msg = f"a worker process cannot be started: {sys.executable} ends at once"
            raise HashlensError(msg)

    def end(self) -> None:
        """Kill the process, whatever it is doing, and close its pipes."""
        if self._pid:
            with suppress(OSError):  # the process may have ended already
                os.kill(self._pid, signal.SIGKILL)
        for pipe in (self._requests, self._answers):
            with suppress(OSError):  # closing flushes a request that a dead process cannot read
                pipe.close()
        if self._handle:
            self._handle.wait()
        elif self._pid:
            with suppress(ChildProcessError):  # it may be a child of the first worker
                os.waitpid(self._pid, 0)
        self._pid = 0


early: list[Process] = []  # processes that wait for the first job


def start_early(preload: Sequence[str]) -> None:
    """Fork workers for the first job, before this process imports anything else.

    The workers import the modules of `preload` meanwhile. Call it only from a command that has just
    been started. Does nothing if forks are not safe.
    """
    if not early and can_fork():
        with suppress(OSError):  # too many files or processes: `Results` will raise it
            early.extend(fork(min(processors(), MAX_EARLY), preload))


def take_early(count: int) -> list[Process]:
    """Return at most `count` of the processes that were started early, and end the others."""
    taken = early[:count]
    for process in early[count:]:
        process.end()
    early.clear()
    return taken


def fork(count: int, preload: Sequence[str] = ()) -> list[Process]:
    """Fork workers; with `preload`, the first one imports these modules and forks the others."""
    ends: list[int] = []
    try:
        for _ in range(2 * count):
            ends += os.pipe()
    except OSError:
        for end in ends:
            os.close(end)
        raise
    pipes = [tuple(ends[start : start + 4]) for start in range(0, len(ends), 4)]
    # A child must not act on Ctrl-C before it has set its own handler.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        for number in range(1 if preload else count):
            if _fork():
                _become_worker(pipes, number, preload, mask)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    processes = []
    for requests, ask, answers, answer in pipes:
        os.close(requests)
        os.close(answer)
        processes.append(Process(os.fdopen(ask, "wb"), os.fdopen(answers, "rb"), 0, None))
    return processes


def _fork() -> bool:
    """Fork this process; return whether this is the child."""
    with warnings.catch_warnings():
        # Python warns of other threads. Idle threads of numpy do no harm to a child.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork() == 0


def _become_worker(
    pipes: Sequence[tuple[int, ...]], mine: int, preload: Sequence[str], mask: Any
) -> NoReturn:
    """Be the worker with the pipes of number `mine`, in the child of a fork."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        with suppress(OSError):
            os.dup2(2, 1)  # what a decoder prints must not get into the caller's output
        if "faulthandler" in sys.modules:
            sys.modules["faulthandler"].disable()  # a crash is reported as the item's result
        for name in preload:
            import_module(name)
        for number in range(1, len(pipes) if preload else 0):
            if _fork():
                mine = number
                break
        for number, (requests, ask, answers, answer) in enumerate(pipes):
            for end in (ask, answers) if number == mine else (requests, ask, answers, answer):
                os.close(end)
        requests, _, _, answer = pipes[mine]
        _serve(os.fdopen(requests, "rb"), os.fdopen(answer, "wb"))
    except Exception:  # noqa: BLE001  the caller sees only that the worker died
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(1)


def serve() -> None:
    """Be a worker in a new interpreter: requests on standard input, answers on standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.filterwarnings("ignore", module=r"PIL\.")  # they name no file
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a decoder prints must not get between the answers
    _serve(sys.stdin.buffer, answers)


def _serve(requests: IO[bytes], answers: IO[bytes]) -> NoReturn:
    """Read the job, then chunks of items; answer each with its results and their seconds.

    The answer to the job is the process id. End this process when the caller closes the pipes.
    """
    try:
        job = pickle.load(requests)  # noqa: S301  written by our own process
        answer: Any = os.getpid()
        while True:
            pickle.dump(answer, answers)
            answers.flush()
            items = pickle.load(requests)  # noqa: S301
            began = time.perf_counter()
            try:
                answer = [job(item) for item in items], time.perf_counter() - began
            except Exception as error:  # noqa: BLE001  raised in the caller
                answer = _portable(error)
    except (EOFError, OSError):
        pass  # the caller has closed the pipes
    except Exception:  # noqa: BLE001  such as a job that cannot be unpickled here
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(0)


def _portable(error: Exception) -> Exception:
    """Return the exception, or, if it cannot be pickled, a HashlensError with its text."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301
    except Exception:  # noqa: BLE001  an exception may raise anything here
        return HashlensError(f"{type(error).__name__}: {error}")
    return error
