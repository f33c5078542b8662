"""The journal of a plan: the steps that were begun and done, to continue or undo after a crash."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from hashlens.cleanup.actions import Step
from hashlens.cleanup.files import Looks
from hashlens.disk import lock_open, sync
from hashlens.errors import PlanError
from hashlens.names import as_names, as_text

VERSION = 1
HEAD = b'{"hashlens_journal": '
UNDOABLE = ("begin", "done", "left")  # the states of steps that can be undone


@dataclass(frozen=True, slots=True)
class Begun:
    """A step that was begun, and what must be known to undo it.

    number: of the step in the plan.
    step: the step; `step.to` is the free name that was chosen.
    temporary: name of the temporary files of the step.
    looks: permissions and modification time of the file.
    inode: of the keeper; 0 if the step needs none.
    frees: disk space that the step frees, in bytes.
    folders: folders that are made for the step, the outermost first.
    marker: path of the IGNORE file that is made for the step; "" if none.
    twin: another name of the file, a hard link, that was there then; "" if none is known.
    """

    number: int
    step: Step
    temporary: str
    looks: Looks
    inode: int = 0
    frees: int = 0
    folders: tuple[str, ...] = ()
    marker: str = ""
    twin: str = ""

    @classmethod
    def read(cls, record: dict[str, Any]) -> Begun:
        """Return the step that a record describes; raises ValueError for an impossible name."""
        given = dict(record, step=Step(**record["step"]), looks=Looks(*record["looks"]))
        begun = cls(**dict(given, folders=tuple(record["folders"])))
        step = begun.step
        paths = (
            step.path,
            step.to,
            step.keeper,
            begun.temporary,
            begun.marker,
            begun.twin,
            *begun.folders,
        )
        if b"\0" in os.fsencode("".join(paths)):
            msg = "a name with the character NUL"
            raise ValueError(msg)
        return begun


@dataclass
class Journal:
    """An open journal: its file, and what the records in it say.

    path: the file.
    descriptor: of the open file.
    plan: path of the plan.
    digest: SHA-256 of the steps of the plan that is applied, in hex.
    written: SHA-256 of the steps of the plan as it was written last; "" if that is not known.
    begun: the steps by their number, in the order in which they began.
    states: of each step, by its number: begin, done, skipped, undone or left.
    folders: the folders that were made, in order (a dict with no values).
    markers: the IGNORE files that were made, likewise.
    emptied: folders that were removed because they were empty, with their modes.
    is_undoing: whether undo has begun.
    """

    path: str
    descriptor: int
    plan: str = ""
    digest: str = ""
    written: str = ""
    begun: dict[int, Begun] = field(default_factory=dict)
    states: dict[int, str] = field(default_factory=dict)
    folders: dict[str, None] = field(default_factory=dict)
    markers: dict[str, None] = field(default_factory=dict)
    emptied: dict[str, int] = field(default_factory=dict)
    is_undoing: bool = False

    @property
    def undoable(self) -> list[Begun]:
        """Return the steps that can be undone, in the order in which they began."""
        return [begun for begun in self.begun.values() if self.states[begun.number] in UNDOABLE]

    def start(self, plan: str, digest: str) -> None:
        """Write a header: a plan is applied for the first time, or again after an undo."""
        self._append({"hashlens_journal": VERSION, "plan": plan, "digest": digest}, durable=True)

    def write_down(self, plan: str, digest: str) -> None:
        """Write a header: a plan was written."""
        header = {"hashlens_journal": VERSION, "plan": plan, "digest": digest}
        self._append({**header, "written": True}, durable=True)

    def begin(self, begun: Begun) -> None:
        """Note that a step begins; the note survives a crash when this returns."""
        self._append({"event": "begin", **asdict(begun)}, durable=True)

    def end(self, number: int, event: str, reason: str = "") -> None:
        """Note how a step ended: done, skipped, undone or left."""
        self._append({"event": event, "number": number, "reason": reason}, durable=False)

    def note_folder(self, folder: str, mode: int) -> None:
        """Note that an empty folder is removed; the note survives a crash when this returns."""
        self._append({"event": "emptied", "folder": folder, "mode": mode}, durable=True)

    def begin_undo(self) -> None:
        """Note that the steps are undone from here on."""
        self._append({"event": "undo"}, durable=True)

    def _append(self, record: dict[str, Any], *, durable: bool) -> None:
        """Write a record and take it in; raises PlanError, and then nothing was written."""
        size = os.lseek(self.descriptor, 0, os.SEEK_END)
        line = json.dumps(as_text(record)).encode() + b"\n"
        try:
            while line:
                line = line[os.write(self.descriptor, line) :]
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self.descriptor, size)
            raise self._error(error) from error
        if durable:
            self.flush()
        self._take(record)

    def flush(self) -> None:
        """Write all records to the disk, so that they survive a crash; raises PlanError."""
        try:
            os.fsync(self.descriptor)
        except OSError as error:
            raise self._error(error) from error

    def _error(self, error: OSError) -> PlanError:
        text = f"{self.path} cannot be written: {error.strerror or error}"
        return PlanError(f"{text}; make it writable, then apply again, or undo")

    def load(self) -> None:
        """Read all records, and cut off a last line that a crash left incomplete.

        Raises PlanError for a file that is not a journal.
        """
        try:
            sync(os.path.dirname(os.path.abspath(self.path)))  # the journal may be new
            with open(self.descriptor, "rb", closefd=False) as file:
                data = file.read()
        except OSError as error:
            raise self._error(error) from error
        whole = data[: data.rfind(b"\n") + 1]
        if not data.startswith(HEAD[: len(data)]):
            msg = f"{self.path} is not a journal"
            raise PlanError(msg)
        # Only line feeds end a record; str.splitlines() would cut at other characters, too.
        for number, line in enumerate(whole.split(b"\n")[:-1], 1):
            self._take_line(number, line)
        if len(whole) < len(data):
            try:
                os.ftruncate(self.descriptor, len(whole))
            except OSError as error:
                raise self._error(error) from error
            self.flush()

    def _take_line(self, number: int, line: bytes) -> None:
        """Take in the record of a line; raises PlanError with its number."""
        try:
            self._take(as_names(json.loads(line)))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            msg = f"{self.path}, line {number}: not a record of a journal: {error!r}"
            raise PlanError(msg) from error

    def _take(self, record: dict[str, Any]) -> None:
        """Take in a record: a header, the beginning of an undo, or the event of a step."""
        version = record.get("hashlens_journal")
        if version is not None:
            if version != VERSION:
                msg = f"{self.path} is a journal of version {version}; this reads {VERSION}"
                raise PlanError(msg)
            self.plan, self.digest = record["plan"], record["digest"]
            self.is_undoing = False
            if record.get("written"):
                self.written = self.digest
            for known in (self.begun, self.states, self.folders, self.markers, self.emptied):
                known.clear()
            return
        event = record["event"]
        if event == "undo":
            self.is_undoing = True
            return
        if event == "emptied":
            self.emptied[str(record["folder"])] = int(record["mode"])
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
def open_journal(path: str, *, create: bool) -> Iterator[Journal]:
    """Open a journal, and lock it against any other apply or undo.

    Raises PlanError if the file does not exist and `create` is False, is not a journal or cannot be
    written, or if another process or thread has it open.
    """
    if not create and not os.path.isfile(path):
        msg = f"there is no journal {path}: what was not applied cannot be undone"
        raise PlanError(msg)
    descriptor = _open(path, create=create)
    try:
        lock_open(descriptor, path, PlanError)
        journal = Journal(path, descriptor)
        journal.load()
        yield journal
        journal.flush()
    finally:
        os.close(descriptor)


def _open(path: str, *, create: bool) -> int:
    try:
        return os.open(path, os.O_RDWR | (os.O_CREAT if create else 0), 0o666)
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror or error}"
        raise PlanError(msg) from error
