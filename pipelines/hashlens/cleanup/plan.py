"""A plan: one step for each image of some groups, for people to review and edit."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from hashlens.cleanup.actions import ACTIONS, LINK_ACTIONS, MOVES, PARTNER, REMOVAL_ACTIONS, Step
from hashlens.cleanup.choose import Choices, is_hard_link, look_again, on_disk
from hashlens.cleanup.files import status_of
from hashlens.cleanup.journal import Journal, open_journal
from hashlens.cleanup.partners import with_partners
from hashlens.cleanup.plan_file import (
    FIELDS,
    is_csv,
    read,
    write,
)
from hashlens.errors import ParameterError, PlanError, paths_of, require_flags, require_path
from hashlens.model import Doubt, Group, Skipped
from hashlens.names import as_text

if TYPE_CHECKING:
    import pandas as pd

Path = str | os.PathLike[str]


@dataclass(frozen=True)
class Plan:
    """The steps of a plan, in order.

    steps: one step for each file, and one for each copy.
    skipped: files that are left alone because they are changed, gone or without a digest; empty for
        a plan that was read from a file, in which they have steps, too.
    doubts: pairs that hash alike and look different; empty for a plan that was read.
    """

    steps: tuple[Step, ...]
    skipped: tuple[Skipped, ...] = field(default=(), compare=False)
    doubts: tuple[Doubt, ...] = field(default=(), compare=False)

    def save(self, path: Path, *, force: bool = False) -> None:
        """Write the plan to a file .jsonl or .csv, whole or not at all, and begin its journal.

        Raises PlanError if it cannot be written, if the file is a plan that was applied, whose
        journal needs the file, or, without `force`, if the file is not as it was written: somebody
        has edited it.
        """
        name = os.path.abspath(path)
        is_csv(name)  # raises for another extension, before there is a journal
        if not os.path.isdir(os.path.dirname(name)):
            msg = f"{name} cannot be written: {os.strerror(errno.ENOENT)}"
            raise PlanError(msg)
        with open_journal(journal_of(name), create=True) as journal:
            reason = _reason_to_stay(name, journal, force=force)
            if reason:
                raise PlanError(reason)
            write(name, self.steps)
            journal.write_down(name, self.digest)

    @classmethod
    def read(cls, path: Path) -> Plan:
        """Read a plan; raises PlanError, naming file and line, if it is not a plan."""
        return cls(tuple(read(os.fspath(path))))

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the steps, in hex, whatever the format of their file.

        A turn counts only if there is one: the digests of earlier versions hold.
        """
        records = self.records()
        for record in records:
            if not record["turn"]:
                del record["turn"]
        return hashlib.sha256(json.dumps(records).encode()).hexdigest()

    def records(self) -> list[dict[str, Any]]:
        """Return the steps as dicts; names of files are text in them."""
        return [as_text(asdict(step)) for step in self.steps]

    def to_pandas(self) -> pd.DataFrame:
        """Return the steps as a data frame; raises ParameterError without pandas."""
        try:
            import pandas as pd  # noqa: PLC0415  half a second, and an extra
        except ImportError as error:
            msg = "a data frame needs pandas: pip install 'hashlens[demo]'"
            raise ParameterError(msg) from error
        return pd.DataFrame(self.records(), columns=list(FIELDS))

    def summary(self) -> dict[str, Any]:
        """Return the number of `groups` and of files to `keep`, and the bytes that are `freed`.

        Each action has its `files` and `bytes`. A file frees its bytes if it is deleted, or
        replaced by a link to an equal file, under all its names. `partners` counts the files that
        go with a picture; those of pictures that stay do not. `doubts` counts the pairs that hash
        alike and look different.
        """
        found: dict[str, Any] = {
            "groups": len({step.group for step in self.steps}),
            "keep": sum(step.action == "keep" for step in self.steps),
        }
        for action in ("copy", *REMOVAL_ACTIONS):
            sizes = [step.bytes for step in self.steps if step.action == action]
            if sizes:
                found[action] = {"files": len(sizes), "bytes": sum(sizes)}
        moved = {step.path for step in self.steps if step.action in MOVES}
        partners = sum(step.action == PARTNER and step.keeper in moved for step in self.steps)
        if partners:
            found["partners"] = partners
        links = sum(step.action == "keep" and is_hard_link(step.reason) for step in self.steps)
        if links:
            found["hard_links_kept"] = links
        if self.doubts:
            found["doubts"] = len(self.doubts)
        found["freed"] = _freed(self.steps)
        return found


def explained(plan: Plan, words: Mapping[str, str]) -> Plan:
    """Return a plan in which some files, by path, go for other reasons."""
    reasons = {os.path.abspath(path): reason for path, reason in words.items()}
    steps = (
        replace(step, reason=reasons[step.path])
        if step.action in REMOVAL_ACTIONS and step.path in reasons
        else step
        for step in plan.steps
    )
    return replace(plan, steps=tuple(steps))


def _freed(steps: Iterable[Step]) -> int:
    """Return the bytes of the files that lose all their names."""
    left: dict[tuple[int, int], int] = {}
    freed = 0
    for step in steps:
        is_in_place = step.action in LINK_ACTIONS and not step.to
        status = status_of(step.path) if is_in_place or step.action == "delete" else None
        if status:
            file = status.st_dev, status.st_ino
            left[file] = left.get(file, status.st_nlink) - 1
            freed += 0 if left[file] else status.st_size
    return freed


