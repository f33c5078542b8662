"""The journal of a plan: what was begun and done, so that it can go on, or back, after a crash."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from hashlens.cleanup.files import Looks
from hashlens.disk import locked, sync
from hashlens.errors import PlanError
from hashlens.model import Step

VERSION = 1
HEAD = b'{"hashlens_journal": '
STANDING = ("begin", "done", "left")  # the states of steps that can be undone


@dataclass(frozen=True, slots=True)
class Begun:
    """A step that was begun: what is to be done, and what must be known to go back.

    `step.to` is the name that was free, and `frees` the bytes that the step sets free. `looks` are
    the permissions and the time of the file, `inode` is that of the keeper. `folders` are those
    that are made for the step, the outermost first, and `marker` is the file that has indexing
    pass them over, if that is made. Temporary files of the step are called `temporary`.
    """

    number: int
    step: Step
    temporary: str
    looks: Looks
    inode: int = 0
    frees: int = 0
    folders: tuple[str, ...] = ()
    marker: str = ""

    @classmethod
    def read(cls, record: dict[str, Any]) -> Begun:
        """Make it from a record of the journal."""
        given = dict(record, step=Step(**record["step"]), looks=Looks(*record["looks"]))
        return cls(**dict(given, folders=tuple(record["folders"])))


@dataclass
class Journal:
    """An open journal: what it holds, and where it is written."""

    path: str
    descriptor: int
    plan: str = ""
    digest: str = ""
    token: str = ""
    begun: dict[int, Begun] = field(default_factory=dict)  # in the order in which they began
    states: dict[int, str] = field(default_factory=dict)  # begin, done, skipped, undone or left
    folders: dict[str, None] = field(default_factory=dict)
    markers: dict[str, None] = field(default_factory=dict)
    is_undoing: bool = False

    @property
    def standing(self) -> list[Begun]:
        """Return the steps that can be undone, in the order in which they began."""
        return [begun for begun in self.begun.values() if self.states[begun.number] in STANDING]

    def start(self, plan: str, digest: str) -> None:
        """Write a header: of a new journal, or of the next time that its plan is applied."""
        header = {"hashlens_journal": VERSION, "plan": plan, "digest": digest}
        self._append({**header, "token": secrets.token_hex(4)}, lasting=True)

    def begin(self, begun: Begun) -> None:
        """Note that a step begins; when this returns, the note lasts."""
        self._append({"event": "begin", **asdict(begun)}, lasting=True)

    def end(self, number: int, event: str, reason: str = "") -> None:
        """Note what became of a step: done, skipped, undone or left."""
        self._append({"event": event, "number": number, "reason": reason}, lasting=False)

    def turn(self) -> None:
        """Note that from here on it goes back."""
        self._append({"event": "undo"}, lasting=True)

    def _append(self, record: dict[str, Any], *, lasting: bool) -> None:
        size = os.lseek(self.descriptor, 0, os.SEEK_END)
        line = json.dumps(record).encode() + b"\n"
        try:
            while line:
                line = line[os.write(self.descriptor, line) :]
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self.descriptor, size)
            raise self._error(error) from error
        if lasting:
            self.flush()
        self._take(record)

    def flush(self) -> None:
        """Make all that was noted last; raises PlanError."""
        try:
            os.fsync(self.descriptor)
        except OSError as error:
            raise self._error(error) from error

    def _error(self, error: OSError) -> PlanError:
        text = f"{self.path} cannot be written: {error.strerror or error}"
        return PlanError(f"{text}; make it so that it can, then apply again, or undo")

    def load(self) -> None:
        """Read what there is, and cut what a crash left of a last line; raises PlanError."""
        try:
            sync(os.path.dirname(os.path.abspath(self.path)))  # it may be new
            with open(self.descriptor, "rb", closefd=False) as file:
                data = file.read()
        except OSError as error:
            raise self._error(error) from error
        whole = data[: data.rfind(b"\n") + 1]
        if not data.startswith(HEAD[: len(data)]):
            msg = f"{self.path} is no journal"
            raise PlanError(msg)
        # Split at line feeds alone: text has other characters at which str.splitlines() would cut.
        for number, line in enumerate(whole.split(b"\n")[:-1], 1):
            self._take_line(number, line)
        if len(whole) < len(data):
            try:
                os.ftruncate(self.descriptor, len(whole))
            except OSError as error:
                raise self._error(error) from error
            self.flush()

    def _take_line(self, number: int, line: bytes) -> None:
        try:
            self._take(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            msg = f"{self.path}, line {number}: no record of a journal: {error!r}"
            raise PlanError(msg) from error

    def _take(self, record: dict[str, Any]) -> None:
        version = record.get("hashlens_journal")
        if version is not None:
            if version != VERSION:
                msg = f"{self.path} is a journal of version {version}; this reads {VERSION}"
                raise PlanError(msg)
            self.plan, self.digest, self.token = (
                record[name] for name in ("plan", "digest", "token")
            )
            self.is_undoing = False
            for known in (self.begun, self.states, self.folders, self.markers):
                known.clear()
            return
        event = record["event"]
        if event == "undo":
            self.is_undoing = True
            return
        number = int(record["number"])
        if event == "begin":
            begun = Begun.read({name: item for name, item in record.items() if name != "event"})
            self.begun.pop(number, None)
            self.begun[number] = begun
            self.folders.update(dict.fromkeys(begun.folders))
            self.markers.update({begun.marker: None} if begun.marker else {})
        self.states[number] = event


@contextmanager
def opened(path: str, *, create: bool) -> Iterator[Journal]:
    """Open a journal alone: no other apply or undo goes on with it meanwhile.

    Raises PlanError where there is none, unless it is to be made, where it is none or cannot be
    written, and where another process or thread has it open.
    """
    if not create and not os.path.isfile(path):
        msg = f"there is no journal {path}: what was not applied cannot be undone"
        raise PlanError(msg)
    with locked(path, PlanError):
        descriptor = _open(path, create=create)
        try:
            journal = Journal(path, descriptor)
            journal.load()
            yield journal
            journal.flush()
        finally:
            os.close(descriptor)


def is_standing(path: str) -> bool:
    """Tell whether there is a journal of what can be undone; raises PlanError where it is none."""
    if not os.path.exists(path):
        return False
    with opened(path, create=False) as log:
        return bool(log.standing)


def _open(path: str, *, create: bool) -> int:
    try:
        return os.open(path, os.O_RDWR | (os.O_CREAT if create else 0), 0o666)
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror or error}"
        raise PlanError(msg) from error
