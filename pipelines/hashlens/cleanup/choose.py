"""Choose for each image of some groups whether it stays, and where it goes."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace

from hashlens.cleanup.files import numbered
from hashlens.cleanup.plan_file import LINKS
from hashlens.errors import ParameterError
from hashlens.model import Member, Step

CHANGED = "changed since it was indexed: index again"
NO_DIGEST = "no digest in the index: index again"


@dataclass(frozen=True)
class File:
    """A member as it is on disk; `wrong` says why nothing can be done with it."""

    member: Member
    path: str
    real: str
    status: os.stat_result | None
    wrong: str

    @property
    def key(self) -> object:
        """Return what is equal for two names of one file, unless they are hard links."""
        if self.status and self.status.st_nlink == 1:
            return self.status.st_dev, self.status.st_ino  # a second mount is seen through too
        return self.real


def look(member: Member) -> File:
    """Look at a member's file, and compare it with what was indexed."""
    path = os.path.abspath(member.path)
    try:
        status = os.stat(path)
    except OSError:
        return File(member, path, os.path.realpath(path), None, CHANGED)
    wrong = "" if member.file_digest else NO_DIGEST
    now = (status.st_size, status.st_mtime_ns)
    if not stat.S_ISREG(status.st_mode) or now != (member.bytes, member.mtime_ns):
        wrong = CHANGED
    return File(member, path, os.path.realpath(path), status, wrong)


class Choices:
    """What was chosen so far: which files stay, which are acted on, which names are given."""

    def __init__(
        self, action: str, to: str, protected: list[str], groups: list[list[File]]
    ) -> None:
        self.action, self.to, self.protected = action, to, protected
        self.acted: dict[object, str] = {}
        self.given: set[str] = set()
        self.names: dict[str, Iterator[str]] = {}
        links = [file for files in groups for file in files if os.path.islink(file.path)]
        self.links = {file.path for file in links}
        # What a keeper is, and what a link leads to, stays.
        self.kept = {file.key: file.path for file in [*links, *(files[0] for files in groups)]}
        once: set[str] = set()
        for file in (file for files in groups for file in files):
            if file.path in once:
                msg = f"{file.path} is in the groups twice: each image is in one group at most"
                raise ParameterError(msg)
            once.add(file.path)

    def of(self, number: int, files: list[File], why: str) -> Iterator[Step]:
        """Yield the steps of a group, the keeper's first."""
        keeper = files[0]
        for file in files:
            step = Step(
                number,
                "keep",
                file.path,
                digest=file.member.file_digest,
                bytes=file.member.bytes,
                keeper=keeper.path,
                keeper_digest=keeper.member.file_digest,
                distance=float(file.member.distance),
            )
            if file is keeper:
                yield self._keeper(step, file, why)
                continue
            reason = self._reason_to_keep(file, keeper)
            if reason:
                yield replace(step, reason=reason)
            else:
                self.acted[file.key] = file.path
                reason = f"duplicate of {keeper.path}"
                yield replace(
                    step, action=self.action, to=self._target(file, keeper), reason=reason
                )

    def _keeper(self, step: Step, file: File, why: str) -> Step:
        if self.action == "copy-keepers" and not file.wrong:
            to = self._free(os.path.join(self.to, os.path.basename(file.path)), file)
            return replace(step, action="copy", to=to, reason=why)
        return replace(step, reason=file.wrong or why or "the keeper")

    def _reason_to_keep(self, file: File, keeper: File) -> str:
        """Return why a duplicate stays where it is; "" where nothing speaks for that."""
        if file.wrong or keeper.wrong:
            return file.wrong or f"its keeper {keeper.wrong}"
        if self.action == "copy-keepers":
            return "only keepers are copied"
        if file.path in self.links:
            return "a symbolic link"
        for folder in self.protected:
            if any(name == folder or _is_below(name, folder) for name in (file.path, file.real)):
                return f"protected: below {folder}"
        other = self.kept.get(file.key) or self.acted.get(file.key)
        if other:
            return f"same file as {other}"
        return self._reason_not_to_link(file, keeper) if self.action == "hardlink" else ""

    def _reason_not_to_link(self, file: File, keeper: File) -> str:
        if file.status and keeper.status:
            if os.path.samestat(file.status, keeper.status):
                return "a hard link of the keeper already"
            if file.status.st_dev != keeper.status.st_dev:
                return "on another device than the keeper, so that it can be no hard link"
        return ""

    def _target(self, file: File, keeper: File) -> str:
        if self.action == "delete":
            return ""
        if self.action == "move":
            return self._free(os.path.join(self.to, os.path.basename(file.path)), file)
        if self.action in LINKS and file.member.file_digest == keeper.member.file_digest:
            return ""
        if not self.to:
            msg = f"{file.path} has other bytes than its keeper {keeper.path}: name a folder to "
            msg += "put such files into when links replace them: --to DIR"
            raise ParameterError(msg)
        return self._free(_below(self.to, file.path), file)

    def _free(self, wanted: str, file: File | None) -> str:
        """Return a name that no file has, nor gets in this plan, beginning with the wanted one."""
        folder, name = os.path.split(wanted)
        if file and os.path.join(os.path.realpath(folder), name) == file.real:
            msg = f"{file.path} is in {self.to} already: choose another folder for --to"
            raise ParameterError(msg)
        names = self.names.setdefault(wanted, numbered(wanted))
        free = next(name for name in names if not (name in self.given or os.path.lexists(name)))
        self.given.add(free)
        return free

    def copies(self, steps: list[Step], folder: str) -> Iterator[Step]:
        """Yield steps that copy all files that are acted on, and their keepers."""
        groups = {step.group for step in steps if step.action != "keep"}
        for step in steps:
            is_keeper = step.path == step.keeper
            if step.group in groups and (is_keeper or step.action != "keep"):
                below = os.path.join(folder, "keep" if is_keeper else "remove")
                to = self._free(_below(below, step.path), None)
                yield replace(step, action="copy", to=to, reason="backup")


def _below(folder: str, path: str) -> str:
    return os.path.join(folder, os.path.splitdrive(path)[1].lstrip(os.sep))


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(os.path.join(folder, ""))
