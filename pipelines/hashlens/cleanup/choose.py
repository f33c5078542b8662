"""Choose the step of each image of some groups: keep it, or act on it, and where it goes."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from hashlens.cleanup.actions import LINK_ACTIONS, PARTNER, REMOVAL_ACTIONS, Step, below, target
from hashlens.cleanup.files import RefusedError, digest_of
from hashlens.cleanup.names import numbered
from hashlens.errors import ParameterError, PlanError
from hashlens.hashing.looking import differences
from hashlens.model import ORIENTATIONS, Doubt, Group, Member

CHANGED = "changed since it was indexed: index again"
HARD_LINK = "a hard link"  # so begins the reason to keep one
LINK_OF_KEEPER = f"{HARD_LINK} of the keeper: it takes no room"
NO_FRAMES = "not known how many frames it has: index again"
NO_DIGEST = "no digest in the index: index again"


@dataclass(frozen=True)
class File:
    """The file of a member of a group, as it is on disk.

    member: the member.
    path: absolute path.
    real_path: the path without symbolic links.
    status: of the file; None if it is gone.
    problem: why nothing can be done with the file; "" if something can.
    """

    member: Member
    path: str
    real_path: str
    status: os.stat_result | None
    problem: str

    @property
    def key(self) -> object:
        """Return a key that is equal for two paths of one file, unless they are hard links."""
        if self.status and self.status.st_nlink == 1:
            return self.status.st_dev, self.status.st_ino  # equal by a second mount, too
        return self.real_path

    @property
    def inode(self) -> object:
        """Return a key that all hard links of a file share; None if the file is gone."""
        return (self.status.st_dev, self.status.st_ino) if self.status else None


def _step(group: int, file: File, keeper: File) -> Step:
    """Return the step that keeps a file."""
    return Step(
        group,
        "keep",
        file.path,
        digest=file.member.file_digest,
        bytes=file.member.bytes,
        keeper=keeper.path,
        keeper_digest=keeper.member.file_digest,
        distance=float(file.member.distance),
        turn=file.member.turn,
    )


def on_disk(member: Member) -> File:
    """Look at the file of a member, and compare it with the indexed size and time."""
    path = os.path.abspath(member.path)
    try:
        status = os.stat(path)
    except OSError:
        return File(member, path, os.path.realpath(path), None, CHANGED)
    problem = "" if member.file_digest else NO_DIGEST
    if not member.frames:
        problem = NO_FRAMES
    now = (status.st_size, status.st_mtime_ns)
    if not stat.S_ISREG(status.st_mode) or now != (member.bytes, member.mtime_ns):
        problem = CHANGED
    return File(member, path, os.path.realpath(path), status, problem)


def look_again(groups: Iterable[Group]) -> tuple[Doubt, ...]:
    """Compare the files of duplicates with those of their keepers; return the pairs that differ.

    Files with equal bytes or pixels are not read, nor are those that are gone.
    """
    pairs = [
        (group.keeper, member)
        for group in groups
        for member in group.duplicates
        if not member.same
        and (not member.file_digest or member.file_digest != group.keeper.file_digest)
        and os.path.exists(member.path)
        and os.path.exists(group.keeper.path)
    ]
    paths = ((keeper.path, member.path) for keeper, member in pairs)
    reasons = differences(paths, orientations=[ORIENTATIONS[member.turn] for _, member in pairs])
    return tuple(
        Doubt(keeper.path, member.path, member.distance, reason)
        for (keeper, member), reason in zip(pairs, reasons, strict=True)
        if reason
    )


class Choices:
    """The choices so far: which files are kept, which are acted on, and which names are taken.

    Raises ParameterError for a file that is in the groups twice.
    """

    def __init__(
        self,
        action: str,
        to: str,
        protected: list[str],
        groups: list[list[File]],
        *,
        hard_links: bool,
        parted: Mapping[str, str],
    ) -> None:
        self.action, self.to, self.protected, self.hard_links = action, to, protected, hard_links
        self.parted = parted  # by path, why a file is no duplicate
        self.names: dict[object, set[str]] = {}  # real paths by inode
        self.acted_on: dict[object, str] = {}  # paths by the key of the file
        self.taken_names: set[str] = set()  # targets of earlier steps
        self.candidates: dict[str, Iterator[str]] = {}  # by the wanted name, the next ones to try
        links = [file for files in groups for file in files if os.path.islink(file.path)]
        self.links = {file.path for file in links}
        # Keepers are kept, and so are files to which a link leads.
        self.kept = {file.key: file.path for file in [*links, *(files[0] for files in groups)]}
        seen: set[str] = set()
        for file in (file for files in groups for file in files):
            self.names.setdefault(file.inode, set()).add(file.real_path)
            if file.path in seen:
                msg = f"{file.path} is in the groups twice: each image is in one group at most"
                raise ParameterError(msg)
            seen.add(file.path)

    def steps(self, group: int, files: list[File], keeper_reason: str) -> Iterator[Step]:
        """Yield the steps of a group, the keeper's first."""
        keeper = files[0]
        yield self._keeper_step(_step(group, keeper, keeper), keeper, keeper_reason)
        for file in files[1:]:
            step = _step(group, file, keeper)
            reason = self._reason_to_keep(file, keeper)
            if reason:
                yield replace(step, reason=reason)
            else:
                self.acted_on[file.key] = file.path
                reason = f"duplicate of {keeper.path}"
                if file.member.turn:
                    reason += f", {file.member.turn}"
                yield replace(
                    step, action=self.action, to=self._target(file, keeper), reason=reason
                )

    def _keeper_step(self, step: Step, file: File, reason: str) -> Step:
        """Return the step of a keeper: keep it, or copy it with `copy-keepers`."""
        if self.action == "copy-keepers" and not file.problem:
            to = self._free_name(os.path.join(self.to, os.path.basename(file.path)), file)
            return replace(step, action="copy", to=to, reason=reason)
        return replace(step, reason=file.problem or reason or "the keeper")

    def _reason_to_keep(self, file: File, keeper: File) -> str:
        """Return why a duplicate is kept; "" if it is acted on."""
        if file.problem or keeper.problem:
            return file.problem or f"its keeper {keeper.problem}"
        if file.member.path in self.parted:
            return f"look at it: {self.parted[file.member.path]}"
        if self.action == "copy-keepers":
            return "only keepers are copied"
        if file.path in self.links:
            return "a symbolic link"
        for folder in self.protected:
            paths = (file.path, file.real_path)
            if any(path == folder or _is_below(path, folder) for path in paths):
                return f"protected: below {folder}"
        other = self.kept.get(file.key) or self.acted_on.get(file.key)
        if other:
            return f"same file as {other}"
        return self._reason_by_links(file, keeper)

    def _reason_by_links(self, file: File, keeper: File) -> str:
        """Return why hard links, made or to be made, keep a file; "" if they do not."""
        if not (file.status and keeper.status):
            return ""
        if os.path.samestat(file.status, keeper.status):
            return "" if self.hard_links and self.action != "hardlink" else LINK_OF_KEEPER
        if self.action == "hardlink" and file.status.st_dev != keeper.status.st_dev:
            return "on another device than the keeper, so it cannot be a hard link"
        names = self.names[file.inode]
        if not self.hard_links and len(names) < file.status.st_nlink:
            return f"{HARD_LINK}: {file.status.st_nlink - len(names)} other names of the file stay"
        return ""

    def _target(self, file: File, keeper: File) -> str:
        """Return where a duplicate goes; "" if it goes nowhere. Raises ParameterError."""
        is_equal = file.member.file_digest == keeper.member.file_digest
        if self.action == "delete" or (self.action in LINK_ACTIONS and is_equal):
            return ""
        if not self.to:
            msg = f"{file.path} has other bytes than its keeper {keeper.path}: name a folder to "
            msg += "put such files into when links replace them, by to (--to DIR)"
            raise ParameterError(msg)
        return self._free_name(target(self.action, self.to, file.path), file)

    def _free_name(self, wanted: str, file: File | None) -> str:
        """Return the wanted name, or the next one with a number, that no file has or will get."""
        folder, name = os.path.split(wanted)
        if file and os.path.join(os.path.realpath(folder), name) == file.real_path:
            msg = f"{file.path} is in {self.to} already: choose another folder for to (--to)"
            raise ParameterError(msg)
        names = self.candidates.setdefault(wanted, numbered(wanted))
        free = next(
            name for name in names if not (name in self.taken_names or os.path.lexists(name))
        )
        self.taken_names.add(free)
        return free

    def backups(self, steps: list[Step], folder: str) -> Iterator[Step]:
        """Yield steps that copy all files that are acted on, and their keepers, to a folder.

        The partners of these pictures are copied with them.
        """
        removals = [step for step in steps if step.action in REMOVAL_ACTIONS]
        groups = {step.group for step in removals}
        kept = {step.keeper for step in removals}
        leaving = {step.path for step in removals}
        for step in steps:
            picture = step.keeper if step.action == PARTNER else step.path
            if step.group in groups and picture in kept | leaving:
                subfolder = os.path.join(folder, "keep" if picture in kept else "remove")
                to = self._free_name(below(subfolder, step.path), None)
                digest = step.digest or _digest_of(step.path)
                yield replace(step, action="copy", to=to, digest=digest, reason="backup")


def _digest_of(path: str) -> str:
    """Return the SHA-256 of a file; raises PlanError if it cannot be read."""
    try:
        return digest_of(path)
    except (RefusedError, OSError) as error:
        msg = f"{path} cannot be backed up: {error}"
        raise PlanError(msg) from error


def is_hard_link(reason: str) -> bool:
    """Return whether a file is kept for the reason that it is a hard link."""
    return reason.startswith(HARD_LINK)


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(os.path.join(folder, ""))
