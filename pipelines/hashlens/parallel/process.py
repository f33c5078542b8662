"""Worker processes: a job goes in, then chunks of items, and their results come out.

They are forked where that is safe, else they are new interpreters; neither runs the caller's
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
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import IO, Any, NoReturn

from hashlens.errors import HashlensError

MOST_EARLY = 32  # processes that are started before anyone has asked for them


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def can_fork() -> bool:
    """Tell whether this process can be forked without danger."""
    # A fork copies the memory but one thread only: a lock that another one held stays locked, and
    # OpenCV waits for ever for the threads that it had.
    alone = threading.active_count() == 1 and "cv2" not in sys.modules
    return sys.platform == "linux" and alone


class Process:
    """A worker process, by its pipes and its number."""

    def __init__(self, requests: IO[bytes], answers: IO[bytes], pid: int, handle: Any) -> None:
        self._requests = requests
        self._answers = answers
        self._pid = pid
        self._handle = handle  # of subprocess, for new interpreters

    @classmethod
    def new(cls) -> Process:
        """Start a new interpreter."""
        import subprocess  # noqa: PLC0415  a forked worker never needs it

        code = "import sys; sys.path[:] = {}; from hashlens.parallel.process import serve; serve()"
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
        other = Process.new()
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


early: list[Process] = []


def start_early(preload: Sequence[str]) -> None:
    """Fork workers for the next job, before anything else is imported.

    They import the modules of `preload` while this process gets ready. Only for a command line
    that has just been started; does nothing where forks are not safe.
    """
    if not early and can_fork():
        with suppress(OSError):  # too many of something: it will be told of where workers are used
            early.extend(fork(min(processors(), MOST_EARLY), preload))


def take_early(count: int) -> list[Process]:
    """Return the processes that were started early, so many at most, and end the others."""
    taken = early[:count]
    for process in early[count:]:
        process.end()
    early.clear()
    return taken


def fork(count: int, preload: Sequence[str] = ()) -> list[Process]:
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
    try:
        for number in range(1 if preload else count):
            if _forked():
                _become_worker(pipes, number, preload, before)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    processes = []
    for requests, ask, answers, answer in pipes:
        os.close(requests)
        os.close(answer)
        processes.append(Process(os.fdopen(ask, "wb"), os.fdopen(answers, "rb"), 0, None))
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