def journal_of(plan_path: str) -> str:
    """Return the path of a plan's journal: plan.journal.jsonl, plan.csv.journal.jsonl."""
    start, ending = os.path.splitext(plan_path)
    return f"{start if ending.lower() == '.jsonl' else plan_path}.journal.jsonl"


def may_be_replaced(plan_path: str) -> bool:
    """Return whether there is no plan at a path, or one that was neither applied nor edited."""
    name = os.path.abspath(plan_path)
    if not os.path.exists(journal_of(name)):
        return not os.path.lexists(name)
    with open_journal(journal_of(name), create=False) as journal:
        return not _reason_to_stay(name, journal)


def _reason_to_stay(path: str, journal: Journal, *, force: bool = False) -> str:
    """Return why the file of a plan must not be replaced; "" if it may."""
    if journal.undoable:
        return (
            f"{path} was applied, as {journal.path} tells; undo it, choose another name, or remove "
            "the journal, without which nothing of it can be undone"
        )
    if force or not os.path.lexists(path) or _is_as_written(path, journal):
        return ""
    return f"{path} was edited, or not written here: choose another name, or give --force"


def _is_as_written(path: str, journal: Journal) -> bool:
    """Return whether a plan has the steps that were written last, by its journal."""
    try:
        return Plan.read(path).digest == journal.written
    except PlanError:
        return False


def make_plan(
    groups: Iterable[Group],
    action: str,
    *,
    to: Path | None = None,
    protect: Iterable[Path] = (),
    backup: Path | None = None,
    hard_links: bool = False,
    partners: bool = True,
    verify: bool = True,
) -> Plan:
    """Decide what is to be done with each image of some groups: one step each, with its reason.

    `move` puts the duplicates into the folder `to`; `quarantine` puts them below it with their
    whole paths. `hardlink` and `symlink` replace each duplicate by a link to its keeper; if their
    bytes differ, the old file goes below `to`. `copy-keepers` copies the keepers into `to`.
    `delete` deletes for good. Files below a folder of `protect` are kept. With `backup`, all files
    that are acted on, and their keepers, are copied below that folder first.

    Partners of a picture go with it: sidecars, the film of a live photo, RAW beside JPEG. Without
    `partners`, they stay where they are. A file that has other names, as hard links, is left alone
    unless all of them are duplicates, or `hard_links` is set: nothing is freed by it.

    With `verify`, each duplicate is compared with its keeper once more, in colour and in detail:
    `hashlens.Groups` are `verified`, and of other groups the duplicates that differ are kept, with
    the reason. `Plan.doubts` has the pairs.

    Groups have the numbers that `hashlens.Groups` and reports give them. Changes nothing on disk.
    Raises ParameterError for unusable parameters.
    """
    if action not in ACTIONS:
        msg = f"action must be one of {', '.join(ACTIONS)}, not {action!r}"
        raise ParameterError(msg)
    require_flags(hard_links=hard_links, partners=partners, verify=verify)
    folders = _target_folder(action, to), _protected(protect)
    copies = None if backup is None else _folder(backup, "backup")
    if verify and hasattr(groups, "verified"):
        groups = groups.verified()
        verify = False
    known = tuple(getattr(groups, "doubts", ()))
    numbered_groups = list(groups)
    files = [[on_disk(member) for member in group.members] for group in numbered_groups]
    doubts = look_again(numbered_groups) if verify else ()
    parted = {doubt.second: doubt.reason for doubt in doubts}
    choices = Choices(action, *folders, files, hard_links=hard_links, parted=parted)
    reasons = [group.reason for group in numbered_groups]
    steps = [
        step
        for number, (group, reason) in enumerate(zip(files, reasons, strict=True), 1)
        for step in choices.steps(number, group, reason)
    ]
    if partners:
        steps = list(with_partners(steps))
    if copies is not None:
        steps = [*choices.backups(steps, copies), *steps]
    skipped = (
        Skipped(file.path, file.problem) for group in files for file in group if file.problem
    )
    return Plan(tuple(steps), tuple(skipped), (*known, *doubts))


def _target_folder(action: str, to: Path | None) -> str:
    """Return the folder `to`; "" if it was not given. Raises ParameterError if it is unusable."""
    if to is None:
        if action in ("move", "quarantine", "copy-keepers"):
            msg = f"{action} needs a folder to put files into: name it by to (--to DIR)"
            raise ParameterError(msg)
        return ""
    if action == "delete":
        msg = f"a deleted file goes nowhere: delete is given without to (--to), not with {to!s}"
        raise ParameterError(msg)
    return _folder(to, "to")


def _folder(given: Path, name: str) -> str:
    """Return the absolute path of a folder, or of a new one; raises ParameterError for a file."""
    require_path(name, given)
    path = os.path.abspath(given)
    if os.path.lexists(path) and not os.path.isdir(path):
        msg = f"{name} must be a folder, or the name of a new one, not {os.fspath(given)!r}"
        raise ParameterError(msg)
    return path


def _protected(given: Iterable[Path]) -> list[str]:
    """Return protected folders by their absolute and real paths; raises ParameterError."""
    folders = []
    for path in paths_of("protect", given):
        if not os.path.exists(path):
            msg = f"no such folder can be protected: {os.fspath(path)!r}"
            raise ParameterError(msg)
        folders += [os.path.abspath(path), os.path.realpath(path)]
    return list(dict.fromkeys(folders))
